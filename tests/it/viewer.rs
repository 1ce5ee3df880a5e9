//! The page at `/`: its answers, who gets them, and what its sources must not contain.

use std::{collections::BTreeMap, fs, io::Write, path::Path, time::Duration};

use codechat::internal::client::Token;
use flate2::{Compression, write::GzEncoder};
use regex::Regex;

use crate::support::{
    http::{Answer, Connection, Head},
    server::Server,
};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types worker";
const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=(), clipboard-read=()",
    ),
];

/// Upper bounds of the page with all its files, in bytes: as served, and with each file after `gzip -9`.
const SERVED_MAX: usize = 160 * 1024;
const GZIPPED_MAX: usize = 45 * 1024;
/// Upper bound of its modules' lines, without comments and blank lines.
const LINES_MAX: usize = 2500;

fn is_safe(head: &Head) {
    for (name, value) in HEADERS {
        assert_eq!(head.header(name), Some(value), "{name} of {head:?}");
    }
}

/// Returns the addresses that a page links to, relative to it.
fn links(page: &Answer) -> Vec<String> {
    let link = Regex::new(r#"(?:href|src)="([^"]*)""#).unwrap();
    let links = link.captures_iter(page.text());
    links.map(|it| it[1].to_owned()).collect()
}

/// Returns the files of the page by their names, as they are in `src`.
fn sources() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/viewer");
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap());
    let read = |it: fs::DirEntry| {
        let name = it.file_name().into_string().unwrap();
        (name, fs::read_to_string(it.path()).unwrap())
    };
    files.map(read).collect()
}

fn is_module(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|it| it == "js")
}

