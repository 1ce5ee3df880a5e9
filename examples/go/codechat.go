package codechat

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	uuid4   = regexp.MustCompile("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
	control = regexp.MustCompile(`\pC`)
	mutex   sync.Mutex
	clients = map[string]*client{} // guarded by the mutex
)

type asked struct {
	Level, Operation string
	Cancel           bool
}
type client struct { // what is known of a client ID
	id                 string
	dropped, awayUntil atomic.Int64
	asked              atomic.Pointer[asked]
	pause              time.Duration // of the publisher alone
}
type operation struct {
	client *client
	name   string
}
type key struct{} // of the operation in a context

// Begin begins an operation, to which all belongs that has the context. Without a valid client ID, it does nothing.
func Begin(ctx context.Context, name, id string) (_ context.Context, end func(outcome, text string)) {
	id = strings.ToLower(id)
	if !uuid4.MatchString(id) {
		return ctx, func(string, string) {}
	}
	mutex.Lock()
	defer mutex.Unlock()
	for other := range clients {
		if len(clients) < 1000 {
			break
		}
		delete(clients, other)
	}
	if clients[id] == nil {
		clients[id] = &client{id: id, pause: 2 * time.Second}
		clients[id].asked.Store(&asked{})
	}
	o := &operation{clients[id], cut(control.ReplaceAllString(name, " "), 128)}
	o.send(name, message{"level": "info"})
	began := time.Now()
	return context.WithValue(ctx, key{}, o), func(outcome, text string) {
		if outcome == "failed" && o.isCancelled() {
			outcome = "cancelled"
		}
		o.send(fmt.Sprintf("%s in %.1f s", text, time.Since(began).Seconds()), message{"outcome": outcome})
	}
}

// Cancelled tells whether a watcher asks the operation of the context to stop.
func Cancelled(ctx context.Context) bool {
	o, _ := ctx.Value(key{}).(*operation)
	return o != nil && o.isCancelled()
}

func (o *operation) isCancelled() bool {
	asked := o.client.asked.Load()
	return asked.Cancel && (asked.Operation == "" || asked.Operation == o.name)
}

func (o *operation) send(text string, m message) {
	m["message"], m["operation"] = cut(text, 16_000), o.name // the server takes 64 KiB
	push(o.client, m)
}
