//! The viewer: the web page at `/`, which shows a client's messages in a browser, and the files that it is made of.
//!
//! The files are the same for everybody: the page gets its data through the API, as every client does. So the files need no
//! token, and this module does not use the hub. The address of a file contains the build, a hash of all files, so that a page
//! never runs with files of another version, and browsers can cache them for ever.

use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, header};

use super::problem::{Problem, ProblemKind};
use crate::wire::Route;

/// A file of the page in the form in which it is served.
struct File {
    name: &'static str,
    content: &'static [u8],
}

/// Includes files from the folder `viewer`, without their comments, at compile time.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(File { name: $name, content: {
            const SOURCE: &[u8] = include_bytes!(concat!("viewer/", $name));
            const KEPT: ([u8; SOURCE.len()], usize) = without_comments(SOURCE);
            // Copied to an array of this size, so that the rest of the source is not in the program.
            const CONTENT: [u8; KEPT.1] = *KEPT.0.first_chunk().unwrap();
            &CONTENT
        } }),+]
    };
}

/// The files that the page loads. For each module (`.js`), the page has a link that preloads it.
const FILES: &[File] = files![
    "viewer.css",
    "icon.svg",
    "connection.js",
    "elements.js",
    "format.js",
    "keys.js",
    "list.js",
    "main.js",
    "model.js",
    "operations.js",
    "records.js",
    "seek.js",
    "stream.js",
    "text.js",
    "view.js",
    "viewport.js",
];
/// The content type of a module.
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
/// The page, before `{modules}`, `{build}`, `{version}` and `{heartbeat}` are filled in.
const TEMPLATE: &str = include_str!("viewer/index.html");

/// The hash of all files, which is part of their addresses.
static BUILD: LazyLock<String> = LazyLock::new(|| {
    let names = FILES.iter().map(|it| it.name.as_bytes());
    let contents = FILES.iter().map(|it| it.content);
    hash(
        [TEMPLATE.as_bytes()]
            .into_iter()
            .chain(names)
            .chain(contents),
    )
});

/// Removes empty lines, and comments on lines of their own: they are a third of a module, and browsers do not need them.
/// Returns the rest, padded with zeros, and its length. `SIZE` is the length of `source`.
const fn without_comments<const SIZE: usize>(source: &[u8]) -> ([u8; SIZE], usize) {
    let (mut kept, mut length) = ([0; SIZE], 0);
    let (mut rest, mut is_comment) = (source, false);
    while !rest.is_empty() {
        let (line, after) = rest.split_at(line_length(rest));
        rest = after;
        let text = line.trim_ascii();
        let is_code = if is_comment || matches!(text, [b'/', b'*', ..]) {
            let behind = behind_comment(text);
            is_comment = behind.is_none();
            // A comment followed by code is kept; most are types.
            matches!(behind, Some([_, ..]))
        } else {
            !matches!(text, [] | [b'/', b'/', ..])
        };
        if is_code {
            let (_, free) = kept.split_at_mut(length);
            free.split_at_mut(line.len()).0.copy_from_slice(line);
            length += line.len();
        }
    }
    (kept, length)
}

/// Returns the length of the first line, with its end. At compile time, patterns take half as long as indexing.
const fn line_length(text: &[u8]) -> usize {
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first == b'\n' {
            break;
        }
    }
    text.len() - rest.len()
}

/// Returns the text after the end of a comment; `None` if the comment does not end in `text`.
const fn behind_comment(mut text: &[u8]) -> Option<&[u8]> {
    while let [_, rest @ ..] = text {
        if let [b'*', b'/', behind @ ..] = text {
            return Some(behind);
        }
        text = rest;
    }
    None
}

/// The content security policy of the page: it may load and be embedded from this origin only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types worker";
/// The header fields of the page and of its files.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), clipboard-read=()",
    ),
];

/// The page of one server. It is built at the first request, because most servers never get one.
pub(super) struct Viewer {
    heartbeat: Duration,
    page: OnceLock<Page>,
}

/// The page with its `ETag`.
struct Page {
    content: Bytes,
    tag: HeaderValue,
}

impl Viewer {
    /// Creates the page of a server. `heartbeat` is the interval of its comments on a quiet stream.
    pub(super) fn new(heartbeat: Duration) -> Self {
        let page = OnceLock::new();
        Self { heartbeat, page }
    }

    fn page(&self) -> &Page {
        self.page.get_or_init(|| {
            let modules = FILES
                .iter()
                .filter(|it| content_type(it.name) == JAVASCRIPT);
            let modules: Vec<_> = modules.map(|it| preload(it.name)).collect();
            let content = TEMPLATE
                .replace("{modules}", &modules.join("\n"))
                .replace("{build}", &BUILD)
                .replace("{version}", env!("CARGO_PKG_VERSION"))
                .replace("{heartbeat}", &self.heartbeat.as_millis().to_string());
            let tag = format!("\"{}\"", hash([content.as_bytes()]));
            let tag = HeaderValue::try_from(tag).expect("digits can stand in a header");
            let content = content.into();
            Page { content, tag }
        })
    }
}