#[tokio::test]
async fn the_page_has_its_security_headers() {
    let server = Server::with(|_, options| options.heartbeat = Duration::from_millis(2500)).await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    is_safe(&page.head);
    let header = |name| page.head.header(name);
    assert_eq!(header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(header("cache-control"), Some("no-cache"));
    let text = page.text();
    assert!(text.contains("2500"), "the heartbeat is filled in: {text}");
    assert!(text.contains("codechat watch --id"), "{text}");
    let left = Regex::new(r"\{[a-z]+\}").unwrap().find(text);
    assert_eq!(left.map(|it| it.as_str()), None, "it is not filled in");
    // `codechat watch URL` recognises the page by this tag, and reads no further.
    let version = env!("CARGO_PKG_VERSION");
    let at = text.find(&format!(
        "name=\"generator\" content=\"codechat {version}\""
    ));
    assert!(at.is_some_and(|at| at < 130), "{text}");
}

#[tokio::test]
async fn the_page_is_cached_until_the_server_changes() {
    let server = Server::start().await;
    let page = server.get("/").await;
    let tag = page.head.header("etag").unwrap();
    assert!(
        tag.starts_with('"') && tag.ends_with('"'),
        "{tag} is strong"
    );
    for method in ["GET", "HEAD"] {
        for known in [tag, "*", &format!("\"1\", W/{tag}")] {
            let known = format!("If-None-Match: {known}");
            let mut connection = Connection::open(server.address).await;
            connection.ask(method, "/", &[&known]).await;
            let head = connection.head().await;
            assert_eq!(head.status, 304, "{head:?}");
            is_safe(&head);
            assert_eq!(head.header("etag"), Some(tag));
            assert_eq!(head.header("cache-control"), Some("no-cache"));
            assert_eq!(head.header("content-length"), None);
            // It has no body, and the connection stays open.
            connection.ask("GET", "/healthz", &[]).await;
            assert_eq!(connection.answer().await.text(), "ok");
        }
    }
    let other = server
        .request("GET", "/", &["If-None-Match: \"1\""], "")
        .await;
    assert_eq!((other.status, &other.body), (200, &page.body));
    let again = Server::start().await.get("/").await;
    assert_eq!(again.head.header("etag"), Some(tag));
    let slower = Server::with(|_, options| options.heartbeat *= 2).await;
    assert_ne!(slower.get("/").await.head.header("etag"), Some(tag));
}

#[tokio::test]
async fn every_file_of_the_page_can_be_cached_forever() {
    let server = Server::start().await;
    let links = links(&server.get("/").await);
    assert!(links.len() <= 20, "too many requests: {links:?}");
    for (kind, end) in [
        ("text/css; charset=utf-8", ".css"),
        ("image/svg+xml", ".svg"),
        ("text/javascript; charset=utf-8", ".js"),
    ] {
        let links: Vec<_> = links.iter().filter(|it| it.ends_with(end)).collect();
        assert!(!links.is_empty(), "none has {end}");
        for link in links {
            assert!(link.starts_with("viewer/"), "{link} is not relative");
            let file = server.get(&format!("/{link}")).await;
            assert_eq!(file.status, 200, "{link}");
            is_safe(&file.head);
            assert_eq!(file.head.header("content-type"), Some(kind));
            assert_eq!(
                file.head.header("cache-control"),
                Some("public, max-age=31536000, immutable")
            );
            let name = link.rsplit('/').next().unwrap();
            let source = &sources()[name];
            // Comments on lines of their own are not counted.
            let mut of_source = source.lines();
            let is_left = |served: &str| of_source.any(|it| it == served);
            assert!(file.text().lines().all(is_left), "{link}");
            assert!(
                !file.text().lines().any(|it| it.starts_with("//")),
                "{link}"
            );
        }
    }
    let modules = sources().into_keys().filter(|it| is_module(it));
    for module in modules {
        let link = format!("/{module}");
        assert!(links.iter().any(|it| it.ends_with(&link)), "{module}");
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let server = Server::start().await;
    let page = server.get("/").await;
    for link in links(&page).into_iter().chain([String::new()]) {
        let target = format!("/{link}");
        let got = server.get(&target).await;
        let mut connection = Connection::open(server.address).await;
        connection.ask("HEAD", &target, &[]).await;
        let head = connection.head().await;
        let fields = |head: &Head| {
            let lines = head.text.lines().filter(|it| !it.starts_with("date:"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(fields(&head), fields(&got.head), "{target}");
        connection.ask("GET", "/healthz", &[]).await;
        assert_eq!(connection.answer().await.text(), "ok");
    }
}

#[tokio::test]
async fn a_file_of_another_build_or_name_is_404() {
    let server = Server::start().await;
    let links = links(&server.get("/").await);
    let main = links.iter().find(|it| it.ends_with("/main.js")).unwrap();
    let build = main.split('/').nth(1).unwrap();
    assert!(build.len() == 16 && build.bytes().all(|it| it.is_ascii_hexdigit()));
    for target in [
        "/viewer/0000000000000000/main.js".to_owned(),
        format!("/viewer/{build}/index.html"),
        format!("/viewer/{build}/other.js"),
        format!("/viewer/{build}/%2e%2e"),
        format!("/viewer/{build}/%ff"),
        "/viewer/%ff/main.js".into(),
    ] {
        let detail = server.get(&target).await.detail(404);
        assert!(detail.contains("reload"), "{target}: {detail}");
    }
    for target in ["/viewer", "/viewer/", "/index.html", "//"] {
        server.get(target).await.detail(404);
    }
}

#[tokio::test]
async fn another_method_is_405() {
    let server = Server::start().await;
    for target in ["/", "/viewer/0/main.js"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = server.request(method, target, &[], "").await;
            answer.detail(405);
            assert_eq!(answer.head.header("allow"), Some("GET, HEAD"));
        }
    }
}

#[tokio::test]
async fn the_page_needs_no_token_and_a_watchers_own_server_has_it() {
    let server = Server::with(|_, options| {
        options.access.token = Some(Token::new("hvs.Wq8-T0p_s3cret~42"));
        options.is_watchers = true;
    })
    .await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("s3cret"));
    for link in links(&page) {
        assert_eq!(server.get(&format!("/{link}")).await.status, 200, "{link}");
    }
}

#[tokio::test]
async fn only_a_page_of_this_server_can_load_it() {
    let server = Server::start().await;
    let links = links(&server.get("/").await);
    for link in links.iter().map(String::as_str).chain([""]) {
        let target = format!("/{link}");
        let mut connection = Connection::open(server.address).await;
        connection
            .say(format!(
                "GET {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n"
            ))
            .await;
        connection.answer().await.detail(403);
        for foreign in [
            "Origin: https://evil.example",
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: iframe",
            "Sec-Fetch-Site: same-site\r\nSec-Fetch-Dest: script",
        ] {
            let answer = server.request("GET", &target, &[foreign], "").await;
            answer.detail(403);
        }
        let own = ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Dest: script"];
        let answer = server.request("GET", &target, &own, "").await;
        assert_eq!(answer.status, 200, "{target}");
    }
}

#[tokio::test]
async fn the_page_is_small() {
    let server = Server::start().await;
    let page = server.get("/").await;
    let mut targets = links(&page);
    targets.sort();
    targets.dedup();
    targets.push(String::new());
    let (mut plain, mut gzipped, mut code) = (0, 0, 0);
    for target in targets {
        let body = server.get(&format!("/{target}")).await.body;
        if is_module(&target) {
            code += body
                .split(|byte| *byte == b'\n')
                .filter(|it| !it.trim_ascii().is_empty())
                .count();
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&body).unwrap();
        plain += body.len();
        gzipped += encoder.finish().unwrap().len();
    }
    assert!(plain <= SERVED_MAX, "{plain} bytes");
    assert!(gzipped <= GZIPPED_MAX, "{gzipped} bytes after gzip -9");
    assert!(code <= LINES_MAX, "{code} lines");
    let modules = sources();
    let modules = modules.iter().filter(|(name, _)| is_module(name));
    let lines: Vec<_> = modules.map(|(_, text)| text.lines().count()).collect();
    assert!(lines.len() <= 14, "{} modules", lines.len());
    assert!(lines.iter().all(|it| *it < 400), "{lines:?}");
}

/// Trusted Types refuse some of it in browsers that have them, the policy the rest; this holds in every browser.
#[test]
fn no_source_turns_text_into_html_or_code() {
    let never = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "setHTMLUnsafe",
        "createContextualFragment",
        "DOMParser",
        "document.write",
        "javascript:",
        "localStorage",
        "sessionStorage",
        "indexedDB",
    ];
    let called = Regex::new(r"\b(eval|Function)\(").unwrap();
    let href = Regex::new(r"\.href\s*=[^=]").unwrap();
    let mut hrefs = 0;
    for (name, text) in sources() {
        for word in never {
            assert!(!text.contains(word), "{word} in {name}");
        }
        let found = called.find(&text).map(|it| it.as_str());
        assert_eq!(found, None, "in {name}");
        hrefs += href.find_iter(&text).count();
    }
    assert!(hrefs <= 1, "only a download's anchor has its address set");
}

#[test]
fn the_page_has_no_inline_code_and_no_absolute_address() {
    let sources = sources();
    let page = &sources["index.html"];
    let inline = Regex::new(r"(?i)\sstyle\s*=|\son[a-z]+\s*=|<style|<base|http-equiv").unwrap();
    assert_eq!(inline.find(page).map(|it| it.as_str()), None);
    let script = Regex::new(r"(?is)<script\b([^>]*)>(.*?)</script>").unwrap();
    for found in script.captures_iter(page) {
        assert!(found[1].contains(" src=\""), "{}", &found[0]);
        assert_eq!(&found[2], "");
    }
    let address = Regex::new(r#"(?:href|src|action)\s*=\s*"?([^"\s>]*)"#).unwrap();
    for found in address.captures_iter(page) {
        assert!(found[1].starts_with("viewer/{build}/"), "{}", &found[0]);
    }
    for name in ["index.html", "viewer.css"] {
        assert!(!sources[name].contains("//"), "an address in {name}");
    }
    let import = Regex::new(r#"(?m)\bfrom\s+"([^"]*)"|\bimport\s*\(?\s*"([^"]*)""#).unwrap();
    for (name, text) in sources.iter().filter(|(name, _)| is_module(name)) {
        for found in import.captures_iter(text) {
            let path = found.get(1).or(found.get(2)).unwrap().as_str();
            let file = path.strip_prefix("./").unwrap_or("not relative");
            assert!(sources.contains_key(file), "{name} imports {path}");
        }
    }
}
