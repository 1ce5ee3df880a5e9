import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.*;
import ch.qos.logback.classic.turbo.TurboFilter;
import ch.qos.logback.core.AppenderBase;
import ch.qos.logback.core.spi.FilterReply;
import java.util.Locale;
import org.slf4j.MDC;
import org.slf4j.Marker;

/** Sends what Logback logs during an operation to its watcher. It needs no AsyncAppender, since it never waits. */
public final class CodechatAppender extends AppenderBase<ILoggingEvent> {
    @Override protected void append(ILoggingEvent event) {
        CodechatOperation operation = Codechat.of(event.getMDCPropertyMap().get("codechat"));
        if (operation == null) return;
        if (!event.getLevel().isGreaterOrEqual(Level.toLevel(operation.client.level, Level.ALL))) return;
        String more = null;
        Object[] arguments = event.getArgumentArray();
        for (Object it : arguments == null ? new Object[0] : arguments) {
            if (it instanceof Codechat.Progress) more = "\"progress\":" + ((Codechat.Progress) it).json;
        }
        IThrowableProxy thrown = event.getThrowableProxy();
        String text = event.getFormattedMessage() + (thrown == null ? "" : "\n" + ThrowableProxyUtil.asString(thrown));
        operation.send(text, event.getLevel().toString().toLowerCase(Locale.ROOT), event.getLoggerName(), more);
    }

    /** Logs more during an operation while its watcher asks for it; other appenders need a ThresholdFilter. */
    public static final class Detail extends TurboFilter {
        @Override public FilterReply decide(
                Marker marker, Logger logger, Level level, String format, Object[] arguments, Throwable thrown) {
            CodechatOperation operation = Codechat.of(MDC.get("codechat"));
            boolean isAsked = operation != null && operation.client.level != null;
            boolean isWanted = isAsked && level.isGreaterOrEqual(Level.toLevel(operation.client.level, Level.OFF));
            return isWanted ? FilterReply.ACCEPT : FilterReply.NEUTRAL;
        }
    }
}
