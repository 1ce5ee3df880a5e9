//! The body of an answer. The data of one read is returned in one piece, without the framing of its chunks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{StatusCode, response};
use http_body::Frame;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use tokio::net::TcpStream;

/// Size of one read, in bytes: as much as a server sends at once under load.
const READ: usize = 64 << 10;
/// Upper bound of the framing between the data of two chunks, or after the last chunk, in bytes.
const FRAMING_MAX: usize = 16 << 10;

/// A body, read from its connection. Dropping it closes the connection.
pub(super) struct Body {
    stream: TcpStream,
    /// Bytes that are read but not decoded; at first those that arrived with the head.
    read: BytesMut,
    framing: Framing,
    /// The error that follows the data returned last.
    failed: Option<io::Error>,
}

/// How the end of a body is marked (RFC 9112, 6.3).
#[derive(Debug)]
enum Framing {
    Chunked(Chunks),
    /// By its length; this many bytes are still to come.
    Length(u64),
    /// By the end of the connection.
    Close,
}

impl Body {
    pub(super) fn new(
        stream: TcpStream,
        read: BytesMut,
        head: &response::Parts,
    ) -> io::Result<Self> {
        Ok(Self {
            stream,
            read,
            framing: Framing::of(head.status, &head.headers)?,
            failed: None,
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        while !this.framing.is_over() {
            if let Some(error) = this.failed.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if this.read.is_empty() {
                this.read.reserve(READ);
                ready!(poll_read(&this.stream, cx, &mut this.read))?;
            }
            if this.read.is_empty() {
                return Poll::Ready(this.framing.closed().err().map(Err));
            }
            let mut data = std::mem::take(&mut this.read);
            let (length, decoded) = this.framing.decode(&mut data);
            this.failed = decoded.err();
            data.truncate(length);
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data.freeze()))));
            }
        }
        Poll::Ready(None)
    }
}

