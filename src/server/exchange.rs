//! One request and its answer: what holds for every door, whatever is behind it.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Method, Request, Response, Version, header},
    response::IntoResponse,
};
use hyper::body::Incoming;
use tower::Service;

use super::{
    App,
    access::preflight,
    direct::Handoff,
    problem::Problem,
    stream::{OpenStream, StreamBody},
};

/// Answers one request.
pub(super) async fn answer(
    request: Request<Incoming>,
    app: &App,
    router: &Router,
    handoff: &Handoff,
) -> Result<Response<Body>, Infallible> {
    let origin = match app.gate.admit(&request) {
        Ok(origin) => origin,
        Err(problem) => return Ok(problem.into_response()),
    };
    let preflight = origin.as_ref().and_then(|_| preflight(&request));
    let mut response = match preflight {
        Some(response) => response,
        None => route(request, app, router, handoff).await?,
    };
    app.gate.release(origin, response.headers_mut());
    Ok(response)
}

/// Has the request answered by what is behind its door. An answer that is a stream gets its body here,
/// where it is known whether the connection can be taken over.
async fn route(
    request: Request<Incoming>,
    app: &App,
    router: &Router,
    handoff: &Handoff,
) -> Result<Response<Body>, Infallible> {
    if let Err(refusal) = app.hub.admit() {
        return Ok(Problem::from(refusal).into_response());
    }
    let direct = request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && !app.options.plain_streams;
    let mut response = router.clone().call(request.map(Body::new)).await?;
    if let Some(stream) = response
        .extensions_mut()
        .remove::<OpenStream>()
        .and_then(|it| it.take())
    {
        // The router has counted the empty body that stood in for it.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        if direct {
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
            *response.body_mut() = Body::new(handoff.body(stream));
        } else {
            *response.body_mut() = Body::new(StreamBody::new(stream));
        }
    }
    Ok(response)
}
