// A server of the original protocol, as in its application: Spring's SseEmitter, and an endpoint that publishes its
// progress to the client in the header Sse-Client-ID. Arguments: the emitters' timeout in milliseconds, and a folder.

import java.io.File;
import java.io.IOException;
import java.util.Collections;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import javax.servlet.Filter;
import javax.servlet.FilterChain;
import javax.servlet.FilterConfig;
import javax.servlet.ServletException;
import javax.servlet.ServletRequest;
import javax.servlet.ServletResponse;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.catalina.Context;
import org.apache.catalina.Wrapper;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;
import org.springframework.http.converter.json.MappingJackson2HttpMessageConverter;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestMethod;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.support.StaticWebApplicationContext;
import org.springframework.web.servlet.DispatcherServlet;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerAdapter;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerMapping;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;

public class Original {
    static long timeout;
    static final Map<String, SseEmitter> EMITTERS = new ConcurrentHashMap<>();

    static void send(String id, String text) {
        send(id, "debug", text);
    }

    static void send(String id, String name, String text) {
        SseEmitter emitter = id == null ? null : EMITTERS.get(id);
        if (emitter != null) {
            try {
                emitter.send(SseEmitter.event().name(name).data(text));
            } catch (IOException | IllegalStateException e) {
                EMITTERS.remove(id, emitter);
            }
        }
    }

    @RestController
    public static class Sse {
        @RequestMapping(value = "/api/v1/sse/connect", method = RequestMethod.GET)
        public Map<String, String> connect() {
            return Collections.singletonMap("clientId", UUID.randomUUID().toString());
        }

        @RequestMapping(value = "/api/v1/sse/debug/{id}", method = RequestMethod.GET)
        public SseEmitter debug(@PathVariable("id") String id) {
            SseEmitter emitter = new SseEmitter(timeout);
            emitter.onCompletion(() -> EMITTERS.remove(id, emitter));
            emitter.onTimeout(emitter::complete);
            EMITTERS.put(id, emitter);
            System.out.println("stream " + id);
            send(id, "Starting server communication...");
            return emitter;
        }

        @RequestMapping(value = "/api/v1/sse/debug/stop/{id}", method = RequestMethod.GET)
        public String stop(@PathVariable("id") String id) {
            SseEmitter emitter = EMITTERS.remove(id);
            if (emitter != null) {
                emitter.complete();
            }
            System.out.println("stopped " + id);
            return "Debug message stream stopped.";
        }

        @RequestMapping(value = "/refresh", method = RequestMethod.GET)
        public String refresh(@RequestHeader(value = "Sse-Client-ID", required = false) String id) {
            send(id, "Refreshing repository demo");
            send(id, "Refresh finished");
            return "refreshed";
        }

        @RequestMapping(value = "/say", method = RequestMethod.GET)
        public String say(
                @RequestHeader("Sse-Client-ID") String id,
                @RequestParam("name") String name,
                @RequestParam("text") String text) {
            send(id, name, text);
            return "said";
        }
    }

    public static class Adapter extends RequestMappingHandlerAdapter {
        public Adapter() {
            getMessageConverters().add(new MappingJackson2HttpMessageConverter());
        }
    }

    /** Admits requests with the token. */
    public static class Bearer implements Filter {
        public void init(FilterConfig config) {}

        public void destroy() {}

        public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
                throws IOException, ServletException {
            String given = ((HttpServletRequest) request).getHeader("Authorization");
            if ("Bearer secret".equals(given)) {
                chain.doFilter(request, response);
            } else {
                ((HttpServletResponse) response).sendError(401);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        timeout = Long.parseLong(args[0]);
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[1]);
        tomcat.setPort(0);
        Context context = tomcat.addContext("", new File(args[1]).getAbsolutePath());
        StaticWebApplicationContext beans = new StaticWebApplicationContext();
        beans.registerSingleton("sse", Sse.class);
        beans.registerSingleton("mapping", RequestMappingHandlerMapping.class);
        beans.registerSingleton("adapter", Adapter.class);
        Wrapper servlet = Tomcat.addServlet(context, "spring", new DispatcherServlet(beans));
        servlet.setAsyncSupported(true);
        servlet.setLoadOnStartup(1);
        context.addServletMappingDecoded("/", "spring");
        FilterDef filter = new FilterDef();
        filter.setFilterName("bearer");
        filter.setFilter(new Bearer());
        filter.setAsyncSupported("true");
        context.addFilterDef(filter);
        FilterMap map = new FilterMap();
        map.setFilterName("bearer");
        map.addURLPattern("/api/*");
        context.addFilterMap(map);
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.start();
        System.out.println("listening on " + tomcat.getConnector().getLocalPort());
        tomcat.getServer().await();
    }
}
