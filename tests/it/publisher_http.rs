//! An application publishes to a server, which may be unreachable, slow, new or refuse.

mod answers;

use std::net::SocketAddr;

use codechat::{
    Access, Cancel, Change, ClientId, ControlRequest, Feed, Format, HttpOptions, Hub, Level,
    Limits, Message, Outcome, Publisher, ServerOptions, SubscribeOptions, Token, Update, serve,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::support::{
    PATIENCE, becomes,
    feed::{client, texts, until},
    http::Http,
    port::Port,
    server::Server,
    soon,
};

fn publisher(url: &str) -> Publisher {
    Publisher::http(url.parse().unwrap(), HttpOptions::new()).unwrap()
}

fn watch(url: &str, id: ClientId) -> Feed {
    let options = SubscribeOptions::new().format(Format::Json);
    client(url).subscribe(id, options)
}

fn says(wanted: &str) -> impl Fn(&Update) -> bool {
    move |it| matches!(it, Update::Message(it) if it.message.text == wanted)
}

async fn flush(publisher: &Publisher) {
    publisher.flush(PATIENCE).await.unwrap();
}

fn url(http: &Http) -> String {
    format!("http://{}", http.address)
}

/// A server at this address, until it is dropped.
struct At {
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

async fn server_at(address: SocketAddr) -> At {
    let listener = TcpListener::bind(address).await.unwrap();
    let (stop, stopped) = oneshot::channel();
    let hub = Hub::new(Limits::default());
    let shutdown = async {
        let _ = stopped.await;
    };
    let serving = serve(
        vec![listener],
        hub,
        ServerOptions::new(Access::open()),
        shutdown,
    );
    At {
        stop,
        served: tokio::spawn(serving),
    }
}

impl At {
    async fn down(self) {
        drop(self.stop);
        soon(self.served).await.unwrap();
    }
}

async fn id(server: &Server) -> ClientId {
    server.connect().await.parse().unwrap()
}

#[tokio::test]
async fn messages_arrive_in_order_with_all_their_fields() {
    let server = Server::start().await;
    let id = id(&server).await;
    let publisher = publisher(&url(&server));
    let scope = publisher.scope(id);
    let import = scope.operation("import").unit("files");
    import.progress(1, Some(2));
    scope.send(Message::text("with a field").field("a", 1));
    for number in 0..3000 {
        import.scope().info(number);
    }
    import.finish(Outcome::Ok);
    flush(&publisher).await;
    let stats = publisher.stats();
    let total = stats.accepted + stats.dropped;
    assert_eq!((total, stats.pending, stats.away), (3004, 0, None));
    let is_end = |it: &Update| matches!(it, Update::Message(it) if it.message.outcome.is_some());
    let seen = until(&mut watch(&url(&server), id), is_end).await;
    let mut last = None;
    for number in texts(&seen).iter().filter_map(|it| it.parse::<u32>().ok()) {
        assert!(last < Some(number), "{number} comes after {last:?}");
        last = Some(number);
    }
    let Some(Update::Message(end)) = seen.last() else {
        panic!("no end");
    };
    assert_eq!(
        end.message
            .operation
            .as_ref()
            .map(codechat::Operation::as_str),
        Some("import")
    );
    assert_eq!(last, Some(2999));
}

#[tokio::test]
async fn a_quiet_operation_gets_a_watchers_requests() {
    let server = Server::start().await;
    let id = id(&server).await;
    let scope = publisher(&url(&server)).scope(id);
    let import = scope.operation("import");
    let cancelled = scope.cancelled();
    let watcher = client(&url(&server));
    let asks = ControlRequest::new()
        .level(Change::Set(Level::Debug))
        .cancel(Change::Set(Cancel::new()));
    assert!(!scope.wants(Level::Debug));
    watcher.request_control(id, &asks).await.unwrap();
    soon(cancelled.cancelled()).await;
    assert!(becomes(|| scope.wants(Level::Debug)).await);
    assert!(import.is_cancelled());
}

#[tokio::test]
async fn a_later_scope_gets_earlier_requests() {
    let server = Server::start().await;
    let id = id(&server).await;
    let publisher = publisher(&url(&server));
    let first = publisher.scope(id);
    let asks = ControlRequest::new().level(Change::Set(Level::Debug));
    let watcher = client(&url(&server));
    watcher.request_control(id, &asks).await.unwrap();
    first.info("its answer says what is asked for");
    assert!(becomes(|| first.wants(Level::Debug)).await);
    assert!(publisher.scope(id).wants(Level::Debug));
}

#[tokio::test]
async fn messages_published_during_an_outage_arrive_after_it() {
    let port = Port::keep();
    let publisher = publisher(&port.url());
    let id = ClientId::random();
    let scope = publisher.scope(id);
    scope.info("first");
    assert!(becomes(|| publisher.stats().away.is_some()).await);
    for number in 0..2000 {
        scope.info(number);
    }
    scope.send(Message::text("last").outcome(Outcome::Ok));
    let _server = server_at(port.address).await;
    let seen = until(&mut watch(&port.url(), id), says("last")).await;
    let seen = texts(&seen);
    // One message is being sent, and 1,023 more have room.
    let dropped = "978 messages dropped by the application";
    assert!(seen.contains(&"first"), "{seen:?}");
    assert!(seen.contains(&dropped), "{seen:?}");
    flush(&publisher).await;
    let stats = publisher.stats();
    let kept = (stats.accepted, stats.dropped, stats.away);
    assert_eq!(kept, (1024, 978, None));
}

#[tokio::test]
async fn a_restarted_server_gets_the_messages_once_the_watcher_is_back() {
    let port = Port::keep();
    let publisher = publisher(&port.url());
    let id = ClientId::random();
    let scope = publisher.scope(id);
    let server = server_at(port.address).await;
    let mut before = watch(&port.url(), id);
    until(&mut before, |it| matches!(it, Update::Connected { .. })).await;
    scope.info("before");
    until(&mut before, says("before")).await;
    drop(before);
    server.down().await;
    let _server = server_at(port.address).await;
    scope.info("between");
    assert!(becomes(|| publisher.stats().pending == 1).await);
    until(&mut watch(&port.url(), id), says("between")).await;
}

#[tokio::test]
async fn an_unknown_client_costs_nothing_until_it_is_checked_again() {
    let server = Server::start().await;
    let publisher = publisher(&url(&server));
    let id = ClientId::random();
    let scope = publisher.scope(id);
    scope.info("to nobody");
    assert!(becomes(|| !scope.wants(Level::Error)).await);
    assert_eq!(
        (publisher.stats().dropped, publisher.stats().pending),
        (1, 0)
    );
    let mut feed = watch(&url(&server), id);
    until(&mut feed, |it| matches!(it, Update::Connected { .. })).await;
    assert!(becomes(|| scope.wants(Level::Info)).await);
    scope.info("to somebody");
    until(&mut feed, says("to somebody")).await;
}

#[tokio::test]
async fn a_wrong_token_ends_publishing() {
    let server =
        Server::with(|_, options| options.access = Access::token(Token::new("right"))).await;
    let options = HttpOptions::new().token(Token::new("wrong"));
    let publisher = Publisher::http(url(&server).parse().unwrap(), options).unwrap();
    let scope = publisher.scope(ClientId::random());
    scope.info("refused");
    assert!(becomes(|| !scope.wants(Level::Error)).await);
    publisher
        .scope(ClientId::random())
        .error("not even asked for");
    assert_eq!(publisher.stats().pending, 0);
    assert_eq!(server.hub.stats().published, 0);
}

#[tokio::test]
async fn a_message_that_is_refused_affects_no_other() {
    let server = Server::with(|_, options| options.max_message = 100).await;
    let id = id(&server).await;
    let publisher = publisher(&url(&server));
    let scope = publisher.scope(id);
    for text in ["a", "b", &"c".repeat(1000), "d", &"e".repeat(1000)] {
        scope.info(text);
    }
    flush(&publisher).await;
    let stats = publisher.stats();
    assert_eq!((stats.accepted, stats.dropped), (3, 2));
    scope.info("f");
    let seen = until(&mut watch(&url(&server), id), says("f")).await;
    let mut texts = texts(&seen);
    let counts = texts
        .iter()
        .filter_map(|it| it.split_once(" message")?.0.parse::<u64>().ok());
    assert_eq!(counts.sum::<u64>(), 2, "{texts:?}");
    texts.retain(|it| it.len() == 1);
    assert_eq!(texts, ["a", "b", "d", "f"]);
}

#[tokio::test]
async fn a_slow_watcher_misses_only_what_did_not_fit_into_the_queue() {
    const LINES: usize = 20_000;
    let server = Server::start().await;
    let id = id(&server).await;
    let publisher = publisher(&url(&server));
    let scope = publisher.scope(id);
    // It is not read, so that the server soon holds requests back.
    let mut feed = watch(&url(&server), id);
    server.stats(|it| it.subscribers == 1).await;
    for line in 0..LINES {
        scope.info(format_args!("{line} {}", "x".repeat(1000)));
    }
    scope.send(Message::text("last").outcome(Outcome::Ok));
    let seen = until(&mut feed, says("last")).await;
    let is_gap = |it: &Update| matches!(it, Update::Gap(_));
    assert!(!seen.iter().any(is_gap), "accepted messages are shown");
    let shown = texts(&seen).iter().filter(|it| it.len() > 1000).count();
    flush(&publisher).await;
    let dropped = usize::try_from(publisher.stats().dropped).unwrap();
    assert!(dropped > 0, "{shown}");
    assert_eq!(shown + dropped, LINES);
}

#[tokio::test]
async fn a_cancel_does_not_affect_the_next_operation() {
    let server = Server::start().await;
    let id = id(&server).await;
    let publisher = publisher(&url(&server));
    let scope = publisher.scope(id);
    let import = scope.operation("import");
    let asks = ControlRequest::new().cancel(Change::Set(Cancel::new()));
    let watcher = client(&url(&server));
    watcher.request_control(id, &asks).await.unwrap();
    soon(scope.cancelled().cancelled()).await;
    drop(import);
    let next = scope.operation("import");
    assert!(!next.is_cancelled() && !scope.cancelled().is_cancelled());
    flush(&publisher).await;
    watcher.request_control(id, &asks).await.unwrap();
    soon(scope.cancelled().cancelled()).await;
    assert!(next.is_cancelled());
}
