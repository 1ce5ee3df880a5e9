import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/** Publishes messages from a daemon thread; nothing here waits or fails. */
final class CodechatQueue {
    private static final long START = System.nanoTime();
    private static final BlockingQueue<Object[]> QUEUE = new LinkedBlockingQueue<>(2000); // a client and a message each
    private static final AtomicLong PENDING = new AtomicLong(); // messages in the queue or on their way
    private static volatile long awayUntil = "off".equals(System.getenv("CODECHAT_PUBLISH")) ? Long.MAX_VALUE : 0;
    private static long pause = 1000;

    static {
        Thread thread = new Thread(CodechatQueue::run, "codechat");
        thread.setDaemon(true);
        thread.start();
        Runtime.getRuntime().addShutdownHook(new Thread(CodechatQueue::flush));
    }

    /** The end of an operation has room of its own: without it, the operation would run on for ever on screen. */
    static void push(Codechat.Client client, String message, boolean isEnd) {
        PENDING.incrementAndGet();
        boolean isFull = QUEUE.size() >= 1000 && !isEnd;
        if (isFull || isAway(client) || !QUEUE.offer(new Object[] {client, message})) {
            PENDING.decrementAndGet();
            client.dropped.incrementAndGet();
        }
    }

    /** Waits until all is published, 2 s at most. */
    static void flush() {
        for (long end = now() + 2000; PENDING.get() > 0 && now() < end; ) LockSupport.parkNanos(1_000_000);
    }

    private static void run() {
        while (true) {
            List<Object[]> taken = new ArrayList<>();
            Map<Codechat.Client, List<String>> batches = new LinkedHashMap<>();
            try {
                taken.add(QUEUE.take());
                QUEUE.drainTo(taken, 499);
                for (Object[] it : taken) {
                    batches.computeIfAbsent((Codechat.Client) it[0], key -> new ArrayList<>()).add((String) it[1]);
                }
                batches.forEach(CodechatQueue::send);
            } catch (InterruptedException e) {
                return;
            } finally {
                PENDING.addAndGet(-taken.size());
            }
        }
    }

    private static void send(Codechat.Client client, List<String> batch) {
        long lost = client.dropped.get();
        String report = "{\"message\":\"" + lost + " messages dropped by the application\",\"level\":\"warn\"}\n";
        String body = (lost > 0 ? report : "") + String.join("\n", batch);
        int status = isAway(client) ? -1 : CodechatConnection.post(client, body);
        client.dropped.addAndGet(status == 202 ? -lost : batch.size());
        if (status == 202) {
            pause = 1000;
            client.pause = 2000;
        } else if (status == 401 || status == 403) {
            awayUntil = Long.MAX_VALUE;
            System.err.println("codechat: nothing is published, since the server answers " + status);
        } else if (status == 404) { // nobody watches, or not yet again
            client.awayUntil = now() + client.pause;
            client.pause = Math.min(30_000, 2 * client.pause);
        } else if (status != -1 && status != 400 && status != 413) { // the latter are about these messages
            awayUntil = now() + pause;
            pause = Math.min(30_000, 2 * pause);
        }
    }

    private static boolean isAway(Codechat.Client client) { return now() < Math.max(awayUntil, client.awayUntil); }

    private static long now() { return (System.nanoTime() - START) / 1_000_000; }
}
