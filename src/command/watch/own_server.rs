//! The server inside `codechat watch`, if no other answers: one command is enough to begin.

use std::time::Duration;

use anyhow::bail;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::LEAVE;
use crate::cli::values::default_address;
use crate::client::HEARTBEAT;
use crate::command::serve::Settings;
use crate::event::End;
use crate::hub::Hub;
use crate::server::{self, ServerOptions};
use crate::token::Token;

/// The server inside this program.
pub(super) struct OwnServer {
    hub: Hub,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl OwnServer {
    pub(super) async fn start(
        heartbeat: Option<Duration>,
        token: Option<Token>,
    ) -> anyhow::Result<Self> {
        let address = default_address();
        let listener = match TcpListener::bind(address).await {
            Ok(listener) => listener,
            Err(error) => bail!(
                "no server answers at {address}, and none can be started there: {error}; start one with codechat serve --listen 127.0.0.1:PORT, and name it with --server PORT"
            ),
        };
        let settings = Settings::from_environment()?;
        let options = ServerOptions {
            heartbeat: heartbeat.unwrap_or(HEARTBEAT),
            is_watchers: true,
            ..settings.options(LEAVE, token)
        };
        let hub = Hub::new(settings.limits());
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let serving = server::serve(vec![listener], hub.clone(), options, shutdown);
        Ok(Self {
            hub,
            stop,
            task: tokio::spawn(serving),
        })
    }

    /// Returns its hub.
    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Ends the server. Its clients get an `end` event, so that they do not try to reconnect.
    pub(super) async fn end(self) {
        self.hub.end_all(End::Quit);
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}
