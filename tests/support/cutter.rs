//! A proxy that cuts connections after so many bytes of answer.

use std::net::SocketAddr;

use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

use super::{retry_hint::call_back_at_once, soon};

/// Forwards each connection, and cuts it both ways after the next of its budgets; those beyond the
/// last budget are left whole.
pub(crate) struct Cutter {
    pub(crate) url: String,
    accepted: mpsc::UnboundedReceiver<()>,
    _task: JoinSet<()>,
}

impl Cutter {
    pub(crate) async fn start(server: SocketAddr, budgets: Vec<u64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, accepted) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut open = JoinSet::new();
            let mut budgets = budgets.into_iter();
            while let Ok((client, _)) = listener.accept().await {
                let budget = budgets.next().unwrap_or(u64::MAX);
                let _ = sender.send(());
                open.spawn(forward(client, server, budget));
            }
        });
        Self {
            url,
            accepted,
            _task: task,
        }
    }

    /// Waits for the next connection.
    pub(crate) async fn accepted(&mut self) {
        soon(self.accepted.recv()).await.unwrap();
    }
}

async fn forward(client: TcpStream, server: SocketAddr, budget: u64) {
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
    // Whichever ends first takes the other with it.
    tokio::select! {
        _ = io::copy(&mut from_client, &mut to_server) => {}
        () = answers => {}
    }
}