/// Reads once and appends the bytes; none at the end of the connection.
fn poll_read(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    read: &mut BytesMut,
) -> Poll<io::Result<()>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        match stream.try_read_buf(read) {
            Ok(_) => return Poll::Ready(Ok(())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

impl Framing {
    fn of(status: StatusCode, headers: &HeaderMap) -> io::Result<Self> {
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok(Self::Length(0));
        }
        let fields = headers.get_all(TRANSFER_ENCODING);
        if let Some(coding) = fields.iter().next_back() {
            let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
            return if is_chunked {
                Ok(Self::Chunked(Chunks::default()))
            } else {
                Err(invalid(
                    "the answer has a transfer encoding other than chunked",
                ))
            };
        }
        let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
        let Some(length) = lengths.next() else {
            return Ok(Self::Close);
        };
        let number = length.to_str().ok().and_then(|it| it.parse().ok());
        let number = number.filter(|_| lengths.all(|it| it == length));
        number
            .map(Self::Length)
            .ok_or_else(|| invalid("the answer has an invalid Content-Length"))
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Chunked(chunks) => chunks.at == At::End,
            Self::Length(left) => *left == 0,
            Self::Close => false,
        }
    }

    /// Moves the data in `bytes` to the front. Returns its length, and an error if the framing after it is invalid.
    fn decode(&mut self, bytes: &mut [u8]) -> (usize, io::Result<()>) {
        match self {
            Self::Chunked(chunks) => chunks.decode(bytes),
            Self::Length(left) => (taken(bytes.len(), left), Ok(())),
            Self::Close => (bytes.len(), Ok(())),
        }
    }

    /// Handles the end of the connection: an error unless the body may end here.
    fn closed(&mut self) -> io::Result<()> {
        match std::mem::replace(self, Self::Length(0)) {
            Self::Close => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Takes up to `length` bytes off `left`; returns their number.
fn taken(length: usize, left: &mut u64) -> usize {
    let taken = usize::try_from(*left).map_or(length, |it| it.min(length));
    *left -= taken as u64;
    taken
}

/// Decodes a chunked body (RFC 9112, 7.1), which may be split into reads anywhere.
#[derive(Debug, Default)]
struct Chunks {
    at: At,
    /// The number of the chunk's bytes that are still to come.
    left: u64,
    /// The number of bytes of framing since the last data.
    framing: usize,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// The first digit of a chunk's size.
    #[default]
    Start,
    Size,
    /// The rest of the line after the size, which is ignored.
    Extension,
    Data,
    /// The line end after the data.
    DataEnd,
    /// The start of a line after the last chunk.
    Trailer,
    TrailerLine,
    End,
}

impl Chunks {
    /// Moves the data to the front, as [`Framing::decode`] does.
    fn decode(&mut self, bytes: &mut [u8]) -> (usize, io::Result<()>) {
        let (mut data, mut at) = (0, 0);
        while at < bytes.len() {
            if self.at == At::Data {
                let length = taken(bytes.len() - at, &mut self.left);
                bytes.copy_within(at..at + length, data);
                (data, at) = (data + length, at + length);
                if self.left == 0 {
                    (self.at, self.framing) = (At::DataEnd, 0);
                }
                continue;
            }
            match self.step(bytes[at]) {
                Ok(next) => self.at = next,
                Err(error) => return (data, Err(error)),
            }
            at += 1;
        }
        (data, Ok(()))
    }

    /// Reads a byte of framing; returns what the next byte belongs to.
    fn step(&mut self, byte: u8) -> io::Result<At> {
        self.framing += 1;
        if self.framing > FRAMING_MAX {
            return Err(invalid(
                "the answer has a chunk with too long an extension or trailer",
            ));
        }
        Ok(match (self.at, byte) {
            (At::Start | At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let size = self.left.checked_mul(16);
                self.left = size
                    .ok_or_else(|| invalid("the answer has a chunk whose size is too large"))?
                    + digit;
                At::Size
            }
            (At::Size | At::Extension, b'\n') if self.left == 0 => At::Trailer,
            (At::Size | At::Extension, b'\n') => At::Data,
            (At::Size, b'\r' | b';' | b' ' | b'\t') | (At::Extension, _) => At::Extension,
            (At::DataEnd, b'\n') => At::Start,
            (At::DataEnd, b'\r') => At::DataEnd,
            (At::Trailer, b'\n') | (At::End, _) => At::End,
            (At::Trailer, b'\r') | (At::TrailerLine, b'\n') => At::Trailer,
            (At::Trailer | At::TrailerLine, _) => At::TrailerLine,
            (At::Start | At::Size | At::DataEnd | At::Data, _) => {
                return Err(invalid("the answer has an invalid chunk"));
            }
        })
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the data of a chunked body that arrives in two pieces, and whether it has ended.
    fn read(body: &str, cut: usize) -> io::Result<(String, bool)> {
        let (mut chunks, mut data) = (Chunks::default(), Vec::new());
        for piece in [&body.as_bytes()[..cut], &body.as_bytes()[cut..]] {
            let mut piece = piece.to_vec();
            let (length, decoded) = chunks.decode(&mut piece);
            decoded?;
            data.extend_from_slice(&piece[..length]);
        }
        Ok((String::from_utf8(data).unwrap(), chunks.at == At::End))
    }

    #[test]
    fn chunks_are_joined_wherever_they_are_cut() {
        let body = "5\r\nhello\r\n1;a=\"b\"\r\n \r\n00b \r\nevery\n0\r\n\r\n\r\n0\r\nX: y\r\n\r\n";
        for cut in 0..body.len() {
            let joined = ("hello every\n0\r\n\r\n".to_owned(), true);
            assert_eq!(read(body, cut).unwrap(), joined, "{cut}");
        }
        assert_eq!(read("3\r\nab", 1).unwrap(), ("ab".into(), false));
    }

    #[test]
    fn an_invalid_chunk_is_an_error() {
        for body in [
            "x\r\n",
            "\r\n",
            "-1\r\na",
            "1\r\nab\r\n",
            "fffffffffffffffff\r\n",
        ] {
            assert!(read(body, 0).is_err(), "{body:?}");
        }
        let endless = format!("1;{}", "x".repeat(FRAMING_MAX));
        assert!(read(&endless, 0).is_err());
    }

    #[test]
    fn the_head_says_how_a_body_ends() {
        let framing = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, value.parse().unwrap());
            }
            Framing::of(StatusCode::OK, &headers)
        };
        let chunked = ("transfer-encoding", "Chunked");
        let length = ("content-length", "3");
        assert!(matches!(framing(&[]).unwrap(), Framing::Close));
        assert!(matches!(
            framing(&[length, chunked]).unwrap(),
            Framing::Chunked(_)
        ));
        assert!(matches!(
            framing(&[length, length]).unwrap(),
            Framing::Length(3)
        ));
        assert!(framing(&[length, ("content-length", "4")]).is_err());
        assert!(framing(&[("transfer-encoding", "gzip")]).is_err());
    }

    #[test]
    fn a_body_of_some_length_breaks_off_early_and_one_without_cannot() {
        let mut framing = Framing::Length(3);
        assert_eq!(framing.decode(&mut [0; 2]).0, 2);
        assert!(!framing.is_over());
        assert!(framing.closed().is_err());
        let mut framing = Framing::Length(3);
        assert_eq!(framing.decode(&mut [0; 4]).0, 3);
        assert!(framing.is_over());
        assert!(Framing::Close.closed().is_ok());
    }
}
