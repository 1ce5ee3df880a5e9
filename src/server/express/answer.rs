//! Answers as hyper writes them: the same headers in the same order.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::http::StatusCode;

use super::super::direct;
use crate::wire::{self, answer::Published};

thread_local! {
    /// The header `Date` of some second (since 1970), which is the same for all of that second.
    static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    /// An answer's body, while its length is looked at.
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// To a message that was published. In one piece, since it goes out at each message.
pub(super) fn accepted(answer: &Published, out: &mut Vec<u8>) {
    const BEGINNING: &[u8] =
        b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: ";
    BODY.with_borrow_mut(|body| {
        body.clear();
        answer.write(body);
        out.extend_from_slice(BEGINNING);
        out.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        date(out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
    });
}

/// An answer in JSON.
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
    date(out);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

/// The head of a stream.
pub(super) fn stream(headers: &[(&str, String)], out: &mut Vec<u8>) {
    begin(StatusCode::OK, out);
    for (name, value) in headers {
        header(name, value, out);
    }
    header("connection", "close", out);
    header("transfer-encoding", "chunked", out);
    date(out);
    out.extend_from_slice(b"\r\n");
}

/// A part of a stream; nothing where it is empty, since that would end it.
pub(super) fn chunk(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        out.extend_from_slice(format!("{:X}\r\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
}

/// The end of a stream.
pub(super) fn last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(direct::LAST_CHUNK);
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

fn date(out: &mut Vec<u8>) {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    DATE.with_borrow_mut(|(written, text)| {
        if *written != second || text.is_empty() {
            let date = httpdate::fmt_http_date(now);
            (*written, *text) = (second, format!("date: {date}\r\n"));
        }
        out.extend_from_slice(text.as_bytes());
    });
}
