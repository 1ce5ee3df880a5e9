//! A browser that prefetches gets no client ID and stops none, since the page may never be shown.

use crate::support::{http::stream_of, server::Server};

#[tokio::test]
async fn a_prefetch_opens_no_client_and_reads_one_that_is_there() {
    let server = Server::start().await;
    let unknown = stream_of("3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b");
    for header in [
        "Sec-Purpose: prefetch",
        "Sec-Purpose: prefetch;anonymous-client-ip",
        "Sec-Purpose: prefetch;prerender",
        "Purpose: Prefetch",
        "X-Moz: prefetch",
    ] {
        for target in ["/api/v1/sse/connect", &unknown] {
            server
                .request("GET", target, &[header], "")
                .await
                .detail(403);
        }
    }
    assert_eq!(server.hub.stats().channels, 0);
    let id = server.connect().await;
    let known = server
        .stream(&stream_of(&id), &["Sec-Purpose: prefetch"])
        .await;
    assert_eq!(known.head.status, 200);
    let stop = format!("/api/v1/sse/debug/stop/{id}");
    // Opened and dropped, it would report a lost publisher of the operation.
    let control = format!("/api/v1/sse/debug/control/{id}?operation=build");
    for header in ["Sec-Purpose: prefetch", "Purpose: prefetch"] {
        for target in [&stop, &control] {
            let refused = server.request("GET", target, &[header], "").await;
            refused.detail(403);
        }
    }
    assert_eq!(server.hub.stats().channels, 1, "it was not stopped");
    let other = ["Sec-Purpose: something"];
    let answer = server
        .request("GET", "/api/v1/sse/connect", &other, "")
        .await;
    assert_eq!(answer.status, 200);
}
