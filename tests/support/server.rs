//! A real server inside the test, whose hub is accessible. If `CODECHAT_TEST_STORE` is set, there are two servers,
//! which share a store, behind a balancer that uses them in turn.

use std::{env, net::SocketAddr, ops::Deref, time::Duration};

use codechat::internal::frames::FRAMES;
use codechat::internal::{
    channels::Channels,
    hub::{Hub, Limits, Stats},
    server::{Access, ServerOptions, serve},
    store::{Store, StoreOptions},
};
use futures_util::future::join;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use super::{becomes, http::Http, redis::Redis, soon};

pub(crate) struct Server {
    pub(crate) hub: Hub,
    /// The hub of the other server, if there are two.
    other: Option<Hub>,
    _redis: Option<Redis>,
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

    /// Starts a server with other limits and options than the defaults.
    pub(crate) async fn with(change: impl FnOnce(&mut Limits, &mut ServerOptions)) -> Self {
        // The program reads this variable too: with it, all tests use hyper's requests and streams.
        let plain_streams = env::var_os("CODECHAT_PLAIN_STREAMS").is_some();
        let mut limits = Limits::default();
        let mut options = ServerOptions::new(Access::open());
        options.plain_streams = plain_streams;
        change(&mut limits, &mut options);
        if env::var_os("CODECHAT_TEST_STORE").is_some() {
            return Self::shared(limits, options).await;
        }
        Self::of(Hub::new(limits), options).await
    }

    /// Starts two servers that share a store.
    async fn shared(limits: Limits, options: ServerOptions) -> Self {
        let redis = Redis::start().expect("CODECHAT_TEST_STORE is set");
        let connect = async || {
            let options = StoreOptions {
                address: redis.url().parse().unwrap(),
                password: None,
                prefix: "test".into(),
                timeout: Duration::from_secs(10),
                patience: Duration::from_secs(10),
                stall_timeout: options.stall_timeout,
            };
            Store::connect(options, limits, FRAMES).await.unwrap()
        };
        let (one, other) = (connect().await, connect().await);
        let (hub, other_hub) = (one.hub().clone(), other.hub().clone());
        let (one, stop, task) = Self::serve(one.into(), options.clone()).await;
        let (other, stop_other, other_task) = Self::serve(other.into(), options).await;
        let balancer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = balancer.local_addr().unwrap();
        let balancing = tokio::spawn(balance(balancer, [one, other]));
        let (stop_both, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let _ = stopped.await;
            let _ = (stop.send(()), stop_other.send(()));
            let _ = join(task, other_task).await;
            balancing.abort();
        });
        Self {
            hub,
            other: Some(other_hub),
            _redis: Some(redis),
            http: Http { address },
            stop: Some(stop_both),
            task,
        }
    }

    /// Starts a server around this hub.
    pub(crate) async fn of(hub: Hub, options: ServerOptions) -> Self {
        let (address, stop, task) = Self::serve(hub.clone().into(), options).await;
        Self {
            hub,
            other: None,
            _redis: None,
            http: Http { address },
            stop: Some(stop),
            task,
        }
    }

    async fn serve(
        channels: Channels,
        options: ServerOptions,
    ) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let serving = async move {
            serve(vec![listener], channels.clone(), options, shutdown).await;
            channels.leave().await;
        };
        (address, stop, tokio::spawn(serving))
    }

    /// Tells it to shut down.
    pub(crate) fn shut_down(&mut self) {
        let _ = self.stop.take().expect("stopped once").send(());
    }

    /// Waits until it has shut down.
    pub(crate) async fn down(self) {
        soon(self.task).await.unwrap();
    }

    /// Waits until its hub's numbers match.
    pub(crate) async fn stats(&self, wanted: impl Fn(Stats) -> bool) {
        let reached = becomes(|| wanted(self.both())).await;
        assert!(reached, "it stays at {:?}", self.both());
    }

    /// Returns its hub's numbers; the sum if there are two hubs.
    fn both(&self) -> Stats {
        let mut stats = self.hub.stats();
        if let Some(other) = self.other.as_ref().map(Hub::stats) {
            stats.subscribers += other.subscribers;
            stats.memory += other.memory;
            stats.delivered += other.delivered;
        }
        stats
    }
}

/// Passes each client to the next server.
async fn balance(listener: TcpListener, servers: [SocketAddr; 2]) {
    let mut turns = servers.iter().cycle();
    while let Ok((mut client, _)) = listener.accept().await {
        let server = *turns.next().expect("there are two");
        tokio::spawn(async move {
            let mut server = TcpStream::connect(server).await?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}
