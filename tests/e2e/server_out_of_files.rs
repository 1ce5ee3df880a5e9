//! A server that cannot open more files serves the connections that it has, and recovers.

use crate::support::{
    http::{Connection, Http},
    process::{CODECHAT, Running, Serve, clean},
};

#[tokio::test]
async fn a_server_out_of_files_serves_its_open_connections_and_recovers() {
    const FILES: usize = 40;
    let script = format!("ulimit -n {FILES}; exec \"$0\" serve --listen 127.0.0.1:0");
    let mut shell = clean("sh");
    shell.args(["-c", &script, CODECHAT]);
    let mut server = Serve::of(Running::start(&mut shell)).await;
    let http: Http = server.http;
    let id = http.connect().await;
    let mut stream = http.watch(&id).await;
    let mut publisher = http.publisher(&id, &[]).await;

    let mut crowd = Vec::new();
    for _ in 0..FILES {
        crowd.push(Connection::open(http.address).await);
    }
    server
        .process
        .says("cannot accept connections for now")
        .await;
    publisher.say_chunk("\"in the crowd\"\n").await;
    assert_eq!(stream.event().await.data, "in the crowd");
    drop(crowd);
    server.process.says("accepting connections again").await;
    http.publish(&id, "after it").await;
    assert_eq!(stream.event().await.data, "after it");
}
