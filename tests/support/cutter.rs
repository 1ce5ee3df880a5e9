//! A proxy that cuts connections after a number of bytes of the answer, or when a test says so.

use std::{net::SocketAddr, time::Duration};

use socket2::SockRef;
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{retry_hint::call_back_at_once, soon};

/// Forwards each connection, and cuts it in both directions after the next of its budgets; connections after the last
/// budget are not cut.
pub(crate) struct Cutter {
    pub(crate) url: String,
    accepted: mpsc::UnboundedReceiver<()>,
    asked: mpsc::UnboundedSender<oneshot::Sender<()>>,
    _task: JoinSet<()>,
}

impl Cutter {
    pub(crate) async fn start(server: SocketAddr, budgets: Vec<u64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, accepted) = mpsc::unbounded_channel();
        let (asked, mut wanted) = mpsc::unbounded_channel::<oneshot::Sender<()>>();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut open = JoinSet::new();
            let reset = watch::Sender::new(());
            let mut budgets = budgets.into_iter();
            loop {
                tokio::select! {
                    Ok((client, _)) = listener.accept() => {
                        let budget = budgets.next().unwrap_or(u64::MAX);
                        let _ = sender.send(());
                        open.spawn(forward(client, server, budget, reset.subscribe()));
                    }
                    Some(done) = wanted.recv() => {
                        reset.send_replace(());
                        while open.join_next().await.is_some() {}
                        let _ = done.send(());
                    }
                    else => return,
                }
            }
        });
        Self {
            url,
            accepted,
            asked,
            _task: task,
        }
    }

    /// Waits for the next connection.
    pub(crate) async fn accepted(&mut self) {
        soon(self.accepted.recv()).await.unwrap();
    }

    /// Resets all connections; when this returns, they carry nothing more.
    pub(crate) async fn reset(&self) {
        let (done, resets) = oneshot::channel();
        self.asked.send(done).unwrap();
        soon(resets).await.unwrap();
    }
}

async fn forward(
    client: TcpStream,
    server: SocketAddr,
    budget: u64,
    mut resets: watch::Receiver<()>,
) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let mut from_server = from_server.take(budget);
    let answers = async {
        let mut bytes = [0; 8 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut bytes).await {
            call_back_at_once(&mut bytes[..read]);
            if to_client.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    };
    // If one direction ends, so does the other.
    tokio::select! {
        _ = io::copy(&mut from_client, &mut to_server) => {}
        () = answers => {}
        _ = resets.changed() => {
            let client = SockRef::from(to_client.as_ref());
            client.set_linger(Some(Duration::ZERO)).unwrap();
            // A reset, without the end that dropping it would send first.
            to_client.forget();
        }
    }
}
