//! No request from a saved corpus breaks the server.

use crate::support::{
    fuzz_inputs::{inputs, with_each},
    fuzz_request::request,
    process::Serve,
};

#[tokio::test]
async fn no_request_breaks_the_server() {
    for more in [&[][..], &["--plain-streams"]] {
        let patience = ["--header-timeout", "1s", "--body-timeout", "1s"];
        let server = Serve::start(&[&patience, more].concat()).await;
        let http = server.http;
        let bystander = http.connect().await;
        let mut stream = http.watch(&bystander).await;
        let id = &http.connect().await;
        with_each(inputs("requests", 600), |input| async move {
            request(http, id, &input).await;
        })
        .await;
        http.publish(&bystander, "its own").await;
        let mut next = stream.event().await;
        while next.data != "its own" {
            // An input may request a broadcast.
            assert_eq!(next.name, "debug");
            next = stream.event().await;
        }
        drop(stream);
        server.process.signal("TERM").await;
        let ended = server.process.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}
