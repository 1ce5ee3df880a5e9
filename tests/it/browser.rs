//! A browser's own `EventSource` understands the stream: it shows what comes, resumes, and stops.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

use crate::support::{
    cutter::Cutter,
    http::stream_of,
    process::{Running, Scratch, clean},
    server::Server,
    soon,
};

const CHROMIUM: &str = "chromium";
const SWITCHES: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Else it may end once the page is loaded.
    "--remote-debugging-port=0",
];

#[tokio::test]
async fn an_event_source_shows_resumes_and_stops() {
    if !is_there(CHROMIUM) {
        let hint = "chromium is not there; to have it: apt-get install chromium";
        assert!(std::env::var_os("CI").is_none(), "{hint}");
        eprintln!("skipped: {hint}");
        return;
    }
    // The page's origin is not the server's, which therefore has to let it in.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let allowed = origin.parse().unwrap();
    let server = Server::with(|_, options| options.access.origins.push(allowed)).await;
    let id = server.connect().await;
    // Cut in the middle of the second message.
    let cutter = Cutter::start(server.address, vec![900]).await;
    let mut page = Page::serve(listener, &format!("{}{}", cutter.url, stream_of(&id)));
    let profile = Scratch::new();
    let mut browser = clean(CHROMIUM);
    browser
        .args(SWITCHES)
        .arg(format!("--user-data-dir={}", profile.path("").display()));
    browser.env("HOME", profile.path("")).arg(&page.url);
    let _browser = Running::start(browser.stdout(std::process::Stdio::null()));

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
        "it was cut once and came back"
    );

    server.stop(&id).await;
    assert_eq!(page.seen().await, "end 5 stopped");
    assert_eq!(page.seen().await, "error: connecting");
    assert_eq!(page.seen().await, "error: closed", "204 is the end");
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|it| it.join(program).is_file())
}

/// A web page that opens an `EventSource`, and tells what it sees.
struct Page {
    url: String,
    told: mpsc::UnboundedReceiver<String>,
    _task: JoinSet<()>,
}

impl Page {
    fn serve(listener: TcpListener, stream: &str) -> Self {
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, told) = mpsc::unbounded_channel();
        let html = PAGE.replace("STREAM", stream);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                open.spawn(answer(socket, html.clone(), sender.clone()));
            }
        });
        Self {
            url,
            told,
            _task: task,
        }
    }

    async fn seen(&mut self) -> String {
        soon(self.told.recv()).await.unwrap()
    }
}

const PAGE: &str = "<!doctype html><title>test</title><script>
    let told = Promise.resolve();
    const tell = what => told = told.then(() => fetch('/seen', { method: 'POST', body: what }));
    const source = new EventSource('STREAM');
    source.onopen = () => tell('open');
    source.onerror = () => tell('error: ' + ['connecting', 'open', 'closed'][source.readyState]);
    for (const name of ['debug', 'gap', 'end', 'message']) {
        source.addEventListener(name, event =>
            tell(name + ' ' + event.lastEventId.split('-')[0] + ' ' + event.data));
    }
</script>";

/// Answers one request: the page, or what it has seen.
async fn answer(mut socket: TcpStream, html: String, told: mpsc::UnboundedSender<String>) {
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
            let _ = told.send(String::from_utf8(body).unwrap());
            String::new()
        }
        _ => String::new(),
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{html}", html.len());
    let _ = socket.write_all(answer.as_bytes()).await;
    let _ = socket.shutdown().await;
}
