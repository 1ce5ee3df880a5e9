//! Reading answers that are not streams, within bounds: the detail of a refusal, or an acknowledgement.

use std::fmt;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt};
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode, header};

use super::ServerUrl;
use super::coding::{Coding, Decoded};
use super::error::{ClientError, Place, Redirect, short};
use super::lost::Lost;
use super::stream_url::shown;
use crate::wire;
use crate::wire::answer::{ENDED, Problem};

/// Upper bound of what is read of a body that is not a stream, in bytes.
const BODY_MAX: usize = 64 << 10;
/// How long to read the body of an error.
const BODY_TIME: Duration = Duration::from_secs(5);

/// The kind of server that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A codechat server, or one with the original protocol.
    Server,
    /// Any server that sends an event stream.
    Stream,
}

/// An answer with an error status.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) detail: String,
    /// How long the server asks clients to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The number of the request's messages that were accepted nevertheless.
    pub(crate) accepted: Option<u64>,
    /// Whether the client's stream has ended for good.
    pub(crate) ended: bool,
    /// Whether the body is a problem object, like codechat's.
    pub(crate) is_problem: bool,
}

impl Refusal {
    /// Reads the body for the detail, bounded in size and time. The advice depends on the kind of server.
    pub(crate) async fn of(response: Response, expected: Expected) -> Self {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let redirect_advice = redirect_advice(&response, expected);
        let is_page = has_type(&response, "text/html");
        let redirect = response.extensions().get::<Redirect>().cloned();
        let is_plain = response.url().scheme() == "http";
        let body = start_of_body(response, BODY_MAX).await;
        let problem: Option<Problem> = serde_json::from_slice(&body).ok();
        let accepted = problem.as_ref().and_then(|it| it.accepted);
        let ended = problem.as_ref().is_some_and(|it| it.kind == ENDED);
        let is_problem = problem.is_some();
        let text = problem.map(|it| it.detail).or_else(|| error_text(&body));
        let mut detail = redirect_advice.or(text).unwrap_or_else(|| {
            let body = String::from_utf8_lossy(&body);
            // nginx, Apache and Go answer so to plain HTTP on a TLS port.
            if is_plain && status == StatusCode::BAD_REQUEST && body.contains("HTTPS") {
                "this port takes TLS, not plain HTTP; write https://".into()
            } else if is_page {
                page(&body, expected)
            } else {
                short(&body)
            }
        });
        if detail.is_empty() {
            detail = reason(status);
        }
        if let Some(redirect) = redirect {
            detail = format!("{detail}, from {redirect}");
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

    /// Returns whether the same request may succeed later; not if the server does not support it (501, 505).
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.detail)
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

/// Returns the text of another server's error object, in Spring's form: its message, or else its error, but never the
/// stack trace.
fn error_text(body: &[u8]) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    let text = |name| {
        let text = object.get(name)?.as_str()?;
        Some(short(text)).filter(|it| !it.is_empty())
    };
    text("message").or_else(|| text("error"))
}

/// Returns how long the server asks clients to wait, given in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Describes a redirect that is not followed.
fn redirect_advice(response: &Response, expected: Expected) -> Option<String> {
    let to = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let to = match to.parse() {
        Ok(url) => shown(&url),
        Err(_) => to.split(['?', '#']).next().unwrap_or_default().into(),
    };
    let to = short(&to);
    response.status().is_redirection().then(|| match expected {
        Expected::Server => {
            format!("it redirects to {to}; name that server (--server or CODECHAT_SERVER)")
        }
        Expected::Stream => format!("it redirects to {to}, where this request is not sent"),
    })
}

/// Returns the first bytes of a body, decoded: those that arrive within [`BODY_TIME`].
pub(crate) async fn start_of_body(response: Response, most: usize) -> Vec<u8> {
    let coding = Coding::of(response.headers()).ok().flatten();
    let body = response.bytes_stream().boxed();
    let mut body = match coding {
        None => body.map_err(drop).boxed(),
        Some(coding) => Decoded::new(body, coding).map_err(drop).boxed(),
    };
    let mut start = Vec::new();
    let reading = async {
        while let Some(Ok(chunk)) = body.next().await
            && start.len() < most
        {
            let room = most - start.len();
            start.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
    };
    // Whatever arrived is worth quoting.
    let _ = tokio::time::timeout(BODY_TIME, reading).await;
    start
}

/// Appends a body's bytes, up to `most`, which bounds the memory. Returns whether that was all.
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

/// Describes a web page: an answer that no codechat server gives.
fn page(body: &str, expected: Expected) -> String {
    let title = body
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map(|(title, _)| format!(", {:?}", short(title)));
    let title = title.unwrap_or_default();
    let advice = match expected {
        Expected::Server => "; is this a codechat server's address?",
        Expected::Stream => "",
    };
    format!("it answers with a web page{title}{advice}")
}

fn reason(status: StatusCode) -> String {
    status
        .canonical_reason()
        .unwrap_or("no reason given")
        .into()
}

/// Returns whether an answer has the media type `wanted`, with any parameters.
pub(crate) fn has_type(response: &Response, wanted: &str) -> bool {
    content_type(response).is_some_and(|given| {
        let kind = given.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(wanted)
    })
}

/// Returns the `Content-Type` of an answer.
pub(crate) fn content_type(response: &Response) -> Option<&str> {
    response.headers().get(header::CONTENT_TYPE)?.to_str().ok()
}

/// Reads the whole body as JSON.
pub(crate) async fn read_json<T: serde::de::DeserializeOwned>(
    mut response: Response,
    server: &ServerUrl,
) -> Result<T, ClientError> {
    let place = Place::of(&response, server);
    let redirect = response.extensions().get().cloned().map(Box::new);
    let not_codechat = |why: String| ClientError::NotCodechat {
        place: place.clone(),
        why,
    };
    if let Some(coding) = response.headers().get(header::CONTENT_ENCODING) {
        return Err(not_codechat(format!(
            "its answer has the content coding {coding:?}, which was not requested"
        )));
    }
    if !has_type(&response, wire::JSON) {
        let kind = content_type(&response)
            .unwrap_or("no content type")
            .to_owned();
        let body = start_of_body(response, BODY_MAX).await;
        let start = short(&String::from_utf8_lossy(&body));
        return Err(not_codechat(format!(
            "{kind} instead of JSON, beginning with {start:?}"
        )));
    }
    let mut body = Vec::new();
    match read_body(&mut response, &mut body, BODY_MAX).await {
        Ok(true) => {}
        Ok(false) => {
            let limit = BODY_MAX >> 10;
            return Err(not_codechat(format!(
                "its answer is longer than {limit} KiB"
            )));
        }
        Err(error) => {
            let mut lost = Lost::from(error);
            lost.redirect = redirect;
            return Err(lost.at(server));
        }
    }
    serde_json::from_slice(&body).map_err(|error| {
        let start = short(&String::from_utf8_lossy(&body));
        not_codechat(format!("{error} in {start:?}"))
    })
}
