//! The soak of several servers: three behind nginx, and a store that is stopped, restarted, replaced by its replica,
//! and whose connections are cut.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    program,
    redis::Redis,
    run::{CATCH_UP, CLIENTS, Server, channel, client},
    tally::Tally,
};

const NODES: usize = 3;
/// Upper bound of the time between the beginnings of two faults.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the store is stopped: longer than one answer may take, shorter than a publisher waits.
const STILL: Duration = Duration::from_millis(1500);
/// The pause between two polls.
const LOOK: Duration = Duration::from_millis(5);

/// The faults, which happen in turn.
const FAULTS: [Fault; 6] = [
    Fault::StoreStands,
    Fault::NodeIsKilled,
    Fault::StoreRestarts,
    Fault::ConnectionsAreCut,
    Fault::ReplicaIsPromoted,
    Fault::NodeEnds,
];

#[derive(Clone, Copy, Debug)]
enum Fault {
    StoreStands,
    /// With all its messages.
    StoreRestarts,
    /// Without a loss: watchers that have not read what a failover loses get no gap.
    ReplicaIsPromoted,
    ConnectionsAreCut,
    NodeIsKilled,
    NodeEnds,
}

/// Runs the soak for this time, and counts. Returns `None` if redis-server or nginx is not installed.
pub(crate) async fn soak(codechat: &str, time: Duration) -> Option<Tally> {
    let mut cluster = Cluster::start(codechat).await?;
    let addresses: Vec<_> = cluster.nodes.iter().map(|it| it.address).collect();
    let balancer = Balancer::start(&addresses).await?;
    let mut tally = Tally::default();
    tally.memory[0] = cluster.nodes[NODES - 1].memory();
    let is_over = Arc::new(AtomicBool::new(false));
    let direct = client(&format!("http://{}", balancer.address));
    let (mut channels, begin) = (JoinSet::new(), Instant::now());
    for seed in 0..CLIENTS {
        let (id, _) = direct.connect().await.expect("an ID is issued");
        channels.spawn(channel(balancer.address, id, seed, Arc::clone(&is_over)));
    }
    let step = (time / 7).min(LONGEST_PAUSE);
    let mut next = begin + step;
    for fault in FAULTS.into_iter().cycle() {
        if next + step > begin + time {
            break;
        }
        sleep_until(next).await;
        tally.panicked |= cluster.suffer(fault).await;
        tally.restarts += 1;
        next += step;
    }
    sleep_until(begin + time).await;
    is_over.store(true, Ordering::Relaxed);
    for (sent, watched) in channels.join_all().await {
        tally.sent += sent;
        tally.add(&watched);
    }
    tally.memory[1] = cluster.nodes[NODES - 1].memory();
    for node in &mut cluster.nodes {
        tally.panicked |= node.end("TERM").await;
    }
    Some(tally)
}

struct Cluster {
    codechat: String,
    nodes: Vec<Server>,
    /// The running store.
    store: Redis,
    /// The port where it listens for its replicas.
    port: u16,
    /// The first store, once it has ended: its socket leads to the running one.
    first: Option<Redis>,
    flags: Vec<String>,
}

impl Cluster {
    async fn start(codechat: &str) -> Option<Self> {
        let port = free_port();
        let store = redis(port)?;
        let flags = ["--store", &store.url(), "--store-timeout", "1s"].map(str::to_owned);
        let mut cluster = Self {
            codechat: codechat.to_owned(),
            nodes: Vec::new(),
            store,
            port,
            first: None,
            flags: flags.into(),
        };
        for _ in 0..NODES {
            let node = Server::start(codechat, "127.0.0.1:0", &cluster.flags).await;
            cluster.nodes.push(node);
        }
        Some(cluster)
    }

    /// Causes a fault, and waits until it is over. Returns whether a server panicked.
    async fn suffer(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::StoreStands => {
                self.store.pause();
                sleep(STILL).await;
                self.store.go_on();
                false
            }
            Fault::StoreRestarts => {
                self.store.restart();
                false
            }
            Fault::ConnectionsAreCut => {
                self.store.ask("CLIENT KILL TYPE pubsub");
                self.store.ask("CLIENT KILL TYPE normal");
                false
            }
            Fault::ReplicaIsPromoted => {
                self.promote().await;
                false
            }
            Fault::NodeIsKilled => self.restart(0, "KILL").await,
            Fault::NodeEnds => self.restart(1, "TERM").await,
        }
    }

    async fn restart(&mut self, index: usize, signal: &str) -> bool {
        let panicked = self.nodes[index].end(signal).await;
        let address = self.nodes[index].address.to_string();
        self.nodes[index] = Server::start(&self.codechat, &address, &self.flags).await;
        panicked
    }

    /// Replaces the store by a new replica.
    async fn promote(&mut self) {
        let port = free_port();
        let replica = redis(port).expect("redis-server is installed");
        replica.ask(&format!("REPLICAOF 127.0.0.1 {}", self.port));
        until(|| self.store.ask(&format!("FAILOVER TO 127.0.0.1 {port}")) == "+OK").await;
        // A replica accepts no writes.
        until(|| replica.ask("DEL nothing") == ":0").await;
        replica.take_over(self.first.as_ref().unwrap_or(&self.store));
        let mut before = std::mem::replace(&mut self.store, replica);
        before.kill();
        self.first.get_or_insert(before);
        self.port = port;
    }
}

/// Starts a store that keeps everything on disk before it answers.
fn redis(port: u16) -> Option<Redis> {
    let port = port.to_string();
    let listen = ["--bind", "127.0.0.1", "--port", &port];
    let keep = ["--appendonly", "yes", "--appendfsync", "always"];
    Redis::with(&[listen, keep].concat())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

async fn until(is_so: impl Fn() -> bool) {
    let becomes_so = async {
        while !is_so() {
            sleep(LOOK).await;
        }
    };
    timeout(CATCH_UP, becomes_so)
        .await
        .expect("it becomes so in time");
}

/// nginx in front of all nodes.
struct Balancer {
    address: SocketAddr,
    process: Child,
    folder: PathBuf,
}

impl Balancer {
    async fn start(nodes: &[SocketAddr]) -> Option<Self> {
        let program = program::find("nginx")?;
        let name = format!("codechat-soak-{}", uuid::Uuid::new_v4().simple());
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder).expect("a folder can be made");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let servers: Vec<_> = nodes.iter().map(|it| format!("server {it}; ")).collect();
        let servers = servers.concat();
        let configuration = format!(
            "daemon off; pid pid; error_log stderr crit;
            events {{ }}
            http {{
                access_log off; client_body_temp_path body; proxy_temp_path proxy;
                fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                upstream nodes {{ {servers} }}
                server {{
                    listen {address};
                    location / {{
                        proxy_pass http://nodes; proxy_http_version 1.1; proxy_set_header Connection \"\";
                        proxy_set_header Host localhost; proxy_request_buffering off;
                        client_max_body_size 0;
                    }}
                }}
            }}"
        );
        fs::write(folder.join("nginx.conf"), configuration).expect("it can be written");
        let mut command = Command::new(program);
        command.arg("-p").arg(&folder).args(["-c", "nginx.conf"]);
        let process = command.stdin(Stdio::null()).spawn();
        let process = process.expect("nginx starts");
        until(|| TcpStream::connect(address).is_ok()).await;
        Some(Self {
            address,
            process,
            folder,
        })
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Its workers end with it if it ends by itself.
        let mut kill = Command::new("kill");
        let _ = kill.arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
