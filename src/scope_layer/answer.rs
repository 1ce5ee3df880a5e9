//! A watched request's future, and its answer's body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::{Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::watched::Watched;

pin_project! {
    /// The future of a watched handler; see [`ScopeLayer`](super::ScopeLayer).
    pub struct ScopeFuture<F> {
        #[pin]
        future: F,
        watched: Option<Box<Watched>>,
    }
}

impl<F> ScopeFuture<F> {
    pub(super) fn new(future: F, watched: Option<Box<Watched>>) -> Self {
        Self { future, watched }
    }
}

impl<F, B, E> Future for ScopeFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ScopeBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = match this.watched {
            Some(watched) => ready!(watched.run(|| this.future.poll(cx))),
            None => ready!(this.future.poll(cx)),
        };
        let watched = this.watched.take();
        Poll::Ready(match answer {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let length = head.headers.get(header::CONTENT_LENGTH);
                let left = length.and_then(|it| it.to_str().ok()?.parse().ok());
                let body = ScopeBody::new(body, watched, head.status, left);
                Ok(Response::from_parts(head, body))
            }
            Err(error) => {
                if let Some(watched) = watched {
                    watched.fail();
                }
                Err(error)
            }
        })
    }
}

pin_project! {
    /// The body of a watched answer; see [`ScopeLayer`](super::ScopeLayer).
    pub struct ScopeBody<B> {
        #[pin]
        body: B,
        watched: Option<Box<Watched>>,
        status: StatusCode,
        // How many bytes the head announced: after them the body is not polled again.
        left: Option<u64>,
    }
}

impl<B: Body> ScopeBody<B> {
    fn new(body: B, watched: Option<Box<Watched>>, status: StatusCode, left: Option<u64>) -> Self {
        let is_whole = |it: &Watched| it.is_head() || body.is_end_stream() || left == Some(0);
        let watched = match watched {
            Some(watched) if is_whole(&watched) => {
                watched.finish(status);
                None
            }
            other => other,
        };
        Self {
            body,
            watched,
            status,
            left,
        }
    }
}

impl<B: Body> Body for ScopeBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(watched) = this.watched else {
            return this.body.poll_frame(cx);
        };
        let body = this.body.as_mut();
        let frame = ready!(watched.run(|| body.poll_frame(cx)));
        let data = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref());
        let length = data.map_or(0, |it| it.remaining() as u64);
        if let Some(left) = this.left {
            *left = left.saturating_sub(length);
        }
        match &frame {
            Some(Err(_)) => {
                if let Some(watched) = this.watched.take() {
                    watched.fail();
                }
            }
            Some(Ok(_)) if !this.body.is_end_stream() && *this.left != Some(0) => {}
            _ => {
                if let Some(watched) = this.watched.take() {
                    watched.finish(*this.status);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
