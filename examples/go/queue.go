// Package codechat publishes what a watched request logs to its watcher. It needs Go 1.21, and nothing else.
// Environment: CODECHAT_SERVER, a URL; CODECHAT_TOKEN; CODECHAT_PUBLISH=off.
package codechat

import (
	"math"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

type message = map[string]any
type item struct {
	client  *client
	message message
}

var (
	start     = time.Now()
	server    = strings.TrimRight(os.Getenv("CODECHAT_SERVER"), "/")
	queue     = make(chan item, 2000)
	pending   atomic.Int64 // messages that are in the queue or on their way
	awayUntil atomic.Int64 // since start, as a time.Duration
)

func push(c *client, m message) {
	// The end of an operation has room of its own: without it, the operation would run on for ever on screen.
	isFull := len(queue) >= 1000 && m["outcome"] == nil
	if !isFull && !c.isAway() {
		pending.Add(1)
		select {
		case queue <- item{c, m}:
			return
		default:
			pending.Add(-1)
		}
	}
	c.dropped.Add(1)
}

func (c *client) isAway() bool {
	return int64(time.Since(start)) < max(awayUntil.Load(), c.awayUntil.Load())
}

// Flush waits until all is published, 2 s at most. Call it before main returns.
func Flush() {
	for end := time.Now().Add(2 * time.Second); pending.Load() > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

func init() {
	if server == "" {
		server = "http://127.0.0.1:2428"
	}
	if os.Getenv("CODECHAT_PUBLISH") == "off" {
		awayUntil.Store(math.MaxInt64)
	}
	go func() {
		for it := range queue {
			var order []*client
			batches := map[*client][]message{}
			for taken := 1; ; taken++ {
				if batches[it.client] == nil {
					order = append(order, it.client)
				}
				batches[it.client] = append(batches[it.client], it.message)
				if taken == 500 || len(queue) == 0 {
					break
				}
				it = <-queue
			}
			for _, c := range order {
				send(c, batches[c])
				pending.Add(-int64(len(batches[c])))
			}
		}
	}()
}
