//! Discarding the rest of a request's body that no handler has read.
//!
//! Many clients send the whole body before they read the answer. If the rest of a refused body were left unread, they
//! would see a connection reset instead of the reason. So the rest is read and discarded while the answer is sent.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::App;

/// Upper bound of what is read and discarded, in bytes; the body timeout bounds it too.
const REST_BYTES: usize = 32 << 20;
/// Time limit for it during a shutdown.
const CLOSING_TIME: Duration = Duration::from_millis(200);

/// A request's body. If it is dropped before its end, the rest is read and discarded.
pub(super) struct WholeBody {
    /// `None` after it is dropped.
    body: Option<Incoming>,
    app: App,
    /// Whether the client waits for 100 Continue before it sends the body (RFC 9110, 10.1.1). Until then, there is
    /// nothing to read.
    waits: bool,
    has_ended: bool,
}

impl WholeBody {
    /// Wraps a body. `waits` is whether the request has a header `Expect`.
    pub(super) fn new(body: Incoming, waits: bool, app: App) -> Self {
        Self {
            has_ended: body.is_end_stream(),
            body: Some(body),
            waits,
            app,
        }
    }
}

impl Body for WholeBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits = false;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.has_ended = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for WholeBody {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        let is_whole = self.has_ended || body.is_end_stream();
        // Without a runtime, the connection is gone too.
        if !is_whole
            && !self.waits
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(drop_rest(body, self.app.clone()));
        }
    }
}

async fn drop_rest(mut body: Incoming, app: App) {
    let rest = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > REST_BYTES {
                break;
            }
        }
    };
    let closing = async {
        app.channels.hub().closed().await;
        sleep(CLOSING_TIME).await;
    };
    // Whichever comes first ends the wait; the connection then continues or closes.
    tokio::select! {
        _ = timeout(app.options.body_timeout, rest) => {}
        () = closing => {}
    }
}
