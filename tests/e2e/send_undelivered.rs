//! Lines that `codechat send` cannot deliver are counted, and given up in time.

use codechat::internal::event::ClientId;

use crate::support::{
    port::Port,
    process::{Running, Serve},
    scripted::{Reply, Scripted},
};

#[tokio::test]
async fn undelivered_lines_are_counted_and_an_error() {
    let server = Serve::start(&[]).await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let ended = server.send(unknown, &["words"]).end().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("no client with this ID"), "{ended:?}");
    let mut sender = server.send(unknown, &[]);
    sender.write("1\n2\n3\n").await;
    let ended = sender.end().await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("3 lines were read but not delivered"),
        "{ended:?}"
    );

    let nobody = Port::keep();
    let url = nobody.url();
    let ended = Running::codechat(["send", "--server", &url, "--id", unknown, "x"])
        .end()
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains(&format!("nothing answers at {url}")),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_line_that_cannot_be_sent_yet_is_counted_when_interrupted() {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let mut sender = server.send(&id, &[]);
    sender.write("delivered\n").await;
    assert_eq!(watcher.line().await, "delivered\n");
    server.process.signal("KILL").await;
    sender.write("kept\n").await;
    sender.says("not delivered yet (").await;
    sender.signal("INT").await;
    let ended = sender.end().await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .stderr
            .contains("1 line was read but not delivered: interrupted"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn every_line_that_was_read_is_counted_if_none_can_be_sent() {
    const READ: usize = 20;
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    let mut sender = server.send(&id, &["--tee"]);
    sender.write("delivered\n").await;
    assert_eq!(sender.line().await, "delivered\n");
    let mut stream = server.http.watch(&id).await;
    assert_eq!(stream.event().await.data, "delivered");
    server.process.signal("KILL").await;
    for number in 0..READ {
        let line = format!("{number}\n");
        sender.write(&line).await;
        assert_eq!(sender.line().await, line, "its copy says that it was read");
        if number == 0 {
            sender.says("not delivered yet (").await;
        }
    }
    sender.signal("INT").await;
    let ended = sender.end().await;
    assert_eq!(ended.code, Some(1));
    let counted = format!("{READ} lines were read but not delivered: interrupted");
    assert!(ended.stderr.contains(&counted), "{ended:?}");
}

/// Starts a server, and a sender that has delivered a line and gives up at the first failure after its input's
/// end.
async fn sender_without_patience() -> (Serve, Running) {
    let server = Serve::start(&[]).await;
    let (mut watcher, id) = server.watch(&[]).await;
    let mut sender = server.send(&id, &["--give-up-after", "1ms"]);
    sender.write("delivered\n").await;
    assert_eq!(watcher.line().await, "delivered\n");
    (server, sender)
}

#[tokio::test]
async fn after_the_inputs_end_undelivered_lines_are_given_up_and_counted() {
    let (server, mut sender) = sender_without_patience().await;
    server.process.signal("KILL").await;
    sender.write("one\ntwo\n").await;
    sender.says("not delivered yet (").await;
    let ended = sender.end().await;
    assert_eq!(ended.code, Some(1));
    let counted = "2 lines were read but not delivered: the server accepted nothing for 1ms: ";
    assert!(ended.stderr.contains(counted), "{ended:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_too() {
    let (server, mut sender) = sender_without_patience().await;
    server.process.pause().await;
    sender.write("kept\n").await;
    let ended = sender.end().await;
    assert_eq!(ended.code, Some(1));
    let counted =
        "1 line was read but not delivered: the server accepted nothing for 1ms: no answer";
    assert!(ended.stderr.contains(counted), "{ended:?}");
}

#[tokio::test]
async fn a_cancelled_sender_gives_up_though_its_stdin_stays_open() {
    let cancel =
        r#"{"id":"1-9","accepted":1,"subscribers":1,"level":null,"cancel":true,"operation":null}"#;
    let json = ["Content-Type: application/json"];
    let cancelled = Reply::answer("202 Accepted", &json, cancel);
    let server = Scripted::start([cancelled, Reply::raw(""), Reply::raw("")]).await;
    let id = ClientId::random().to_string();
    let give_up = ["--give-up-after", "1ms"];
    let to = ["send", "--id", &id, "--server", &server.url];
    let mut sender = Running::codechat([&to[..], &give_up].concat());
    sender.write("delivered\n").await;
    sender.says("a watcher asked to cancel").await;
    sender.says("the server accepted nothing for 1ms").await;
}

#[tokio::test]
async fn the_end_of_a_producer_is_noticed_before_its_output_is_read() {
    /// More than is read while nothing can be sent, and more than a pipe holds.
    const FLOOD: usize = 4 << 20;
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    let mut sender = server.send(&id, &["--tee", "--give-up-after", "1ms"]);
    sender.write("delivered\n").await;
    assert_eq!(sender.line().await, "delivered\n");
    let mut stream = server.http.watch(&id).await;
    assert_eq!(stream.event().await.data, "delivered");
    server.process.signal("KILL").await;
    let line = format!("{}\n", "x".repeat(1023));
    let flood = line.repeat(FLOOD / line.len());
    sender.flood(&flood, "not delivered yet (").await;
    let ended = sender.end().await;
    assert_eq!(ended.code, Some(1));
    let copied = ended.stdout.lines().count();
    assert!((1..FLOOD / line.len()).contains(&copied), "{copied}");
    let counted =
        format!("{copied} lines were read but not delivered: the server accepted nothing");
    assert!(ended.stderr.contains(&counted), "{}", ended.stderr);
}
