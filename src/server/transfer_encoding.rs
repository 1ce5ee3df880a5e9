//! Where a request ends, where two readers of the same bytes could differ about it: a proxy before
//! this server, say. Such a difference lets one client put words into another one's mouth.

use axum::http::{HeaderMap, HeaderValue, Response, header};

use super::problem::{Problem, ProblemKind};

/// Whether the body comes in chunks.
///
/// # Errors
/// Where it comes in any other coding than chunks alone: hyper looks at the last one only, and takes
/// the bytes of the others for the message.
pub(super) fn is_chunked(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(ProblemKind::TransferEncoding.into()),
    }
}

/// Ends the connection with this answer. A request in chunks is the last one on its connection, as it
/// may have had a `Content-Length` too, which hyper hides (RFC 9112, 6.1).
pub(super) fn end<B>(mut answer: Response<B>) -> Response<B> {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}
