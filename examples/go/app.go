// Answers GET /refresh on port 8000 and publishes what it does to the client in the header Sse-Client-ID.
package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

var client = &http.Client{Timeout: 2 * time.Second}

func publish(id, text string) {
	if id == "" {
		return
	}
	request, _ := http.NewRequest("POST", "http://127.0.0.1:2428/api/v1/sse/debug", strings.NewReader(text))
	request.Header.Set("Sse-Client-ID", id)
	if response, err := client.Do(request); err == nil { // without a watcher, the work goes on
		response.Body.Close()
	}
}

func main() {
	http.HandleFunc("/refresh", func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Sse-Client-ID")
		publish(id, "Refreshing repository demo")
		publish(id, "Refresh finished")
		w.WriteHeader(http.StatusNoContent)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:8000")
	if err != nil {
		panic(err)
	}
	fmt.Println("listening on http://127.0.0.1:8000")
	panic(http.Serve(listener, nil))
}
