import java.util.*;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import org.slf4j.MDC;

/** Publishes what a watched request does to its watcher. It needs Java 8, SLF4J, and the other Codechat files. */
public final class Codechat {
    private static final Pattern UUID4 =
        Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
    private static final Map<String, Client> CLIENTS = newest();
    // By their numbers, which are in the MDC: an ID there could come into a log, and who reads it could watch.
    private static final Map<String, CodechatOperation> OPERATIONS = newest();
    private static final AtomicLong COUNT = new AtomicLong();

    /** Begins an operation of this thread. Without a valid client ID, nothing is published. */
    public static CodechatOperation begin(String name, String clientId) {
        String id = clientId == null ? "" : clientId.toLowerCase(Locale.ROOT);
        Client client = UUID4.matcher(id).matches() ? CLIENTS.computeIfAbsent(id, Client::new) : null;
        CodechatOperation operation = new CodechatOperation(client, name);
        if (client != null) {
            String number = Long.toString(COUNT.incrementAndGet());
            OPERATIONS.put(number, operation);
            MDC.put("codechat", number);
        }
        operation.send(name, "info", null, null);
        return operation;
    }

    /** Whether a watcher asks the operation that runs here to stop. */
    public static boolean isCancelled() {
        CodechatOperation operation = of(MDC.get("codechat"));
        return operation != null && operation.isCancelled();
    }

    /** An argument for a log call, as in log.info("File {}", 3, Codechat.progress(3, 120)). */
    public static Progress progress(long current, long total) {
        return new Progress("{\"current\":" + current + ",\"total\":" + total + "}");
    }

    /** The operation of a value in the MDC. */
    static CodechatOperation of(String number) { return number == null ? null : OPERATIONS.get(number); }

    private static <V> Map<String, V> newest() {
        return Collections.synchronizedMap(new LinkedHashMap<String, V>() {
            @Override protected boolean removeEldestEntry(Map.Entry<String, V> eldest) { return size() > 1000; }
        });
    }

    public static final class Progress {
        final String json;
        private Progress(String json) { this.json = json; }
    }

    /** What is known of a client ID, and what its watchers ask for. */
    static final class Client {
        final String id;
        final AtomicLong dropped = new AtomicLong();
        volatile long awayUntil;
        long pause = 2000;
        volatile String level, cancelled; // the latter as JSON: the name of an operation, or null for all of them
        Client(String id) { this.id = id; }
    }
}
