//! What can go wrong between this program and a server, said so that the text names the cause once.

use std::error::Error;
use std::time::Duration;

use reqwest::{Response, StatusCode, header};
use thiserror::Error;

use super::ServerUrl;
use crate::wire;
use crate::wire::answer::{ENDED, Problem};

/// The most that is read of any answer's body, but a stream's, in bytes.
const BODY_MAX: usize = 64 << 10;
/// For how long an error's body is read.
const BODY_TIME: Duration = Duration::from_secs(5);
/// How much of a body is quoted, in characters.
const QUOTED: usize = 200;

/// Why a request came to nothing.
#[derive(Clone, Debug, Error)]
pub enum ClientError {
    /// Nothing takes connections there.
    #[error(
        "nothing answers at {server}: {why}; start a server with `codechat serve`, or name another with --server"
    )]
    NotThere {
        /// Where it was looked for.
        server: ServerUrl,
        /// The operating system's or the TLS library's word.
        why: String,
    },
    /// The connection was made and then failed.
    #[error("lost the connection to {server}: {why}")]
    Lost {
        /// Whose connection.
        server: ServerUrl,
        /// How it failed.
        why: String,
    },
    /// The server answers, with an error.
    #[error("the server refused ({status}): {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's detail, or the start of the body where it is no problem object.
        detail: String,
    },
    /// Something answers, but not as this protocol says.
    #[error("{server} answers, but not as a codechat server does: {why}")]
    NotCodechat {
        /// Who answers.
        server: ServerUrl,
        /// What is odd about it.
        why: String,
    },
    /// The token cannot stand in an HTTP header.
    #[error("the token has characters that no HTTP header can carry")]
    BadToken,
    /// The HTTP library does not start, for want of root certificates for example.
    #[error("cannot set up HTTP: {0}")]
    Setup(String),
}

impl ClientError {
    /// Whether nothing takes connections there, so that starting a server would help.
    #[must_use]
    pub fn is_not_there(&self) -> bool {
        matches!(self, Self::NotThere { .. })
    }

    /// The HTTP status that the server refused with.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A request without an answer.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    /// Whether there was a connection at all.
    pub(crate) connected: bool,
    pub(crate) why: String,
}

impl Lost {
    pub(crate) fn at(self, server: &ServerUrl) -> ClientError {
        let (server, why) = (server.clone(), self.why);
        if self.connected {
            ClientError::Lost { server, why }
        } else {
            ClientError::NotThere { server, why }
        }
    }
}

impl From<reqwest::Error> for Lost {
    fn from(error: reqwest::Error) -> Self {
        Self {
            connected: !error.is_connect(),
            why: root_cause(&error),
        }
    }
}

/// An answer that is an error.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) detail: String,
    /// How long the server wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// How many messages of the request stand nevertheless.
    pub(crate) accepted: Option<u64>,
    /// Whether the client's stream has ended, which is for good.
    pub(crate) ended: bool,
}

impl Refusal {
    /// Reads the answer's body for the detail, bounded in size and time.
    pub(crate) async fn of(response: Response) -> Self {
        let status = response.status();
        let header = |name| response.headers().get(name)?.to_str().ok();
        let retry_after = header(header::RETRY_AFTER)
            .and_then(|it| it.trim().parse().ok())
            .map(Duration::from_secs);
        let onward = header(header::LOCATION)
            .filter(|_| status.is_redirection())
            .map(|to| {
                format!(
                    "it sends on to {}; name that server with --server",
                    short(to)
                )
            });
        let is_page = has_type(&response, "text/html");
        let body = start_of_body(response, BODY_MAX).await;
        let problem: Option<Problem> = serde_json::from_slice(&body).ok();
        let accepted = problem.as_ref().and_then(|it| it.accepted);
        let ended = problem.as_ref().is_some_and(|it| it.kind == ENDED);
        let detail = onward.or(problem.map(|it| it.detail)).unwrap_or_else(|| {
            let body = String::from_utf8_lossy(&body);
            if is_page { page(&body) } else { short(&body) }
        });
        Self {
            status: status.as_u16(),
            detail: if detail.is_empty() {
                reason(status)
            } else {
                detail
            },
            retry_after,
            accepted,
            ended,
        }
    }

