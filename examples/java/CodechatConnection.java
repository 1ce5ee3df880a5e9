import java.io.*;
import java.net.*;
import java.util.UUID;
import java.util.regex.*;
import static java.nio.charset.StandardCharsets.UTF_8;

/** The server. Environment: CODECHAT_SERVER, a URL; CODECHAT_TOKEN. */
final class CodechatConnection {
    private static final String SERVER = System.getenv().getOrDefault("CODECHAT_SERVER", "http://127.0.0.1:2428");
    private static final String TOKEN = System.getenv("CODECHAT_TOKEN");
    private static final Pattern LEVEL = Pattern.compile("\"level\":\"(\\w+)\"");
    private static final Pattern OPERATION = Pattern.compile("\"operation\":(null|\"(?:[^\"\\\\]|\\\\.)*\")");

    /** The status of the answer, or 0 if there is none. */
    static int post(Codechat.Client client, String body) {
        String key = UUID.randomUUID().toString(); // keeps messages that are sent again from coming twice
        int status = post(client, body.getBytes(UTF_8), key);
        return status == 0 ? post(client, body.getBytes(UTF_8), key) : status;
    }

    private static int post(Codechat.Client client, byte[] body, String key) {
        try {
            URL url = new URL(SERVER.replaceAll("/$", "") + "/api/v1/sse/debug");
            HttpURLConnection connection = (HttpURLConnection) url.openConnection();
            connection.setConnectTimeout(5000);
            connection.setReadTimeout(5000);
            connection.setInstanceFollowRedirects(false);
            connection.setDoOutput(true);
            connection.setRequestProperty("Sse-Client-ID", client.id);
            connection.setRequestProperty("Content-Type", "application/x-ndjson");
            connection.setRequestProperty("Idempotency-Key", key);
            if (TOKEN != null) connection.setRequestProperty("Authorization", "Bearer " + TOKEN);
            try (OutputStream stream = connection.getOutputStream()) {
                stream.write(body);
            }
            int status = connection.getResponseCode();
            try (InputStream stream = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
                ByteArrayOutputStream answer = new ByteArrayOutputStream();
                for (int read; stream != null && (read = stream.read()) >= 0; ) answer.write(read);
                if (status == 202) heed(client, answer.toString("UTF-8"));
            }
            return status;
        } catch (IOException | RuntimeException e) {
            return 0;
        }
    }

    private static void heed(Codechat.Client client, String answer) {
        Matcher level = LEVEL.matcher(answer), operation = OPERATION.matcher(answer);
        client.level = level.find() ? level.group(1) : null;
        client.cancelled = answer.contains("\"cancel\":true") && operation.find() ? operation.group(1) : null;
    }
}
