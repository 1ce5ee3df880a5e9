//! Content codings of a stream. Requests ask for identity, because a compressor may hold back events; a proxy may
//! compress the stream all the same (RFC 9110, 8.4).

use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use futures_util::{Stream, StreamExt};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use super::error::short;

/// Upper bound of the coded bytes that are decoded at once. Deflate expands each to at most 1,032, so about a MiB of
/// decoded bytes is held.
const SLICE: usize = 1 << 10;

/// A supported coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    /// Returns the coding that the head of an answer names, if any.
    ///
    /// # Errors
    /// The name of another coding, or of several.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, String> {
        let fields = headers.get_all(CONTENT_ENCODING).iter();
        let names: Vec<_> = fields
            .flat_map(|it| it.as_bytes().split(|byte| *byte == b','))
            .map(|it| String::from_utf8_lossy(it).trim().to_ascii_lowercase())
            .filter(|it| !it.is_empty() && it != "identity")
            .collect();
        match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(None),
            ["gzip" | "x-gzip"] => Ok(Some(Self::Gzip)),
            ["deflate"] => Ok(Some(Self::Deflate)),
            _ => Err(short(&names.join(", "))),
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        })
    }
}

/// Why a coded body could not be read further.
#[derive(Debug)]
pub(super) enum DecodeError<E> {
    /// The body failed.
    Body(E),
    /// The body ended before the coded data did.
    Cut { coding: Coding },
    /// The bytes are invalid in the coding.
    Broken {
        coding: Coding,
        /// The number of the body's bytes before those, within [`SLICE`].
        after: u64,
    },
}

/// A decoded body. All that the bytes so far contain is returned before more of them are awaited.
pub(super) struct Decoded<S> {
    body: S,
    coding: Coding,
    decoder: Decoder,
    /// The bytes that are not decoded yet.
    coded: Bytes,
    /// The number of bytes decoded.
    position: u64,
}

impl<S> Decoded<S> {
    pub(super) fn new(body: S, coding: Coding) -> Self {
        let decoder = match coding {
            Coding::Gzip => Decoder::Gzip(MultiGzDecoder::new(Vec::new())),
            Coding::Deflate => Decoder::Undecided,
        };
        Self {
            body,
            coding,
            decoder,
            coded: Bytes::new(),
            position: 0,
        }
    }
}

