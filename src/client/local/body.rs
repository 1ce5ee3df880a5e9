//! The body of an answer, as it comes: whatever one read brings is one piece, without the frames of the
//! chunks that it was sent in.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{StatusCode, response};
use http_body::Frame;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use tokio::net::TcpStream;

/// How much is read at once, in bytes: what a server sends at once under load.
const READ: usize = 64 << 10;
/// The most bytes around a chunk's data, or behind the last chunk.
const AROUND: usize = 16 << 10;

/// Reads a body from its connection, which closes with it.
pub(super) struct Body {
    stream: TcpStream,
    /// What was read and not yet looked at, at first what came along with the head.
    read: BytesMut,
    framing: Framing,
    /// What is wrong with what follows the data that was handed on.
    broken: Option<io::Error>,
}

/// How a body tells its end (RFC 9112, 6.3).
#[derive(Debug)]
enum Framing {
    Chunked(Chunks),
    /// So many bytes are still to come.
    Length(u64),
    /// With the connection.
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
            broken: None,
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
            if let Some(broken) = this.broken.take() {
                return Poll::Ready(Some(Err(broken)));
            }
            if this.read.is_empty() {
                this.read.reserve(READ);
                ready!(poll_read(&this.stream, cx, &mut this.read))?;
            }
            if this.read.is_empty() {
                return Poll::Ready(this.framing.closed().err().map(Err));
            }
            let mut data = std::mem::take(&mut this.read);
            let (length, framed) = this.framing.data(&mut data);
            this.broken = framed.err();
            data.truncate(length);
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data.freeze()))));
            }
        }
        Poll::Ready(None)
    }
}

/// Appends what there is to read, nothing at the stream's end.
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
                Err(broken(
                    "its answer has a transfer encoding other than chunked",
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
            .ok_or_else(|| broken("its answer has a bad content length"))
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Chunked(chunks) => chunks.at == At::End,
            Self::Length(left) => *left == 0,
            Self::Close => false,
        }
    }

    /// Moves the data in what was read to its front. Says how long they are, and whether all is well with
    /// what is around them.
    fn data(&mut self, bytes: &mut [u8]) -> (usize, io::Result<()>) {
        match self {
            Self::Chunked(chunks) => chunks.data(bytes),
            Self::Length(left) => (taken(bytes.len(), left), Ok(())),
            Self::Close => (bytes.len(), Ok(())),
        }
    }

    /// Whether the connection may close here.
    fn closed(&mut self) -> io::Result<()> {
        match std::mem::replace(self, Self::Length(0)) {
            Self::Close => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// As many of so many bytes as `left` allows.
fn taken(length: usize, left: &mut u64) -> usize {
    let taken = usize::try_from(*left).map_or(length, |it| it.min(length));
    *left -= taken as u64;
    taken
}

/// Takes a chunked body apart (RFC 9112, 7.1), wherever its bytes are cut.
#[derive(Debug, Default)]
struct Chunks {
    at: At,
    /// How much of the chunk is still to come.
    left: u64,
    /// How many bytes other than data came since the last data.
    around: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before the first digit of a size.
    #[default]
    Start,
    Size,
    /// Behind the size, in what nobody needs.
    Extension,
    Data,
    /// Before the line end that follows the data.
    DataEnd,
    /// Behind the last chunk, at the beginning of a line.
    Trailer,
    TrailerLine,
    End,
}

impl Chunks {
    /// Moves the data to the front: there they go over into what is warm in the processor's cache.
    fn data(&mut self, bytes: &mut [u8]) -> (usize, io::Result<()>) {
        let (mut data, mut at) = (0, 0);
        while at < bytes.len() {
            if self.at == At::Data {
                let length = taken(bytes.len() - at, &mut self.left);
                bytes.copy_within(at..at + length, data);
                (data, at) = (data + length, at + length);
                if self.left == 0 {
                    (self.at, self.around) = (At::DataEnd, 0);
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

    /// Where the next byte is, after this one that is not data.
    fn step(&mut self, byte: u8) -> io::Result<At> {
        self.around += 1;
        if self.around > AROUND {
            return Err(broken("its answer has too much around a chunk's data"));
        }
        Ok(match (self.at, byte) {
            (At::Start | At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let size = self.left.checked_mul(16);
                self.left =
                    size.ok_or_else(|| broken("its answer has a chunk without bounds"))? + digit;
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
                return Err(broken("its answer has a chunk that is none"));
            }
        })
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a chunked body that comes in two pieces, and whether it has ended.
    fn read(body: &str, cut: usize) -> io::Result<(String, bool)> {
        let (mut chunks, mut data) = (Chunks::default(), Vec::new());
        for piece in [&body.as_bytes()[..cut], &body.as_bytes()[cut..]] {
            let mut piece = piece.to_vec();
            let (length, framed) = chunks.data(&mut piece);
            framed?;
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
    fn what_is_no_chunk_is_an_error() {
        for body in [
            "x\r\n",
            "\r\n",
            "-1\r\na",
            "1\r\nab\r\n",
            "fffffffffffffffff\r\n",
        ] {
            assert!(read(body, 0).is_err(), "{body:?}");
        }
        let endless = format!("1;{}", "x".repeat(AROUND));
        assert!(read(&endless, 0).is_err());
    }

    #[test]
    fn the_head_tells_how_a_body_ends() {
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
        assert_eq!(framing.data(&mut [0; 2]).0, 2);
        assert!(!framing.is_over());
        assert!(framing.closed().is_err());
        let mut framing = Framing::Length(3);
        assert_eq!(framing.data(&mut [0; 4]).0, 3);
        assert!(framing.is_over());
        assert!(Framing::Close.closed().is_ok());
    }
}
