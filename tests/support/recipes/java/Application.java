// Spring on Tomcat with Logback. Prints its port. Argument: a folder.

import java.io.File;
import java.io.IOException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.servlet.http.HttpServletResponse;
import org.apache.catalina.Context;
import org.apache.catalina.Wrapper;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.request.async.DeferredResult;
import org.springframework.web.context.support.StaticWebApplicationContext;
import org.springframework.web.servlet.DispatcherServlet;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerAdapter;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerMapping;

public class Application {
    static final Logger LOG = LoggerFactory.getLogger(Application.class);
    static final Set<String> GATES = ConcurrentHashMap.newKeySet();
    static final ExecutorService POOL = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    });

    @RestController
    public static class Work {
        @RequestMapping("/refresh/{name}")
        public String refresh(@PathVariable("name") String name) {
            LOG.info("Refreshing {}", name);
            for (int file = 1; file <= 3; file++) {
                LOG.info("File {} of {}", file, name, Codechat.progress(file, 3));
            }
            LOG.debug("Detail of {}", name);
            LOG.warn("Refreshed {}", name);
            return "refreshed " + name;
        }

        @RequestMapping("/broken")
        public String broken() {
            LOG.info("before it breaks");
            throw new IllegalStateException("disk full");
        }

        @RequestMapping("/pool")
        public DeferredResult<String> pool() {
            LOG.info("in the handler");
            DeferredResult<String> result = new DeferredResult<>();
            Map<String, String> context = MDC.getCopyOfContextMap();
            POOL.submit(() -> {
                if (context != null) MDC.setContextMap(context);
                LOG.info("in the pool");
                MDC.clear();
                result.setResult("done");
            });
            return result;
        }

        @RequestMapping("/streamed")
        public void streamed(HttpServletResponse response) throws IOException {
            for (String piece : new String[] {"a", "b", "c"}) {
                LOG.info("piece {}", piece);
                response.getWriter().write(piece);
                response.flushBuffer();
            }
        }

        @RequestMapping("/ticks/{gate}")
        public ResponseEntity<String> ticks(@PathVariable("gate") String gate) throws InterruptedException {
            for (int number = 1; !GATES.contains(gate); number++) {
                LOG.info("tick {} of {}", number, gate);
                LOG.debug("detail {} of {}", number, gate);
                if (Codechat.isCancelled()) return new ResponseEntity<>(HttpStatus.SERVICE_UNAVAILABLE);
                Thread.sleep(5);
            }
            return new ResponseEntity<>(HttpStatus.OK);
        }

        @RequestMapping("/open/{gate}")
        public String open(@PathVariable("gate") String gate) {
            GATES.add(gate);
            return "open";
        }

        @RequestMapping("/flood/{count}")
        public String flood(@PathVariable("count") int count) {
            StringBuilder text = new StringBuilder();
            while (text.length() < 1000) text.append('x');
            long began = System.nanoTime();
            for (int number = 0; number < count; number++) LOG.info("flood {} {}", number, text);
            return Long.toString((System.nanoTime() - began) / 1000 / count);
        }
    }

    public static void main(String[] args) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[0]);
        tomcat.setPort(0);
        Context context = tomcat.addContext("", new File(args[0]).getAbsolutePath());
        StaticWebApplicationContext beans = new StaticWebApplicationContext();
        beans.registerSingleton("work", Work.class);
        beans.registerSingleton("mapping", RequestMappingHandlerMapping.class);
        beans.registerSingleton("adapter", RequestMappingHandlerAdapter.class);
        Wrapper servlet = Tomcat.addServlet(context, "spring", new DispatcherServlet(beans));
        servlet.setAsyncSupported(true);
        servlet.setLoadOnStartup(1);
        context.addServletMappingDecoded("/", "spring");
        FilterDef filter = new FilterDef();
        filter.setFilterName("codechat");
        filter.setFilter(new CodechatFilter());
        filter.setAsyncSupported("true");
        context.addFilterDef(filter);
        FilterMap map = new FilterMap();
        map.setFilterName("codechat");
        map.addURLPattern("/*");
        context.addFilterMap(map);
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.start();
        System.out.println("listening on " + tomcat.getConnector().getLocalPort());
        tomcat.getServer().await();
    }
}