/// Returns the line that makes a browser preload a module. The address is relative, because a proxy may serve the page below
/// another path.
fn preload(module: &str) -> String {
    let path = Route::path_for_file(&BUILD, module);
    let path = path.trim_start_matches('/');
    format!("<link rel=\"modulepreload\" href=\"{path}\">")
}

/// `GET /`: answers the page.
pub(super) async fn page(State(viewer): State<Arc<Viewer>>, asked: HeaderMap) -> Response<Body> {
    let page = viewer.page();
    let mut response = if is_known(&asked, &page.tag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        response("index.html", page.content.clone())
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, page.tag.clone());
    finish(response, "no-cache")
}

/// `GET /viewer/<build>/<file>`: answers a file of the page.
pub(super) async fn file(uri: Uri) -> Result<Response<Body>, Problem> {
    let named = Route::file_of(uri.path()).filter(|(build, _)| *build == *BUILD);
    let file = named.and_then(|(_, name)| FILES.iter().find(|it| it.name == name));
    let file = file.ok_or(ProblemKind::ViewerFileUnknown)?;
    let response = response(file.name, Bytes::from_static(file.content));
    Ok(finish(response, "public, max-age=31536000, immutable"))
}

fn response(name: &str, content: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(content));
    let kind = HeaderValue::from_static(content_type(name));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Adds the headers of the page and its files, and `keep`, the header `Cache-Control`.
fn finish(mut response: Response<Body>, keep: &'static str) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => JAVASCRIPT,
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// Returns whether the client has the version with this tag (RFC 9110, 13.1.2). The tag may be weak, because a proxy
/// that compresses turns a strong tag into a weak one.
fn is_known(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let values = asked.get_all(header::IF_NONE_MATCH).iter();
    values
        .flat_map(|it| it.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|it| it == b"*" || it.strip_prefix(b"W/").unwrap_or(it) == tag.as_bytes())
}

/// Returns 16 digits that depend on the texts (FNV-1a, RFC 9923). They distinguish versions. The hash is not cryptographic,
/// and need not be: only the person who builds the program chooses the texts.
fn hash<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = OFFSET;
    for text in texts {
        // The length, so that text cannot move from the end of one to the start of the next.
        let length = (text.len() as u64).to_le_bytes();
        for byte in length.iter().chain(text) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(source: &str) -> String {
        let (kept, length) = without_comments::<256>(source.as_bytes());
        assert!(kept[length..].iter().all(|it| *it == 0));
        String::from_utf8(kept[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_file_is_served_without_comments_on_their_own_lines() {
        let module = "// What it is.\n\n/**\n * Adds.\n * @param {number} a\n */\nexport const f = (a) =>\n  \
                      /** @type {number} */ (a); // here\n  /* one */\n/** @type {X} */ (y).z();\n";
        let served = "export const f = (a) =>\n  /** @type {number} */ (a); // here\n/** @type {X} */ (y).z();\n";
        assert_eq!(kept(module), served);
        assert_eq!(kept("a {}\n/* two\n   lines */\nb {}"), "a {}\nb {}");
        for all in [
            "",
            "<svg/>",
            "a\nb",
            "a / b;\n* 2\n",
            "/* a */ b; /* c */\n",
        ] {
            assert_eq!(kept(all), all);
        }
    }

    #[test]
    fn no_served_file_has_comment_lines() {
        for file in FILES {
            let text = str::from_utf8(file.content).unwrap();
            assert!(!text.is_empty(), "{}", file.name);
            let is_comment = |line: &str| line.is_empty() || line.trim_start().starts_with("//");
            let line = text.lines().find(|it| is_comment(it));
            assert_eq!(line, None, "{}", file.name);
        }
    }

    #[test]
    fn a_hash_depends_on_texts_and_their_boundaries() {
        let same = hash([&b"ab"[..], b"c"]);
        assert_eq!(same, hash([&b"ab"[..], b"c"]));
        assert_eq!(same.len(), 16);
        for other in [[&b"a"[..], b"bc"], [b"ab", b"d"], [b"c", b"ab"]] {
            assert_ne!(same, hash(other));
        }
    }

    #[test]
    fn a_cached_page_is_recognised_by_its_tag() {
        let tag = HeaderValue::from_static("\"0f3c\"");
        for (value, is) in [
            ("\"0f3c\"", true),
            ("W/\"0f3c\"", true),
            ("\"1\", \"0f3c\"", true),
            ("*", true),
            ("0f3c", false),
            ("\"0f3\"", false),
            ("", false),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            assert_eq!(is_known(&asked, &tag), is, "{value}");
        }
        assert!(!is_known(&HeaderMap::new(), &tag));
    }

    #[test]
    fn every_file_of_the_folder_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/viewer");
        let mut there: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .filter(|it| it != "index.html")
            .collect();
        let mut listed: Vec<_> = FILES.iter().map(|it| it.name).collect();
        there.sort();
        listed.sort_unstable();
        assert_eq!(there, listed);
        for file in FILES {
            assert_ne!(content_type(file.name), "application/octet-stream");
        }
    }
}
