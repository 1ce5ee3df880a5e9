//! The end of a request. If a proxy and this server disagreed about where it is, one client could smuggle a request
//! into another client's connection.

use axum::http::{HeaderMap, HeaderValue, Response, header};

use super::problem::{Problem, ProblemKind};

/// Returns whether the body is chunked.
///
/// # Errors
/// If it has any other coding than `chunked` alone: hyper checks only the last coding, and would treat the encoded
/// bytes as the message.
pub(super) fn is_chunked(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(ProblemKind::TransferEncoding.into()),
    }
}

/// Closes the connection after this answer. This is done for chunked requests, because they may have had a
/// `Content-Length` too, which hyper hides (RFC 9112, 6.1).
pub(super) fn end<B>(mut answer: Response<B>) -> Response<B> {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}
