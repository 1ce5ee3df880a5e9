//! A server that streams as fast as its clients read, to measure readers. It has `connect`, `stop` and one stream,
//! which every client gets from the greeting to the end.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
};

/// The length of a message's text, in bytes.
const TEXT_BYTES: usize = 120;
/// The number of the first message, so that all numbers have the same length.
const FIRST: u64 = 1_000_000;
const DIGITS: usize = 7;
/// The length of one write, in bytes.
const WRITE_BYTES: usize = 64 * 1024;

const CONNECTED: &str = r#"{"clientId":"3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b","streamUrl":"/api/v1/sse/debug/3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b","publishUrl":"","stopUrl":"","idleTimeoutSeconds":900}"#;
const STOPPED: &str = "Debug message stream stopped.";
const GREETING: [&str; 2] = [
    "retry: 1000\nid: 0-1732262400123\nevent: debug\ndata: Starting server communication...\n\n",
    "retry: 1000\nid: 0-1732262400123\nevent: debug\ndata: {\"id\":\"0-1732262400123\",\"time\":\"2024-11-22T08:00:00.123Z\",\"message\":\"Starting server communication...\",\"system\":true}\n\n",
];
const END: &str = "id: 1999999-1732262400123\nevent: end\ndata: stopped\n\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text = 0,
    Json = 1,
}

/// The content of one chunk of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// One event, as most servers write it: axum's `Sse`, Spring's `SseEmitter`.
    OfOneEvent,
    /// Everything that is written at once, as codechat's own server does under load.
    OfAWrite,
}

/// Serves a stream of `events` from a thread of its own, for as long as this program runs.
pub(crate) fn start(events: u64, chunks: Chunks) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A reader that disconnects shows in its own output.
            std::thread::spawn(move || converse(stream, events, chunks));
        }
    });
    Ok(address)
}

/// Returns the text of the message with this number.
pub(crate) fn text(index: u64) -> String {
    format!(
        "~{:0DIGITS$}{:.>2$}",
        FIRST + index,
        "",
        TEXT_BYTES - 1 - DIGITS
    )
}

/// Returns the length of the stream in text format, without heads.
pub(crate) fn stream_bytes(events: u64) -> u64 {
    let around = GREETING[Format::Text as usize].len() + END.len();
    around as u64 + events * frame(Format::Text).len() as u64
}

fn converse(mut stream: TcpStream, events: u64, chunks: Chunks) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream.try_clone()?);
    loop {
        let mut first = String::new();
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if first.is_empty() {
                first.clone_from(&line);
            }
        }
        if first.contains("/sse/connect") {
            answer(&mut stream, "application/json", CONNECTED)?;
        } else if first.contains("/stop/") {
            answer(&mut stream, "text/plain", STOPPED)?;
        } else {
            let is_json = first.contains("format=json");
            let format = if is_json { Format::Json } else { Format::Text };
            blast(&mut stream, format, events, chunks)?;
        }
    }
}

fn answer(stream: &mut TcpStream, kind: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    stream.write_all(
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .as_bytes(),
    )
}

/// Writes the whole stream. The bytes of one write are built once; then only the numbers in them change.
fn blast(stream: &mut TcpStream, format: Format, events: u64, chunks: Chunks) -> io::Result<()> {
    let name = if format == Format::Json {
        "json"
    } else {
        "text"
    };
    stream.write_all(
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nsse-format: {name}\r\ntransfer-encoding: chunked\r\n\r\n")
            .as_bytes(),
    )?;
    stream.write_all(&chunk(GREETING[format as usize].as_bytes()))?;
    let frame = frame(format);
    let in_write = (WRITE_BYTES / frame.len()) as u64;
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    let mut index = 0;
    while index < events {
        let count = in_write.min(events - index);
        if index == 0 || count < in_write {
            let times = usize::try_from(count).unwrap_or(0);
            bytes = match chunks {
                Chunks::OfOneEvent => chunk(&frame).repeat(times),
                Chunks::OfAWrite => chunk(&frame.repeat(times)),
            };
            places = memchr::memmem::find_iter(&bytes, &number(0)).collect();
        }
        let in_frame = places.len() / usize::try_from(count).unwrap_or(1);
        for (places, index) in places.chunks_exact(in_frame).zip(index..) {
            let number = number(index);
            for at in places {
                bytes[*at..*at + DIGITS].copy_from_slice(&number);
            }
        }
        stream.write_all(&bytes)?;
        index += count;
    }
    stream.write_all(&chunk(END.as_bytes()))?;
    stream.write_all(b"0\r\n\r\n")
}

/// Returns the frame of the first event.
fn frame(format: Format) -> Vec<u8> {
    let (id, text) = (format!("{FIRST}-1732262400123"), text(0));
    let data = match format {
        Format::Text => text,
        Format::Json => {
            format!(r#"{{"id":"{id}","time":"2024-11-22T08:00:00.123Z","message":"{text}"}}"#)
        }
    };
    format!("id: {id}\nevent: debug\ndata: {data}\n\n").into()
}

fn number(index: u64) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    let mut rest = FIRST + index;
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    digits
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}
