// net/http with slog. Prints its port.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"application/codechat"
)

// console writes the text of each record of level info.
type console struct{}

func (console) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (c console) WithAttrs([]slog.Attr) slog.Handler             { return c }
func (c console) WithGroup(string) slog.Handler                  { return c }
func (console) Handle(_ context.Context, record slog.Record) error {
	_, err := fmt.Printf("%.80s\n", record.Message)
	return err
}

var gates sync.Map

func refresh(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	log := slog.With("name", name).WithGroup("refresh")
	log.InfoContext(r.Context(), "Refreshing "+name)
	for file := 1; file <= 3; file++ {
		progress := slog.Group("progress", "current", file, "total", 3)
		slog.InfoContext(r.Context(), fmt.Sprintf("File %d of %s", file, name), progress)
	}
	log.DebugContext(r.Context(), "Detail of "+name)
	log.WarnContext(r.Context(), "Refreshed "+name, "error", errors.New("none"))
	fmt.Fprint(w, "refreshed "+name)
}

func broken(w http.ResponseWriter, r *http.Request) {
	slog.InfoContext(r.Context(), "before it breaks")
	panic("disk full")
}

// recoverer answers 500 after a panic, as frameworks do.
func recoverer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if reason := recover(); reason != nil {
				slog.ErrorContext(r.Context(), fmt.Sprint("panic: ", reason))
				http.Error(w, "", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func pool(w http.ResponseWriter, r *http.Request) {
	slog.InfoContext(r.Context(), "in the handler")
	done := make(chan struct{})
	go func() {
		slog.InfoContext(r.Context(), "in the pool")
		close(done)
	}()
	<-done
	fmt.Fprint(w, "done")
}

func streamed(w http.ResponseWriter, r *http.Request) {
	for _, piece := range []string{"a", "b", "c"} {
		slog.InfoContext(r.Context(), "piece "+piece)
		fmt.Fprint(w, piece)
		w.(http.Flusher).Flush()
	}
}

func ticks(w http.ResponseWriter, r *http.Request) {
	gate := r.PathValue("gate")
	for number := 1; ; number++ {
		if _, isOpen := gates.Load(gate); isOpen {
			return
		}
		slog.InfoContext(r.Context(), fmt.Sprintf("tick %d of %s", number, gate))
		slog.DebugContext(r.Context(), fmt.Sprintf("detail %d of %s", number, gate))
		if codechat.Cancelled(r.Context()) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func flood(w http.ResponseWriter, r *http.Request) {
	text := strings.Repeat("x", 1000)
	count, _ := strconv.Atoi(r.PathValue("count"))
	began := time.Now()
	for number := 0; number < count; number++ {
		slog.InfoContext(r.Context(), fmt.Sprintf("flood %d %s", number, text))
	}
	fmt.Fprint(w, time.Since(began).Microseconds()/int64(count))
}

func main() {
	slog.SetDefault(slog.New(codechat.Handler{Next: console{}}))
	routes := http.NewServeMux()
	routes.HandleFunc("GET /refresh/{name}", refresh)
	routes.HandleFunc("GET /broken", broken)
	routes.HandleFunc("GET /pool", pool)
	routes.HandleFunc("GET /streamed", streamed)
	routes.HandleFunc("GET /ticks/{gate}", ticks)
	routes.HandleFunc("GET /flood/{count}", flood)
	routes.HandleFunc("GET /open/{gate}", func(_ http.ResponseWriter, r *http.Request) {
		gates.Store(r.PathValue("gate"), true)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("listening on", listener.Addr().(*net.TCPAddr).Port)
	go http.Serve(listener, codechat.Middleware(recoverer(routes)))
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	codechat.Flush()
}
