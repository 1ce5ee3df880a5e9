//! What a watch holds on a server: a channel it opened, maybe the server itself. Both go with it.

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

/// Whose stream it is.
pub(super) enum Source {
    /// A client's, on a server.
    Client(ClientSource),
    /// That of a URL.
    Url(Box<UrlSource>),
}

/// A client, and the server that has it.
pub(super) struct ClientSource {
    pub(super) id: ClientId,
    /// Whether messages can be published to it; not to a server of the original protocol.
    pub(super) takes_messages: bool,
    pub(super) client: Client,
}

impl ClientSource {
    /// The address of the web page that shows the client's messages; none on a server of the original protocol.
    pub(super) fn page(&self) -> Option<String> {
        let page = self.client.server().join(Route::Viewer.path());
        self.takes_messages.then(|| format!("{page}#{}", self.id))
    }
}

impl Source {
    /// The client ID, if it is a client's.
    pub(super) fn id(&self) -> Option<ClientId> {
        match self {
            Self::Client(client) => Some(client.id),
            Self::Url(_) => None,
        }
    }
}

/// What happens on a stream, wherever it comes from.
pub(super) type Updates = Box<dyn futures_util::Stream<Item = Result<Update, FeedError>> + Unpin>;

/// What has to be undone on leaving.
#[derive(Default)]
pub(super) struct Session {
    /// The channel that this watch opened, while it may still be open.
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

    /// Gets an ID and subscribes to it; says the ID.
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
        // A command may be silent for longer than the server's patience.
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

    /// The ID to watch, from a server that is there, and whether messages can be published to it. Where none was named and none is there, this
    /// program becomes one.
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
                        "no server answers at {0}, so this watcher is the server, for as long as it runs",
                        client.server()
                    ));
                }
                // Another watcher may have become one in the meantime.
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

    /// The hub of its own server, if this watch is one.
    pub(super) fn hub(&self) -> Option<&Hub> {
        self.server.as_ref().map(OwnServer::hub)
    }

    /// Ends this watch's own server, or else stops the channel that it opened. Bounded: a server that is gone
    /// takes the channel with it.
    pub(super) async fn leave(self) {
        if let Some(server) = self.server {
            server.end().await;
        } else if let Some((client, id)) = self.opened {
            let _ = time::timeout(LEAVE, client.stop(id)).await;
        }
    }
}

/// What comes, recorded where that is wanted, and read as messages.
fn updates(live: Live, args: &Args, clock: &Clock) -> Updates {
    match &args.record {
        Some(path) => {
            let recorded = Recorded::new(live, clock.clone(), path.clone());
            Box::new(Mapped::new(recorded, args.mapping()))
        }
        None => Box::new(Mapped::new(live, args.mapping())),
    }
}

/// Whether something listens there that can be spoken with; what it says is another question.
async fn is_there(client: &Client) -> bool {
    let address = default_address();
    debug_assert_eq!(client.server().to_string(), format!("http://{address}"));
    tokio::net::TcpStream::connect(address).await.is_ok()
}

async fn connect(client: &Client, wait: bool) -> Result<(ClientId, Connected), ClientError> {
    const PAUSE: Duration = Duration::from_millis(500);
    let mut told = false;
    loop {
        match client.connect().await {
            Err(error) if wait && error.is_not_there() => {
                if !told {
                    stderr::line(&format!("waiting for a server at {}", client.server()));
                    told = true;
                }
                time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}