    /// Whether the same request may do better later. What a server cannot do (501, 505), it cannot.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
    }
}

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused {
            status: refusal.status,
            detail: refusal.detail,
        }
    }
}

/// The first bytes of a body, as far as they come soon.
pub(crate) async fn start_of_body(mut response: Response, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    // What came before the time was over, or the connection was lost, is still worth quoting.
    let _ = tokio::time::timeout(BODY_TIME, read_body(&mut response, &mut body, most)).await;
    body
}

/// Appends a body's bytes, up to `most`: no server may fill this program's memory. Returns whether that
/// was all.
async fn read_body(
    response: &mut Response,
    body: &mut Vec<u8>,
    most: usize,
) -> Result<bool, reqwest::Error> {
    while let Some(chunk) = response.chunk().await? {
        let room = most - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A foreign text on one short line, without control characters.
pub(crate) fn short(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .take(8 * QUOTED)
        .collect();
    let words: Vec<_> = clean.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What to say of a web page: it is meant for people, so what sends it is no codechat server.
fn page(body: &str) -> String {
    let title = body
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map(|(title, _)| format!(", {:?}", short(title)));
    let title = title.unwrap_or_default();
    format!("it answers with a web page{title}; is this a codechat server's address?")
}

/// A chain of errors told by its end, which is where the cause stands.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if let Some(io) = cause.downcast_ref::<std::io::Error>()
        && io.raw_os_error().is_some()
    {
        return io.kind().to_string();
    }
    let text = cause.to_string();
    match text.as_str() {
        "deadline has elapsed" | "operation timed out" => "timed out".into(),
        _ => short(&text),
    }
}

fn reason(status: StatusCode) -> String {
    status
        .canonical_reason()
        .unwrap_or("no reason given")
        .into()
}

/// Whether an answer has the media type `wanted`, whatever its parameters.
pub(crate) fn has_type(response: &Response, wanted: &str) -> bool {
    content_type(response).is_some_and(|given| {
        let kind = given.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(wanted)
    })
}

/// An answer's `Content-Type`.
pub(crate) fn content_type(response: &Response) -> Option<&str> {
    response.headers().get(header::CONTENT_TYPE)?.to_str().ok()
}

/// Reads an answer's whole body as JSON.
pub(crate) async fn read_json<T: serde::de::DeserializeOwned>(
    mut response: Response,
    server: &ServerUrl,
) -> Result<T, ClientError> {
    let odd = |why: String| ClientError::NotCodechat {
        server: server.clone(),
        why,
    };
    if !has_type(&response, wire::JSON) {
        let kind = content_type(&response)
            .unwrap_or("no content type")
            .to_owned();
        let body = start_of_body(response, BODY_MAX).await;
        let start = short(&String::from_utf8_lossy(&body));
        return Err(odd(format!(
            "{kind} instead of JSON, beginning with {start:?}"
        )));
    }
    let mut body = Vec::new();
    match read_body(&mut response, &mut body, BODY_MAX).await {
        Ok(true) => {}
        Ok(false) => {
            let limit = BODY_MAX >> 10;
            return Err(odd(format!("its answer is longer than {limit} KiB")));
        }
        Err(error) => return Err(Lost::from(error).at(server)),
    }
    serde_json::from_slice(&body).map_err(|error| {
        let start = short(&String::from_utf8_lossy(&body));
        odd(format!("{error} in {start:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_is_quoted_short_and_without_control_characters() {
        assert_eq!(short("<html>\r\n\t\x1b[31m hi "), "<html> [31m hi");
        assert_eq!(short(&"é".repeat(500)).chars().count(), QUOTED + 1);
    }

    #[test]
    fn a_missing_server_is_told_with_what_to_do() {
        let error = ClientError::NotThere {
            server: "http://127.0.0.1:2428".parse().unwrap(),
            why: "connection refused".into(),
        };
        assert!(error.is_not_there());
        assert_eq!(error.status(), None);
        assert_eq!(
            error.to_string(),
            "nothing answers at http://127.0.0.1:2428: connection refused; \
             start a server with `codechat serve`, or name another with --server"
        );
    }
}
