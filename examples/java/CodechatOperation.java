/** A piece of work that a watcher sees. */
public final class CodechatOperation {
    final Codechat.Client client;
    private final String name;
    private final long began = System.nanoTime();

    CodechatOperation(Codechat.Client client, String name) {
        this.client = client;
        String clean = name.replaceAll("\\p{Cntrl}", " ");
        this.name = quote(clean.substring(0, Math.min(128, clean.length())));
    }

    /** Ends it. The outcome is ok, failed or cancelled. */
    public void end(String outcome, String text, String reason) {
        boolean isCancelled = outcome.equals("failed") && isCancelled();
        String end = String.format("%s in %.1f s%s", text, (System.nanoTime() - began) / 1e9, reason);
        send(end, null, null, "\"outcome\":\"" + (isCancelled ? "cancelled" : outcome) + "\"");
    }

    boolean isCancelled() {
        String cancelled = client == null ? null : client.cancelled;
        return cancelled != null && (cancelled.equals("null") || cancelled.equals(name));
    }

    /** Publishes a message; more: further members of it as JSON. */
    void send(String text, String level, String logger, String more) {
        if (client == null) return;
        String cut = text.substring(0, Math.min(16_000, text.length())); // the server takes 64 KiB
        StringBuilder json = new StringBuilder("{\"message\":").append(quote(cut));
        json.append(",\"operation\":").append(name);
        if (level != null) json.append(",\"level\":").append(quote(level));
        if (logger != null) json.append(",\"fields\":{\"logger\":").append(quote(logger)).append('}');
        if (more != null) json.append(',').append(more);
        CodechatQueue.push(client, json.append('}').toString(), more != null && more.startsWith("\"outcome\""));
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char it : text.toCharArray()) {
            if (it == '"' || it == '\\') quoted.append('\\').append(it);
            else if (it < ' ' || Character.isSurrogate(it)) quoted.append(String.format("\\u%04x", (int) it));
            else quoted.append(it);
        }
        return quoted.append('"').toString();
    }
}
