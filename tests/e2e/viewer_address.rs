//! The address of the web page is printed where users look for it, and leads to the page.

use std::process::Stdio;

use crate::support::{
    http::Http,
    nginx::Nginx,
    pane::Pane,
    port::Port,
    process::{CODECHAT, Running, Serve, codechat, opened},
    server::Server,
    terminal::Terminal,
};

const MARK: &str = "<meta name=\"generator\" content=\"codechat ";

async fn is_page(http: Http, path: &str) {
    let page = http.get(path).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains(MARK), "{}", page.text());
}

#[tokio::test]
async fn serve_prints_the_pages_address() {
    let mut server = Serve::start(&[]).await;
    let expected = format!("codechat: in a browser: {}/\n", server.url);
    assert_eq!(server.process.says("in a browser").await, expected);
    is_page(server.http, "/").await;

    let any = ["serve", "--listen", "0.0.0.0:0", "--no-auth"];
    let mut process = Running::codechat(any);
    let line = process.says("in a browser: http://127.0.0.1:").await;
    assert!(line.ends_with("/\n"), "{line}");
}

#[tokio::test]
async fn a_watch_with_lines_prints_the_pages_address_only_on_a_terminal() {
    let server = Serve::start(&[]).await;
    let id = server.http.connect().await;
    server.http.publish(&id, "hello").await;
    let words = ["watch", "--server", &server.url, "--id", &id];
    let lines = [&words[..], &["--format", "text", "-n", "1"]].concat();
    let mut terminal = Terminal::start(&[&[CODECHAT], &lines[..]].concat(), (120, 24));
    terminal.end().await;
    let address = format!("codechat: in a browser: {}/#{id}", server.url);
    let text = terminal.text();
    assert!(text.lines().any(|it| it.trim_end() == address), "{text}");
    let ended = Running::codechat(lines).end().await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "hello\n"));
    assert!(!ended.stderr.contains("browser"), "{ended:?}");
}

#[tokio::test]
async fn an_empty_pane_shows_the_pages_address_and_a_key_copies_it() {
    let mut pane = Pane::new((120, 24)).await;
    let address = format!("{}/#{}", pane.server.url, pane.id);
    pane.terminal
        .shows(&format!("In a browser: {address}"))
        .await;
    pane.publish("hello").await;
    pane.terminal.hides("In a browser").await;
    pane.terminal.keys("o");
    pane.terminal.shows(&format!("copied {address}")).await;
    pane.quit().await;
}

#[tokio::test]
async fn the_server_inside_a_watcher_has_the_page() {
    let port = Port::keep();
    let mut command = codechat(["watch"]);
    command.env("CODECHAT_DEFAULT_PORT", port.address.port().to_string());
    let watcher = Running::start(command.stdout(Stdio::piped()));
    let (_watcher, _) = opened(watcher).await;
    let address = port.address;
    is_page(Http { address }, "/").await;
}

#[tokio::test]
async fn a_watch_of_the_page_says_what_to_use_instead() {
    let server = Serve::start(&[]).await;
    for url in [
        server.url.clone(),
        format!("{}/#3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b", server.url),
    ] {
        let ended = Running::codechat(["watch", &url]).end().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let advice = format!("use --server {}, and --id", server.url);
        assert!(ended.stderr.contains(&advice), "{ended:?}");
        assert!(!ended.stderr.contains("3f2b8c1e"), "{ended:?}");
    }
}

#[tokio::test]
async fn below_a_path_of_a_proxy_the_page_finds_its_files() {
    let server = Server::start().await;
    let proxied = format!(
        "location /chat/ {{ proxy_pass http://{}/; }}",
        server.address
    );
    let Some(nginx) = Nginx::with(&proxied).await else {
        return;
    };
    is_page(nginx.http, "/chat/").await;
    let page = nginx.http.get("/chat/").await;
    let link = regex::Regex::new("(?:href|src)=\"([^\"]*)\"").unwrap();
    for found in link.captures_iter(page.text()) {
        let path = format!("/chat/{}", &found[1]);
        assert_eq!(nginx.http.get(&path).await.status, 200, "{path}");
    }
    // nginx compresses, and turns the tag into a weak one.
    let tag = page.head.header("etag").unwrap();
    let known = [&format!("If-None-Match: W/{tag}"), "Accept-Encoding: gzip"];
    let again = nginx.http.request("GET", "/chat/", &known, "").await;
    assert_eq!(again.status, 304);
}
