//! A real server inside the test, with its hub in sight.

use std::ops::Deref;

use codechat::internal::{
    hub::{Hub, Limits, Stats},
    server::{FRAMES, ServerOptions, serve},
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{http::Http, soon, waiting::becomes};

pub(crate) struct Server {
    pub(crate) hub: Hub,
    http: Http,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Deref for Server {
    type Target = Http;

    fn deref(&self) -> &Http {
        &self.http
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_, _| {}).await
    }

    /// A server with other limits and options than the defaults.
    pub(crate) async fn with(change: impl FnOnce(&mut Limits, &mut ServerOptions)) -> Self {
        // The variable that the program takes too: with it, all tests see hyper's requests and streams.
        let plain_streams = std::env::var_os("CODECHAT_PLAIN_STREAMS").is_some();
        let mut limits = Limits::default();
        let mut options = ServerOptions {
            plain_streams,
            ..ServerOptions::default()
        };
        change(&mut limits, &mut options);
        Self::of(Hub::new(limits, FRAMES), options).await
    }

    /// A server around this hub.
    pub(crate) async fn of(hub: Hub, options: ServerOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let serving = serve(vec![listener], hub.clone(), options, shutdown);
        Self {
            hub,
            http: Http { address },
            stop: Some(stop),
            task: tokio::spawn(serving),
        }
    }

    /// Tells it to shut down.
    pub(crate) fn shut_down(&mut self) {
        let _ = self.stop.take().expect("told once").send(());
    }

    /// Waits until it has shut down.
    pub(crate) async fn down(self) {
        soon(self.task).await.unwrap();
    }

    /// Waits until its hub's numbers are as wanted.
    pub(crate) async fn stats(&self, wanted: impl Fn(Stats) -> bool) {
        let reached = becomes(|| wanted(self.hub.stats())).await;
        assert!(reached, "it stays at {:?}", self.hub.stats());
    }
}
