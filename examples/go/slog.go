package codechat

import (
	"context"
	"log/slog"
	"maps"
)

// Handler sends what is logged with the context of an operation to its watcher. Next gets what it would get without.
// slog.Info has no context: use slog.InfoContext.
type Handler struct {
	Next   slog.Handler
	prefix string
	fields map[string]any
}

func (h Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.isAsked(ctx, level) || h.Next.Enabled(ctx, level)
}

// isAsked tells whether a watcher asks for this level, or for none and it is what Next takes.
func (h Handler) isAsked(ctx context.Context, level slog.Level) bool {
	o, _ := ctx.Value(key{}).(*operation)
	if o == nil {
		return false
	}
	least, isAsked := levels[o.client.asked.Load().Level]
	return isAsked && level >= least || !isAsked && h.Next.Enabled(ctx, level)
}

func (h Handler) Handle(ctx context.Context, record slog.Record) error {
	if h.isAsked(ctx, record.Level) {
		m := message{"level": word(record.Level)}
		fields := maps.Clone(h.fields)
		record.Attrs(func(a slog.Attr) bool {
			fields = h.with(fields, a)
			return true
		})
		if progress, ok := fields["progress"].(map[string]any); ok {
			m["progress"] = progress
			delete(fields, "progress")
		}
		m["fields"] = fields
		ctx.Value(key{}).(*operation).send(record.Message, m)
	}
	if h.Next.Enabled(ctx, record.Level) {
		return h.Next.Handle(ctx, record)
	}
	return nil
}

func (h Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return Handler{h.Next.WithAttrs(attrs), h.prefix, h.with(maps.Clone(h.fields), attrs...)}
}

func (h Handler) WithGroup(name string) slog.Handler {
	return Handler{h.Next.WithGroup(name), h.prefix + name + ".", h.fields}
}

func (h Handler) with(fields map[string]any, attrs ...slog.Attr) map[string]any {
	if fields == nil {
		fields = map[string]any{}
	}
	for _, a := range attrs {
		fields[h.prefix+a.Key] = value(a.Value.Resolve())
	}
	return fields
}
