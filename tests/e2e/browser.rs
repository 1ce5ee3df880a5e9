//! A browser's own `EventSource` understands the stream: it shows events, resumes, and stops.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

use codechat::internal::server::ServerOptions;

use crate::support::{
    cutter::Cutter,
    http::stream_of,
    process::{Running, Scratch, clean},
    program::are_here,
    server::Server,
    soon,
    tls::tls,
};

const CHROMIUM: &str = "chromium";
const SWITCHES: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Otherwise it may end when the page is loaded.
    "--remote-debugging-port=0",
    // The test's certificate is signed by an unknown authority.
    "--ignore-certificate-errors",
];

#[tokio::test]
async fn an_event_source_shows_resumes_and_stops() {
    if !are_here(&[CHROMIUM]) {
        return;
    }
    let (listener, server) = page_and_server(|_| {}).await;
    let id = server.connect().await;
    // Cut in the middle of the second message.
    let cutter = Cutter::start(server.address, vec![900]).await;
    let stream = format!("{}{}", cutter.url, stream_of(&id));
    let mut page = Page::serve(listener, PAGE.replace("STREAM", &stream));
    let _browser = Browser::open(&page.url);

    assert_eq!(page.seen().await, "open");
    assert_eq!(
        page.seen().await,
        "debug 0 Starting server communication..."
    );
    let long = "x".repeat(200);
    let texts: Vec<_> = (1..=5).map(|number| format!("{number}\n{long}")).collect();
    for text in &texts {
        server.publish(&id, text).await;
    }
    let mut seen = Vec::new();
    while seen
        .last()
        .is_none_or(|it: &String| !it.starts_with("debug 5 "))
    {
        seen.push(page.seen().await);
    }
    let is_message = |it: &&String| it.starts_with("debug");
    let messages: Vec<_> = seen.iter().filter(is_message).cloned().collect();
    let expected: Vec<_> = (1..)
        .zip(&texts)
        .map(|(seq, it)| format!("debug {seq} {it}"))
        .collect();
    assert_eq!(messages, expected);
    let others: Vec<_> = seen.iter().filter(|it| !is_message(it)).collect();
    assert_eq!(
        others,
        ["error: connecting", "open"],
        "it was cut once and reconnected"
    );

    server.stop(&id).await;
    assert_eq!(page.seen().await, "end 5 stopped");
    assert_eq!(page.seen().await, "error: connecting");
    assert_eq!(page.seen().await, "error: closed", "204 is the end");
}

/// The number of open streams; over HTTP/1.1 a browser opens only six connections to a server.
const STREAMS: usize = 8;

#[tokio::test]
async fn over_https_a_page_can_publish_beside_many_open_streams() {
    if !are_here(&[CHROMIUM]) {
        return;
    }
    let (listener, server) = page_and_server(|options| options.tls = Some(tls())).await;
    let id = server.hub.connect().unwrap().to_string();
    let stream = format!("https://{}{}", server.address, stream_of(&id));
    let html = MANY
        .replace("STREAMS", &STREAMS.to_string())
        .replace("STREAM", &stream);
    let mut page = Page::serve(listener, html);
    let _browser = Browser::open(&page.url);

    let mut seen = Vec::new();
    while seen.len() < STREAMS + 1 {
        let report = page.seen().await;
        if !report.ends_with("Starting server communication...") {
            seen.push(report);
        }
    }
    seen.sort();
    let mut expected: Vec<_> = (0..STREAMS)
        .map(|it| format!("{it} from the page"))
        .collect();
    expected.push("published 202".into());
    assert_eq!(seen, expected);
}

/// Returns the future address of a page, and a server that accepts it, since its origin is not the server's.
async fn page_and_server(change: impl FnOnce(&mut ServerOptions)) -> (TcpListener, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::with(|_, options| {
        options.access.origins.push(origin.parse().unwrap());
        change(options);
    });
    (listener, server.await)
}

struct Browser {
    _process: Running,
    _profile: Scratch,
}

impl Browser {
    fn open(url: &str) -> Self {
        let profile = Scratch::new();
        let mut browser = clean(CHROMIUM);
        browser
            .args(SWITCHES)
            .arg(format!("--user-data-dir={}", profile.path("").display()));
        browser.env("HOME", profile.path("")).arg(url);
        Self {
            _process: Running::start(browser.stdout(std::process::Stdio::null())),
            _profile: profile,
        }
    }
}

/// A web page that reports what it sees.
struct Page {
    url: String,
    reports: mpsc::UnboundedReceiver<String>,
    _task: JoinSet<()>,
}

impl Page {
    fn serve(listener: TcpListener, html: String) -> Self {
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, reports) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                open.spawn(answer(socket, html.clone(), sender.clone()));
            }
        });
        Self {
            url,
            reports,
            _task: task,
        }
    }

    async fn seen(&mut self) -> String {
        soon(self.reports.recv()).await.unwrap()
    }
}

const PAGE: &str = "<!doctype html><title>test</title><script>
    let sent = Promise.resolve();
    const report = what => sent = sent.then(() => fetch('/seen', { method: 'POST', body: what }));
    const source = new EventSource('STREAM');
    source.onopen = () => report('open');
    source.onerror = () => report('error: ' + ['connecting', 'open', 'closed'][source.readyState]);
    for (const name of ['debug', 'gap', 'end', 'message']) {
        source.addEventListener(name, event =>
            report(name + ' ' + event.lastEventId.split('-')[0] + ' ' + event.data));
    }
</script>";

/// Publishes a message once each of its streams is open.
const MANY: &str = "<!doctype html><title>test</title><script>
    let sent = Promise.resolve();
    const report = what => sent = sent.then(() => fetch('/seen', { method: 'POST', body: what }));
    let open = 0;
    for (let number = 0; number < STREAMS; number++) {
        const source = new EventSource('STREAM');
        source.onopen = async () => {
            if (++open == STREAMS) {
                const answer = await fetch('STREAM', { method: 'POST', body: 'from the page' });
                report('published ' + answer.status);
            }
        };
        source.addEventListener('debug', event => report(number + ' ' + event.data));
    }
</script>";

/// Answers one request: with the page, or by accepting its report.
async fn answer(mut socket: TcpStream, html: String, reports: mpsc::UnboundedSender<String>) {
    let mut bytes = Vec::new();
    let (head, mut body) = loop {
        let Ok(1..) = socket.read_buf(&mut bytes).await else {
            return;
        };
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let body = bytes.split_off(at + 4);
            break (String::from_utf8(bytes).unwrap(), body);
        }
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>())
    });
    while body.len() < length.clone().map_or(0, Result::unwrap) {
        let Ok(1..) = socket.read_buf(&mut body).await else {
            return;
        };
    }
    let html = match head.split(' ').nth(1) {
        Some("/") => html,
        Some("/seen") => {
            let _ = reports.send(String::from_utf8(body).unwrap());
            String::new()
        }
        _ => String::new(),
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{html}", html.len());
    let _ = socket.write_all(answer.as_bytes()).await;
    let _ = socket.shutdown().await;
}