impl<S: Stream<Item = Result<Bytes, E>> + Unpin, E> Stream for Decoded<S> {
    type Item = Result<Bytes, DecodeError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            while !this.coded.is_empty() {
                let slice = this.coded.split_to(this.coded.len().min(SLICE));
                let Ok(bytes) = this.decoder.decode(&slice) else {
                    this.coded.clear();
                    return Poll::Ready(Some(Err(DecodeError::Broken {
                        coding: this.coding,
                        after: this.position,
                    })));
                };
                this.position += slice.len() as u64;
                if !bytes.is_empty() {
                    return Poll::Ready(Some(Ok(bytes.into())));
                }
            }
            match ready!(this.body.poll_next_unpin(cx)) {
                Some(Ok(coded)) => this.coded = coded,
                Some(Err(error)) => return Poll::Ready(Some(Err(DecodeError::Body(error)))),
                None if this.position > 0 && this.decoder.is_cut() => {
                    this.position = 0;
                    let coding = this.coding;
                    return Poll::Ready(Some(Err(DecodeError::Cut { coding })));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

enum Decoder {
    Gzip(MultiGzDecoder<Vec<u8>>),
    /// `deflate` according to RFC 9110: in the zlib format.
    Zlib(ZlibDecoder<Vec<u8>>),
    /// `deflate` as some servers understand it.
    Raw(DeflateDecoder<Vec<u8>>),
    /// `deflate` before its first byte.
    Undecided,
}

impl Decoder {
    /// Returns whether the coded data is incomplete, now that the body has ended.
    fn is_cut(&mut self) -> bool {
        match self {
            Self::Gzip(decoder) => decoder.try_finish().is_err(),
            Self::Zlib(decoder) => decoder.try_finish().is_err(),
            Self::Raw(decoder) => decoder.try_finish().is_err(),
            Self::Undecided => false,
        }
    }

    /// Decodes these bytes, which must not be empty.
    fn decode(&mut self, coded: &[u8]) -> io::Result<Vec<u8>> {
        if matches!(self, Self::Undecided) {
            // The method, deflate, and its window (RFC 1950, 2.2). No encoder makes a raw block that begins like this.
            let is_zlib = coded[0] & 0x0f == 8 && coded[0] >> 4 <= 7;
            *self = if is_zlib {
                Self::Zlib(ZlibDecoder::new(Vec::new()))
            } else {
                Self::Raw(DeflateDecoder::new(Vec::new()))
            };
        }
        // Flushed, so that the newest events do not stay in the decoder.
        let decoded = match self {
            Self::Gzip(decoder) => {
                decoder.write_all(coded)?;
                decoder.flush()?;
                decoder.get_mut()
            }
            Self::Zlib(decoder) => {
                decoder.write_all(coded)?;
                decoder.flush()?;
                decoder.get_mut()
            }
            Self::Raw(decoder) => {
                decoder.write_all(coded)?;
                decoder.flush()?;
                decoder.get_mut()
            }
            Self::Undecided => unreachable!("it was decided above"),
        };
        Ok(std::mem::take(decoded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use futures_util::stream;

    const EVENTS: [&str; 3] = ["data: a\n\n", "data: b\n\n", "data: c\n\n"];

    /// Returns the events as a server encodes them that flushes after each, a chunk for each event.
    fn coded<W: Write>(mut encoder: W, coded: impl Fn(&mut W) -> &mut Vec<u8>) -> Vec<Vec<u8>> {
        let write = |event: &&str| {
            encoder.write_all(event.as_bytes()).unwrap();
            encoder.flush().unwrap();
            std::mem::take(coded(&mut encoder))
        };
        EVENTS.iter().map(write).collect()
    }

    fn decoder(coding: Coding) -> Decoder {
        Decoded::new((), coding).decoder
    }

    #[test]
    fn each_event_is_decoded_with_its_last_byte() {
        let level = Compression::default;
        for (coding, chunks) in [
            (
                Coding::Gzip,
                coded(GzEncoder::new(Vec::new(), level()), GzEncoder::get_mut),
            ),
            (
                Coding::Deflate,
                coded(ZlibEncoder::new(Vec::new(), level()), ZlibEncoder::get_mut),
            ),
            (
                Coding::Deflate,
                coded(
                    DeflateEncoder::new(Vec::new(), level()),
                    DeflateEncoder::get_mut,
                ),
            ),
        ] {
            let mut at_once = decoder(coding);
            let mut by_byte = decoder(coding);
            for (chunk, event) in chunks.iter().zip(EVENTS) {
                assert_eq!(at_once.decode(chunk).unwrap(), event.as_bytes());
                let bytes = chunk.iter().flat_map(|it| by_byte.decode(&[*it]).unwrap());
                assert_eq!(bytes.collect::<Vec<_>>(), event.as_bytes());
            }
        }
    }

    #[test]
    fn gzip_of_several_members_is_one_stream() {
        let mut coded = Vec::new();
        for event in EVENTS {
            let mut member = GzEncoder::new(Vec::new(), Compression::fast());
            member.write_all(event.as_bytes()).unwrap();
            coded.extend(member.finish().unwrap());
        }
        let decoded = decoder(Coding::Gzip).decode(&coded).unwrap();
        assert_eq!(decoded, EVENTS.concat().as_bytes());
    }

    #[tokio::test]
    async fn a_small_body_that_decodes_to_much_is_held_in_parts() {
        const LENGTH: usize = 64 << 20;
        let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
        bomb.write_all(&vec![b'\n'; LENGTH]).unwrap();
        let body = stream::iter([Ok::<_, ()>(Bytes::from(bomb.finish().unwrap()))]);
        let mut decoded = Decoded::new(body, Coding::Gzip);
        let mut length = 0;
        while let Some(bytes) = decoded.next().await {
            let bytes = bytes.unwrap();
            assert!(bytes.len() <= 2 << 20, "{}", bytes.len());
            length += bytes.len();
        }
        assert_eq!(length, LENGTH);
    }

    #[tokio::test]
    async fn invalid_data_is_an_error() {
        let body = stream::iter([Ok::<_, ()>(Bytes::from_static(b"data: no gzip\n\n"))]);
        let mut decoded = Decoded::new(body, Coding::Gzip);
        let error = decoded.next().await.unwrap().unwrap_err();
        assert!(matches!(error, DecodeError::Broken { after: 0, .. }));
        assert!(decoded.next().await.is_none());
    }

    #[test]
    fn the_coding_is_what_the_head_names() {
        let of = |names: &[&str]| {
            let fields = names
                .iter()
                .map(|it| (CONTENT_ENCODING, it.parse().unwrap()));
            let mut headers = HeaderMap::new();
            headers.extend(fields);
            Coding::of(&headers)
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["identity"]), Ok(None));
        assert_eq!(of(&["GZip"]), Ok(Some(Coding::Gzip)));
        assert_eq!(of(&["deflate"]), Ok(Some(Coding::Deflate)));
        assert_eq!(of(&["br"]), Err("br".into()));
        assert_eq!(of(&["gzip, br"]), Err("gzip, br".into()));
        assert_eq!(of(&["gzip", "gzip"]), Err("gzip, gzip".into()));
    }
}
