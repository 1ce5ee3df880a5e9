//! A proxy that disturbs connections as networks do, in a way that is given by a seed.

use std::{net::SocketAddr, time::Duration};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{chance::Chance, retry_hint::call_back_at_once};

/// Upper bound of the bytes that are repeated to the server, small enough that it still remembers the keys of all
/// requests in them.
const REPLAYED: usize = 8 * 1024;
/// Number of bytes that are passed one by one; more would only take time.
const BYTEWISE: usize = 1000;
/// Upper bound of a stall before the connection is cut, in milliseconds.
const LONGEST_STALL: u64 = 400;

/// Which connections have faults, and how late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) seed: u64,
    /// The number of connections with faults; those after them have none.
    pub(crate) connections: u64,
    /// The number of bytes in each direction before any fault.
    pub(crate) spared: u64,
    /// Each fault comes within the next `2^bits` bytes.
    pub(crate) bits: u64,
    /// Whether a client's bytes are sometimes repeated to the server.
    pub(crate) replays: bool,
}

/// Forwards connections to a server, with faults.
pub(crate) struct FaultProxy {
    pub(crate) url: String,
    _task: JoinSet<()>,
}

impl FaultProxy {
    pub(crate) async fn start(server: SocketAddr, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut chance = Chance::new(faults.seed);
            let mut open = JoinSet::new();
            let mut count = 0;
            while let Ok((client, _)) = listener.accept().await {
                count += 1;
                let mut plan = || Plan::new(&mut chance, faults);
                let plans = if count > faults.connections {
                    [Plan::HARMLESS; 2]
                } else {
                    [plan(), plan()]
                };
                let replays = faults.replays && count <= faults.connections && chance.below(3) == 0;
                open.spawn(forward(client, server, plans, replays));
                while open.try_join_next().is_some() {}
            }
        });
        Self { url, _task: task }
    }
}

/// The fault of one direction of a connection.
#[derive(Clone, Copy, Debug)]
struct Plan {
    pace: Pace,
    /// The number of bytes before the fault.
    after: u64,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    AsItComes,
    Bytewise,
    Delayed(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Both directions end.
    Cut,
    /// Both directions are reset.
    Reset,
    /// This direction ends, the other continues.
    HalfClose,
    /// Nothing is passed for this time; then both directions end.
    Stall(Duration),
}

/// How a direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// Only this direction.
    Half,
    /// Both directions.
    Whole,
    /// Both directions, by a reset.
    Reset,
}

impl Plan {
    const HARMLESS: Self = Self {
        pace: Pace::AsItComes,
        after: u64::MAX,
        fault: Fault::Cut,
    };

    fn new(chance: &mut Chance, faults: Faults) -> Self {
        let pace = match chance.below(6) {
            0 => Pace::Bytewise,
            1 => Pace::Delayed(Duration::from_millis(chance.below(20))),
            _ => Pace::AsItComes,
        };
        let after = match chance.below(3) {
            0 => u64::MAX,
            _ => faults.spared + chance.size(faults.bits),
        };
        let fault = match chance.below(5) {
            0 => Fault::Reset,
            1 => Fault::HalfClose,
            2 => Fault::Stall(Duration::from_millis(chance.below(LONGEST_STALL))),
            _ => Fault::Cut,
        };
        Self { pace, after, fault }
    }
}

async fn forward(mut client: TcpStream, address: SocketAddr, plans: [Plan; 2], replays: bool) {
    let Ok(mut server) = TcpStream::connect(address).await else {
        return;
    };
    for socket in [&client, &server] {
        socket.set_nodelay(true).unwrap();
    }
    let mut said = Vec::new();
    let ended = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = carry(&mut from_client, &mut to_server, plans[0], &mut said);
        let mut heard = Vec::new();
        let down = carry(&mut from_server, &mut to_client, plans[1], &mut heard);
        tokio::pin!(up, down);
        tokio::select! {
            ended = &mut up => if ended == Ended::Half { down.await } else { ended },
            ended = &mut down => if ended == Ended::Half { up.await } else { ended },
        }
    };
    if ended == Ended::Reset {
        for socket in [&client, &server] {
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }
    drop((client, server));
    if replays && said.len() <= REPLAYED {
        say_again(address, &said).await;
    }
}

/// Passes one direction on to its end, or to its fault.
async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    plan: Plan,
    said: &mut Vec<u8>,
) -> Ended {
    let mut left = plan.after;
    let mut buffer = vec![0; 16 * 1024];
    let mut bytewise = BYTEWISE;
    while left > 0 {
        let read = match from.read(&mut buffer).await {
            Ok(0) => {
                let _ = to.shutdown().await;
                return Ended::Half;
            }
            Ok(read) => read,
            Err(_) => return Ended::Reset,
        };
        let read = usize::try_from(left).unwrap_or(usize::MAX).min(read);
        left -= read as u64;
        let bytes = &mut buffer[..read];
        call_back_at_once(bytes);
        if said.len() <= REPLAYED {
            said.extend_from_slice(bytes);
        }
        let mut slowly = 0;
        match plan.pace {
            Pace::AsItComes => {}
            Pace::Delayed(delay) => sleep(delay).await,
            Pace::Bytewise => slowly = bytewise.min(read),
        }
        bytewise -= slowly;
        let (slow, rest) = bytes.split_at(slowly);
        for piece in slow.chunks(1).chain([rest]) {
            if to.write_all(piece).await.is_err() {
                return Ended::Reset;
            }
            tokio::task::yield_now().await;
        }
    }
    match plan.fault {
        Fault::Cut => Ended::Whole,
        Fault::Reset => Ended::Reset,
        Fault::HalfClose => {
            let _ = to.shutdown().await;
            Ended::Half
        }
        Fault::Stall(time) => {
            sleep(time).await;
            Ended::Whole
        }
    }
}

/// Repeats a client's bytes to the server on another connection, like a network that delivers twice.
async fn say_again(address: SocketAddr, said: &[u8]) {
    let Ok(mut server) = TcpStream::connect(address).await else {
        return;
    };
    if server.write_all(said).await.is_ok() {
        let mut answer = [0; 1024];
        let _ = timeout(
            Duration::from_millis(LONGEST_STALL),
            server.read(&mut answer),
        )
        .await;
    }
}
