//! What is read of an answer that is no stream: a refusal's detail, or an acknowledgement, within bounds.

use std::time::Duration;

use reqwest::{Response, StatusCode, header};

use super::ServerUrl;
use super::error::{ClientError, Lost, Place, Redirect, short};
use crate::wire;
use crate::wire::answer::{ENDED, Problem};

/// The most that is read of any answer's body, but a stream's, in bytes.
const BODY_MAX: usize = 64 << 10;
/// For how long an error's body is read.
const BODY_TIME: Duration = Duration::from_secs(5);

/// Which server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// One that is to be codechat's, or to speak as the original does.
    Server,
    /// That of any event stream.
    Stream,
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
    /// Whether it is a problem object, as codechat's are.
    pub(crate) is_problem: bool,
}

impl Refusal {
    /// Reads the answer's body for the detail, bounded in size and time. What is advised depends on which server was
    /// asked.
    pub(crate) async fn of(response: Response, asked: Asked) -> Self {
        let status = response.status();
        let header = |name| response.headers().get(name)?.to_str().ok();
        let retry_after = header(header::RETRY_AFTER)
            .and_then(|it| it.trim().parse().ok())
            .map(Duration::from_secs);
        let onward = header(header::LOCATION)
            .filter(|_| status.is_redirection())
            .map(|to| match asked {
                Asked::Server => {
                    format!(
                        "it sends on to {}; name that server with --server",
                        short(to)
                    )
                }
                Asked::Stream => {
                    let to = to.split(['?', '#']).next().unwrap_or_default();
                    format!(
                        "it sends on to {}, where this request is not sent",
                        short(to)
                    )
                }
            });
        let is_page = has_type(&response, "text/html");
        let redirect = response.extensions().get::<Redirect>().cloned();
        let is_plain = response.url().scheme() == "http";
        let body = start_of_body(response, BODY_MAX).await;
        let problem: Option<Problem> = serde_json::from_slice(&body).ok();
        let accepted = problem.as_ref().and_then(|it| it.accepted);
        let ended = problem.as_ref().is_some_and(|it| it.kind == ENDED);
        let is_problem = problem.is_some();
        let said = problem.map(|it| it.detail).or_else(|| said(&body));
        let mut detail = onward.or(said).unwrap_or_else(|| {
            let body = String::from_utf8_lossy(&body);
            // As nginx, Apache and Go answer plain HTTP on a port for TLS.
            if is_plain && status == StatusCode::BAD_REQUEST && body.contains("HTTPS") {
                "it does not take plain HTTP on this port, but TLS; write https://".into()
            } else if is_page {
                page(&body, asked)
            } else {
                short(&body)
            }
        });
        if detail.is_empty() {
            detail = reason(status);
        }
        if let Some(redirect) = redirect {
            detail = format!("{detail}; says {redirect}");
        }
        Self {
            status: status.as_u16(),
            detail,
            retry_after,
            accepted,
            ended,
            is_problem,
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
            is_problem: refusal.is_problem,
        }
    }
}

/// What an error object of another server says, as Spring writes it: its message, or else its error; never the stack
/// trace that comes with them.
fn said(body: &[u8]) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    let text = |name| {
        let text = object.get(name)?.as_str()?;
        Some(short(text)).filter(|it| !it.is_empty())
    };
    text("message").or_else(|| text("error"))
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

/// What to say of a web page: it is meant for people, so what sends it is no codechat server.
fn page(body: &str, asked: Asked) -> String {
    let title = body
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map(|(title, _)| format!(", {:?}", short(title)));
    let title = title.unwrap_or_default();
    let advice = match asked {
        Asked::Server => "; is this a codechat server's address?",
        Asked::Stream => "",
    };
    format!("it answers with a web page{title}{advice}")
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
    let place = Place::of(&response, server);
    let redirect = response.extensions().get().cloned().map(Box::new);
    let odd = |why: String| ClientError::NotCodechat {
        place: place.clone(),
        why,
    };
    if let Some(coding) = response.headers().get(header::CONTENT_ENCODING) {
        return Err(odd(format!(
            "its answer is coded as {coding:?}, though it was asked for none"
        )));
    }
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
        Err(error) => {
            let mut lost = Lost::from(error);
            lost.redirect = redirect;
            return Err(lost.at(server));
        }
    }
    serde_json::from_slice(&body).map_err(|error| {
        let start = short(&String::from_utf8_lossy(&body));
        odd(format!("{error} in {start:?}"))
    })
}
