package codechat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"net/http"
	"os"
	"time"
)

var (
	pause  = time.Second
	sender = &http.Client{Timeout: 5 * time.Second, CheckRedirect: stay}
)

// stay keeps the ID from any other server.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func send(c *client, batch []message) {
	if c.isAway() {
		c.dropped.Add(int64(len(batch)))
		return
	}
	lost := c.dropped.Load()
	body := new(bytes.Buffer)
	if lost > 0 {
		fmt.Fprintf(body, `{"message":"%d messages dropped by the application","level":"warn"}`+"\n", lost)
	}
	for _, m := range batch {
		json.NewEncoder(body).Encode(m)
	}
	key, status := fmt.Sprintf("%x", rand.Uint64()), 0
	for tries := 0; tries < 2 && status == 0; tries++ { // the key keeps messages from coming twice
		status = post(c, body.Bytes(), key)
	}
	if status == 202 {
		c.dropped.Add(-lost)
		pause, c.pause = time.Second, 2*time.Second
		return
	}
	c.dropped.Add(int64(len(batch)))
	switch status {
	case 401, 403:
		awayUntil.Store(math.MaxInt64)
		fmt.Fprintln(os.Stderr, "codechat: nothing is published, since the server answers", status)
	case 404: // nobody watches, or not yet again
		c.awayUntil.Store(int64(time.Since(start) + c.pause))
		c.pause = min(30*time.Second, 2*c.pause)
	case 400, 413: // which are about these messages
	default:
		awayUntil.Store(int64(time.Since(start) + pause))
		pause = min(30*time.Second, 2*pause)
	}
}

func post(c *client, body []byte, key string) (status int) {
	request, err := http.NewRequest("POST", server+"/api/v1/sse/debug", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	request.Header = http.Header{"Sse-Client-Id": {c.id}, "Content-Type": {"application/x-ndjson"}}
	request.Header.Set("Idempotency-Key", key)
	if token := os.Getenv("CODECHAT_TOKEN"); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := sender.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	answer := new(asked)
	if response.StatusCode == 202 && json.NewDecoder(response.Body).Decode(answer) == nil {
		c.asked.Store(answer)
	}
	return response.StatusCode
}
