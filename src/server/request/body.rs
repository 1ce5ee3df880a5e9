//! Reading a request's body as text, with limits.

use axum::body::Body;
use bytes::Bytes;
use encoding_rs::{Decoder, DecoderResult, Encoding};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::message::Message;
use crate::server::App;
use crate::server::problem::{Problem, ProblemKind};
use crate::server::request::content::BodyKind;

/// How much larger than its text a message's JSON may be, in bytes.
const JSON_EXTRA: usize = 4 * 1024;
/// What an error calls the text.
const TEXT: &str = "the message's text";
/// Longest form of one byte of text in JSON, in bytes (`\u0001`).
const JSON_ESCAPE_MAX: usize = 6;
/// Longest line end, in bytes. A line end at the end of a body is not part of the text.
const LINE_END_BYTES: usize = 2;

impl BodyKind {
    /// Checks the length of a body as text, given the limit for a message's text. [`check_size`] checks the message
    /// later.
    pub(in crate::server) fn check(self, length: usize, max: usize) -> Result<(), Problem> {
        match self {
            Self::Text if length > max + LINE_END_BYTES => {
                Err(ProblemKind::MessageTooLarge(TEXT, max).into())
            }
            Self::Text => Ok(()),
            Self::Json | Self::Ndjson => check_json(length, max),
        }
    }
}

/// Reads a whole body as text. Fails if `check` rejects the length read so far. Bytes are converted as they arrive, so
/// that `check` bounds the memory.
pub(in crate::server) async fn read_text(
    app: &App,
    charset: &'static Encoding,
    body: &mut Body,
    check: impl Fn(usize) -> Result<(), Problem>,
) -> Result<String, Problem> {
    let reading = async {
        let (mut text, mut held) = (Text::new(charset), app.channels.hub().hold());
        while let Some(chunk) = next_chunk(body).await? {
            text.push(&chunk)?;
            check(text.out.len())?;
            held.set(text.out.capacity())?;
        }
        let text = text.finish()?;
        check(text.len())?;
        Ok(text)
    };
    let read = timeout(app.options.body_timeout, reading).await;
    read.map_err(|_| ProblemKind::BodyLate(app.options.body_timeout))?
}

/// Converts a body to text. A byte order mark at its start is removed, and overrides the charset in the head (WHATWG
/// Encoding, 6).
struct Text {
    decoder: Decoder,
    /// How many bytes have been read.
    read: usize,
    out: String,
}

impl Text {
    fn new(charset: &'static Encoding) -> Self {
        Self {
            decoder: charset.new_decoder(),
            read: 0,
            out: String::new(),
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.convert(bytes, false)
    }

    /// Returns the text, after its last bytes.
    fn finish(mut self) -> Result<String, Problem> {
        self.convert(&[], true)?;
        Ok(self.out)
    }

    fn convert(&mut self, bytes: &[u8], is_last: bool) -> Result<(), Problem> {
        // The decoder holds back only a few bytes, so the size cannot overflow.
        let room = self
            .decoder
            .max_utf8_buffer_length_without_replacement(bytes.len());
        self.out.reserve(room.unwrap_or(0));
        let (result, read) =
            self.decoder
                .decode_to_string_without_replacement(bytes, &mut self.out, is_last);
        self.read += read;
        match result {
            DecoderResult::Malformed(length, after) => {
                let behind = usize::from(length) + usize::from(after);
                let offset = self.read.saturating_sub(behind);
                Err(match self.decoder.encoding().name() {
                    "UTF-8" => ProblemKind::NotUtf8(offset),
                    charset => ProblemKind::NotInCharset(charset, offset),
                }
                .into())
            }
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

/// Checks the length of a message's JSON against the longest possible JSON of a message with `max` bytes of text.
pub(in crate::server) fn check_json(length: usize, max: usize) -> Result<(), Problem> {
    let limit = (max + JSON_EXTRA) * JSON_ESCAPE_MAX;
    if length > limit {
        return Err(ProblemKind::MessageTooLarge("the message's JSON", limit).into());
    }
    Ok(())
}

/// Checks the size of a message's text, and of the whole message.
pub(in crate::server) fn check_size(message: Message, max: usize) -> Result<Message, Problem> {
    if message.text.len() > max {
        Err(ProblemKind::MessageTooLarge(TEXT, max).into())
    } else if message.heap_size() > max + JSON_EXTRA {
        Err(ProblemKind::MessageTooLarge("the message with its fields", max + JSON_EXTRA).into())
    } else {
        Ok(message)
    }
}

/// Returns the next bytes of a body; ignores trailers.
pub(in crate::server) async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken_off(&error))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Returns the error for a body that ended too early. The network is the likely cause, so its status allows a retry.
fn broken_off(error: &axum::Error) -> Problem {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    let mut is_cut_short = false;
    while let Some(error) = cause {
        let kind = error.downcast_ref().map(std::io::Error::kind);
        is_cut_short |= kind == Some(std::io::ErrorKind::UnexpectedEof);
        cause = error.source();
    }
    let why = error.to_string();
    if is_cut_short {
        ProblemKind::BodyCutShort(why)
    } else {
        ProblemKind::BodyInvalid(why)
    }
    .into()
}
