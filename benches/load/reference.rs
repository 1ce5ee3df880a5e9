//! The reference: the same routes as in a plain server of a hundred lines, with `axum::serve`, axum's `Sse` and a
//! `broadcast` for each client. Each event is built once, when it is published.
//!
//! It has what the works need and nothing that would slow it down: no replay, no resuming, no limits, no flow control.
//! What a reader is too slow for is lost silently.

use std::{
    borrow::Cow,
    collections::HashMap,
    convert::Infallible,
    net::Ipv4Addr,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Sse, sse::Event, sse::KeepAlive},
    routing::{get, post},
    serve::ListenerExt,
};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::broadcast::{self, error::RecvError},
};
use uuid::Uuid;

/// Upper bound of the body of one message, in bytes.
const BODY_BYTES: usize = 64 * 1024;

#[derive(Clone)]
struct App {
    channels: Arc<RwLock<HashMap<Uuid, Arc<Channel>>>>,
    capacity: usize,
}

struct Channel {
    events: broadcast::Sender<Event>,
    count: AtomicU64,
}

impl App {
    fn channel(&self, id: Uuid) -> Result<Arc<Channel>, StatusCode> {
        let channels = self.channels.read().expect("no holder of the lock panics");
        channels.get(&id).cloned().ok_or(StatusCode::NOT_FOUND)
    }
}

impl Channel {
    fn publish(&self, text: &str) -> u64 {
        let id = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let event = Event::default()
            .id(id.to_string())
            .event("debug")
            .data(text);
        // An error only means that nobody reads.
        let _ = self.events.send(event);
        id
    }
}

/// Serves until it is killed; each channel's `broadcast` holds `capacity` events.
pub(crate) fn run(capacity: usize) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        rlimit::increase_nofile_limit(u64::MAX)?;
        let app = App {
            channels: Arc::default(),
            capacity,
        };
        let stop_by_id = get(stop).post(stop);
        let router = Router::new()
            .route("/api/v1/sse/connect", get(connect))
            .route("/api/v1/sse/debug", post(publish_by_header))
            .route("/api/v1/sse/debug/{id}", get(subscribe).post(publish))
            .route("/api/v1/sse/debug/stop/{id}", stop_by_id)
            .with_state(app);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        eprintln!("listening on http://{};", listener.local_addr()?);
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, router).await.context("serve")
    })
}

async fn connect(State(app): State<App>) -> Json<Value> {
    let id = Uuid::new_v4();
    let channel = Channel {
        events: broadcast::Sender::new(app.capacity),
        count: AtomicU64::new(0),
    };
    let mut channels = app.channels.write().expect("no holder of the lock panics");
    channels.insert(id, Arc::new(channel));
    Json(json!({ "clientId": id }))
}

async fn stop(State(app): State<App>, Path(id): Path<Uuid>) -> &'static str {
    let mut channels = app.channels.write().expect("no holder of the lock panics");
    channels.remove(&id);
    "Debug message stream stopped."
}

async fn subscribe(
    State(app): State<App>,
    Path(id): Path<Uuid>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, StatusCode> {
    let events = app.channel(id)?.events.subscribe();
    let greeting = Event::default()
        .retry(Duration::from_secs(1))
        .event("debug")
        .data("Starting server communication...");
    let live = stream::unfold(events, |mut events| async move {
        loop {
            match events.recv().await {
                Ok(event) => return Some((Ok(event), events)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let greeting = stream::once(std::future::ready(Ok(greeting)));
    Ok(Sse::new(greeting.chain(live)).keep_alive(KeepAlive::default()))
}

async fn publish_by_header(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, StatusCode> {
    let id = headers.get("sse-client-id").and_then(|it| it.to_str().ok());
    let id = id.and_then(|it| it.parse().ok());
    let id = id.ok_or(StatusCode::BAD_REQUEST)?;
    publish(State(app), Path(id), headers, body).await
}

async fn publish(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, StatusCode> {
    let channel = app.channel(id)?;
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let (last, accepted) = if kind == Some(b"application/x-ndjson") {
        publish_lines(&channel, body).await?
    } else {
        let read = to_bytes(body, BODY_BYTES).await;
        let bytes = read.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        let text = if kind == Some(b"application/json") {
            text_of(&bytes)?
        } else {
            Cow::Borrowed(std::str::from_utf8(&bytes).map_err(|_| StatusCode::BAD_REQUEST)?)
        };
        (channel.publish(&text), 1)
    };
    let answer = json!({
        "id": format!("{last}-0"), "accepted": accepted, "cancel": false,
        "subscribers": channel.events.receiver_count(),
    });
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

async fn publish_lines(channel: &Channel, body: Body) -> Result<(u64, u64), StatusCode> {
    let (mut last, mut accepted, mut rest) = (0, 0, Vec::new());
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        rest.extend_from_slice(&chunk.map_err(|_| StatusCode::BAD_REQUEST)?);
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &rest) {
            last = channel.publish(&text_of(&rest[start..end])?);
            (accepted, start) = (accepted + 1, end + 1);
        }
        rest.drain(..start);
    }
    if !rest.is_empty() {
        last = channel.publish(&text_of(&rest)?);
        accepted += 1;
    }
    Ok((last, accepted))
}

/// A message in JSON: its text, or an object that contains it.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

fn text_of(json: &[u8]) -> Result<Cow<'_, str>, StatusCode> {
    let text = if json.starts_with(b"{") {
        serde_json::from_slice(json).map(|it: Message| it.message)
    } else {
        serde_json::from_slice(json).map(Cow::Owned)
    };
    text.map_err(|_| StatusCode::BAD_REQUEST)
}
