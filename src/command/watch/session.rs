//! What a watch has opened on a server: a channel, perhaps the server itself. Both end with it.

use std::time::Duration;

use tokio::time;

use super::own_server::OwnServer;
use super::url::UrlSource;
use super::{Args, LEAVE};
use crate::cli::values::default_address;
use crate::client::subscribe::{self, FeedError, Reconnect, Update};
use crate::client::{self, Client, ClientError};
use crate::event::{ClientId, Format};
use crate::hub::Hub;
use crate::terminal::stderr;
use crate::token::Token;
use crate::watch::clock::Clock;
use crate::watch::foreign::Mapped;
use crate::watch::record::Recorded;
use crate::watch::resubscribe::Live;
use crate::wire::Route;
use crate::wire::answer::Connected;

/// What is watched.
pub(super) struct Stream {
    pub(super) source: Source,
    pub(super) updates: Updates,
    pub(super) reconnect: Reconnect,
}

/// Where a stream comes from.
pub(super) enum Source {
    /// A client on a server.
    Client(ClientSource),
    /// A URL.
    Url(Box<UrlSource>),
}

/// A client and its server.
pub(super) struct ClientSource {
    pub(super) id: ClientId,
    /// Whether messages can be published to it; not with the original protocol.
    pub(super) takes_messages: bool,
    pub(super) client: Client,
}

impl ClientSource {
    /// Returns the address of the web page with the client's messages; none with the original protocol.
    pub(super) fn page(&self) -> Option<String> {
        let page = self.client.server().join(Route::Viewer.path());
        self.takes_messages.then(|| format!("{page}#{}", self.id))
    }
}

impl Source {
    /// Returns the client ID, if it is a client's.
    pub(super) fn id(&self) -> Option<ClientId> {
        match self {
            Self::Client(client) => Some(client.id),
            Self::Url(_) => None,
        }
    }
}

/// The updates of a stream, whatever its source.
pub(super) type Updates = Box<dyn futures_util::Stream<Item = Result<Update, FeedError>> + Unpin>;

/// What must be cleaned up on leaving.
#[derive(Default)]
pub(super) struct Session {
    /// The channel that this watch opened, while it may be open.
    opened: Option<(Client, ClientId)>,
    server: Option<OwnServer>,
}

impl Session {
    /// Subscribes to the stream that a URL names, or else to a client's.
    pub(super) async fn open(&mut self, args: &Args, clock: &Clock) -> anyhow::Result<Stream> {
        let Some(url) = &args.url else {
            return self.open_client(args, clock).await;
        };
        let source = UrlSource::new(url.clone(), args).await?;
        let options = UrlSource::options(args);
        let reconnect = options.reconnect.clone();
        let live = Live::of_url(&source.stream, options);
        Ok(Stream {
            source: Source::Url(Box::new(source)),
            updates: updates(live, args, clock),
            reconnect,
        })
    }

    /// Gets an ID and subscribes to it; prints the ID.
    async fn open_client(&mut self, args: &Args, clock: &Clock) -> anyhow::Result<Stream> {
        let token = args.server.token()?;
        let client = args.server.client(client::ClientOptions {
            heartbeat: args.heartbeat,
            token: token.clone(),
        })?;
        let (id, takes_messages) = self.id(&client, args, token).await?;
        let named = if args.server.is_named() {
            format!(" --server {}", client.server())
        } else {
            String::new()
        };
        if !takes_messages {
            stderr::line(&format!(
                "client ID {id}; send it in the header Sse-Client-ID of your requests"
            ));
        } else if args.command.is_empty() {
            stderr::line(&format!(
                "client ID {id}; to publish: codechat send --id {id}{named} MESSAGE"
            ));
        } else {
            stderr::line(&format!("client ID {id}"));
        }
        let options = subscribe::SubscribeOptions {
            format: Format::Json,
            tail: args.tail,
            wait: args.wait,
            last_event_id: None,
            reconnect: Reconnect::default(),
            notes_past: args.id.is_some(),
            notes_owner: self.server.is_none(),
        };
        let reconnect = options.reconnect.clone();
        // A command may be silent for longer than the server's idle timeout.
        let stay = args.stay || !args.command.is_empty();
        let live = Live::open(client.clone(), id, options, stay);
        Ok(Stream {
            source: Source::Client(ClientSource {
                id,
                takes_messages,
                client,
            }),
            updates: updates(live, args, clock),
            reconnect,
        })
    }

    /// Returns the ID to watch, and whether messages can be published to it. If no server was named and none answers,
    /// starts one in this program.
    async fn id(
        &mut self,
        client: &Client,
        args: &Args,
        token: Option<Token>,
    ) -> anyhow::Result<(ClientId, bool)> {
        if !args.server.is_named() && !args.wait && !is_there(client).await {
            match OwnServer::start(args.heartbeat, token).await {
                Ok(server) => {
                    self.server = Some(server);
                    stderr::line(&format!(
                        "no server answers at {0}, so this watcher runs one until it exits",
                        client.server()
                    ));
                }
                // Another watch may have started one in the meantime.
                Err(_) if is_there(client).await => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(id) = args.id {
            return Ok((id, true));
        }
        let (id, connected) = connect(client, args.wait).await?;
        self.opened = Some((client.clone(), id));
        Ok((id, connected.takes_messages()))
    }

    /// Returns the hub of this watch's own server, if there is one.
    pub(super) fn hub(&self) -> Option<&Hub> {
        self.server.as_ref().map(OwnServer::hub)
    }

    /// Ends this watch's own server, or else stops the channel that it opened. It takes a bounded time: if the server
    /// is gone, so is the channel.
    pub(super) async fn leave(self) {
        if let Some(server) = self.server {
            server.end().await;
        } else if let Some((client, id)) = self.opened {
            let _ = time::timeout(LEAVE, client.stop(id)).await;
        }
    }
}

/// Returns the updates, recorded and mapped as the flags say.
fn updates(live: Live, args: &Args, clock: &Clock) -> Updates {
    match &args.record {
        Some(path) => {
            let recorded = Recorded::new(live, clock.clone(), path.clone());
            Box::new(Mapped::new(recorded, args.mapping()))
        }
        None => Box::new(Mapped::new(live, args.mapping())),
    }
}

/// Returns whether anything answers at the server's address, whatever it answers.
async fn is_there(client: &Client) -> bool {
    let address = default_address();
    debug_assert_eq!(client.server().to_string(), format!("http://{address}"));
    tokio::net::TcpStream::connect(address).await.is_ok()
}

async fn connect(client: &Client, wait: bool) -> Result<(ClientId, Connected), ClientError> {
    const PAUSE: Duration = Duration::from_millis(500);
    let mut is_reported = false;
    loop {
        match client.connect().await {
            Err(error) if wait && error.is_not_there() => {
                if !is_reported {
                    stderr::line(&format!("waiting for a server at {}", client.server()));
                    is_reported = true;
                }
                time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}
