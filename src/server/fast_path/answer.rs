//! Answers that are equal to hyper's byte for byte: the same headers in the same order.

use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

use axum::http::StatusCode;

use crate::event::{UnixMillis, unix_millis};
use crate::server::stream::takeover;
use crate::wire;
use crate::wire::answer::Published;

thread_local! {
    /// The current second since 1970, and its header `Date`.
    static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    /// An answer's body, while its length is computed.
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Appends the answer to a published message. Most of it is one constant, since it is sent for every message. `closes`
/// is whether the connection ends after it.
pub(super) fn accepted(answer: &Published, closes: bool, out: &mut Vec<u8>) {
    const BEGINNING: &[u8] =
        b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: ";
    // The message was accepted just now, so its time is also the current time.
    let now = answer.id.map_or_else(unix_millis, |it| it.time);
    BODY.with_borrow_mut(|body| {
        body.clear();
        answer.write(body);
        out.extend_from_slice(BEGINNING);
        out.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        if closes {
            header("connection", "close", out);
        }
        date(now, out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
    });
}

/// Appends an answer in JSON.
pub(super) fn json(status: StatusCode, headers: &[(&str, String)], body: &[u8], out: &mut Vec<u8>) {
    begin(status, out);
    header("content-type", wire::JSON, out);
    for (name, value) in headers {
        header(name, value, out);
    }
    header(
        "content-length",
        itoa::Buffer::new().format(body.len()),
        out,
    );
    date(unix_millis(), out);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

/// Appends the head of a stream.
pub(super) fn stream(headers: &[(&str, String)], out: &mut Vec<u8>) {
    begin(StatusCode::OK, out);
    for (name, value) in headers {
        header(name, value, out);
    }
    header("connection", "close", out);
    header("transfer-encoding", "chunked", out);
    date(unix_millis(), out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a part of a stream. Appends nothing if it is empty, since an empty chunk would end the stream.
pub(super) fn chunk(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        out.extend_from_slice(format!("{:X}\r\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the end of a stream.
pub(super) fn last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(takeover::LAST_CHUNK);
}

fn begin(status: StatusCode, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    let reason = status.canonical_reason().unwrap_or_default();
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn header(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn date(now: UnixMillis, out: &mut Vec<u8>) {
    let second = now / 1000;
    DATE.with_borrow_mut(|(written, text)| {
        if *written != second || text.is_empty() {
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            (*written, *text) = (second, format!("date: {date}\r\n"));
        }
        out.extend_from_slice(text.as_bytes());
    });
}
