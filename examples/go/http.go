package codechat

import (
	"net/http"
	"strconv"
	"strings"
)

type writer struct { // knows the status of an answer
	http.ResponseWriter
	status int
}

func (w *writer) WriteHeader(status int) {
	if status >= 200 && w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Flush()                      { http.NewResponseController(w.ResponseWriter).Flush() }
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Middleware makes each request an operation if it has a client ID.
func Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.Join(r.Header.Values("Sse-Client-ID"), ",")
		ctx, end := Begin(r.Context(), r.Method+" "+r.URL.EscapedPath(), id)
		seen, outcome, text := &writer{w, 0}, "failed", "panic"
		defer func() { end(outcome, text) }() // without recover, which would cost the panic's stack
		next.ServeHTTP(seen, r.WithContext(ctx))
		text = strconv.Itoa(max(200, seen.status))
		if r.Context().Err() != nil {
			outcome = "cancelled"
		} else if seen.status < 400 {
			outcome = "ok"
		}
	})
}
