#!/bin/sh
# Publishes each step to the client in SSE_CLIENT_ID. Without a watcher or a server, it does its work all the same.

publish() {
  [ -n "$SSE_CLIENT_ID" ] || return 0
  curl -s -m 2 -o /dev/null -H "Sse-Client-ID: $SSE_CLIENT_ID" --data-raw "$1" \
    "${CODECHAT_PUBLISH_URL:-http://127.0.0.1:2428/api/v1/sse/debug}" || true
}

publish 'Refreshing repository demo'
publish 'Refresh finished'
