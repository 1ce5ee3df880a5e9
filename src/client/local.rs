//! A GET to a server on this machine, without the HTTP library.
//!
//! The library passes on each chunk of an answer from its own task, and most servers send each event as a chunk. That
//! costs 1.7 s of CPU for a million events; this reader, which passes on all chunks of one read at once ([`body`]), takes
//! 0.5 s, and hyper's connection in the same task 0.64 s (`docs/benchmarks.md`). It is only for plain HTTP to a loopback
//! address, which is never reached through a proxy. The answer has the library's type, so callers see no difference.

mod body;

use std::io;

use bytes::{Buf, BytesMut};
use http::response;
use httparse::Status;
use reqwest::header::{HOST, HeaderMap};
use reqwest::{Response, Url};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::root_cause;
use super::lost::{Cause, Lost};
use super::url::is_loopback;
use super::{CONNECT_TIMEOUT, KEEPALIVE, KEEPALIVE_RETRIES};

use body::Body;

/// Upper bound of an answer's head, in bytes.
const HEAD_MAX: usize = 64 << 10;
/// Upper bound of the header fields of an answer.
const FIELDS_MAX: usize = 100;

/// Returns whether [`get`] may send a request to this address.
pub(super) fn supports(url: &Url) -> bool {
    url.scheme() == "http" && is_loopback(url)
}

/// Sends the request, and waits for the head of the answer.
pub(super) async fn get(url: &Url, headers: &HeaderMap) -> Result<Response, Lost> {
    let stream = timeout(CONNECT_TIMEOUT, connect(url)).await;
    let stream = stream
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|error| Lost::new(Cause::NotConnected(root_cause(&error))))?;
    let answer = exchange(stream, url, headers).await;
    answer.map_err(|error| {
        Lost::new(match error.get_ref() {
            Some(cause) if cause.is::<httparse::Error>() => Cause::NotPlain,
            _ => Cause::Broken(root_cause(&error)),
        })
    })
}

async fn connect(url: &Url) -> io::Result<TcpStream> {
    const HTTP: u16 = 80;
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(HTTP);
    let stream = TcpStream::connect((address, port)).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE)
        .with_retries(KEEPALIVE_RETRIES);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

async fn exchange(mut stream: TcpStream, url: &Url, headers: &HeaderMap) -> io::Result<Response> {
    stream.write_all(&request(url, headers)).await?;
    let mut bytes = BytesMut::new();
    loop {
        if bytes.len() > HEAD_MAX {
            return Err(invalid("the head of the answer is too long"));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            let text = "connection closed before message completed";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        while let Some((parts, length)) = head(&bytes)? {
            bytes.advance(length);
            let is_interim = parts.status.is_informational() && parts.status.as_u16() != 101;
            if !is_interim {
                let body = Body::new(stream, bytes, &parts)?;
                let answer = http::Response::from_parts(parts, reqwest::Body::wrap(body));
                return Ok(answer.into());
            }
        }
    }
}

fn request(url: &Url, headers: &HeaderMap) -> Vec<u8> {
    let query = url.query().map(|it| format!("?{it}")).unwrap_or_default();
    let mut request = format!("GET {}{query} HTTP/1.1\r\n", url.path()).into_bytes();
    if !headers.contains_key(HOST) {
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
        request.extend_from_slice(format!("host: {host}{port}\r\n").as_bytes());
    }
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            request.extend_from_slice(part);
        }
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// Parses the head at the start of `bytes`; returns it with its length, or `None` if it is incomplete.
fn head(bytes: &[u8]) -> io::Result<Option<(response::Parts, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let not_http = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let parsed = head.parse(bytes).map_err(not_http)?;
    let Status::Complete(length) = parsed else {
        return Ok(None);
    };
    let mut answer = response::Builder::new().status(head.code.unwrap_or_default());
    for field in head.headers.iter() {
        answer = answer.header(field.name, field.value);
    }
    let answer = answer.body(()).map_err(|it| invalid(&it.to_string()))?;
    Ok(Some((answer.into_parts().0, length)))
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_to_this_machine_is_supported() {
        for (url, is_supported) in [
            ("http://localhost:2428/api", true),
            ("http://[::1]/", true),
            ("https://localhost/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(supports(&url.parse().unwrap()), is_supported, "{url}");
        }
    }

    #[test]
    fn a_request_has_its_host_and_all_headers() {
        let mut headers = HeaderMap::new();
        headers.insert("last-event-id", "7-8".parse().unwrap());
        let url = "http://[::1]:8080/a/b?format=json".parse().unwrap();
        let request = String::from_utf8(request(&url, &headers)).unwrap();
        assert!(request.starts_with("GET /a/b?format=json HTTP/1.1\r\nhost: [::1]:8080\r\n"));
        assert!(request.ends_with("\r\nlast-event-id: 7-8\r\n\r\n"));
    }

    #[test]
    fn a_head_is_parsed_once_it_is_complete() {
        let whole = b"HTTP/1.1 404 No\r\nA: b\r\n\r\nrest";
        for end in 0..25 {
            assert!(head(&whole[..end]).unwrap().is_none(), "{end}");
        }
        let (parts, length) = head(whole).unwrap().unwrap();
        assert_eq!(
            (parts.status.as_u16(), &whole[length..]),
            (404, &b"rest"[..])
        );
        assert_eq!(parts.headers["a"], "b");
        assert!(head(b"SSH-2.0-OpenSSH\r\n").is_err());
    }
}
