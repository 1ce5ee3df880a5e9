// Answers GET /refresh on port 8000 and publishes what it does to the client in the header Sse-Client-ID.

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.*;
import java.net.http.*;
import java.time.Duration;

public class App {
    static final HttpClient HTTP = HttpClient.newHttpClient();

    static void publish(String id, String text) {
        if (id == null) return;
        try {
            var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:2428/api/v1/sse/debug"))
                .header("Sse-Client-ID", id).timeout(Duration.ofSeconds(2))
                .POST(HttpRequest.BodyPublishers.ofString(text)).build();
            HTTP.send(request, HttpResponse.BodyHandlers.discarding());
        } catch (IOException | IllegalArgumentException e) {
            // Nobody watches; the work goes on.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    public static void main(String[] arguments) throws IOException {
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 8000), 0);
        server.createContext("/refresh", exchange -> {
            var id = exchange.getRequestHeaders().getFirst("Sse-Client-ID");
            publish(id, "Refreshing repository demo");
            publish(id, "Refresh finished");
            exchange.sendResponseHeaders(204, -1);
            exchange.close();
        });
        server.start();
        System.out.println("listening on http://127.0.0.1:8000");
    }
}
