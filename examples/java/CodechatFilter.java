import java.io.IOException;
import java.util.Collections;
import javax.servlet.*; // jakarta.servlet from Spring 6 and Tomcat 10 on
import javax.servlet.http.*;
import org.slf4j.MDC;

/** Makes each request an operation if it has a client ID. It belongs before all filters that log. */
public final class CodechatFilter implements Filter {
    @Override public void init(FilterConfig config) {}

    @Override public void destroy() {}

    @Override public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        HttpServletRequest http = (HttpServletRequest) request;
        String id = String.join(",", Collections.list(http.getHeaders("Sse-Client-ID")));
        CodechatOperation operation = Codechat.begin(http.getMethod() + " " + http.getRequestURI(), id);
        Throwable failure = null;
        try {
            chain.doFilter(request, response);
        } catch (IOException | ServletException | RuntimeException | Error e) {
            failure = e;
            throw e;
        } finally {
            MDC.remove("codechat"); // the thread serves others next
            if (request.isAsyncStarted()) request.getAsyncContext().addListener(new End(operation));
            else end(operation, response, failure);
        }
    }

    private static void end(CodechatOperation operation, ServletResponse response, Throwable failure) {
        int status = ((HttpServletResponse) response).getStatus();
        if (failure != null) operation.end("failed", "failed", ": " + failure);
        else operation.end(status < 400 ? "ok" : "failed", Integer.toString(status), "");
    }

    private static final class End implements AsyncListener {
        private final CodechatOperation operation;
        private Throwable failure;
        End(CodechatOperation operation) { this.operation = operation; }
        @Override public void onStartAsync(AsyncEvent event) {}
        @Override public void onTimeout(AsyncEvent event) {}
        @Override public void onError(AsyncEvent event) { failure = event.getThrowable(); }
        @Override public void onComplete(AsyncEvent event) { end(operation, event.getSuppliedResponse(), failure); }
    }
}
