//! `clients`: what one publish costs the server, for the exact requests of the documented publishers, compared with the
//! reference and the floor in the same run: the CPU time of a request, and whether the ratio is within its bound.
//!
//! Sixteen connections send at the same time, each to a client ID of its own that nobody reads. The servers run all the
//! time, and are measured in turns. A row shows the round with the middle ratio.

mod captured;

use std::rc::Rc;

use anyhow::ensure;
use tokio::task::JoinSet;

use self::captured::{PUBLISHERS, Publisher};
use crate::{
    Scale, floor,
    http::Connection,
    process::{Machine, Server, Subject},
    publishing::all,
    table::{float, number},
};

const CONNECTIONS: u64 = 16;
/// Requests per measurement.
const REQUESTS: u64 = 4_800;
const TOKEN: &str = "secret";

/// How long a connection is used, and the bound of the ratio in that case.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Kept,
    Closed,
}

impl Mode {
    fn bound(self) -> f64 {
        match self {
            Self::Kept => 0.75,
            Self::Closed => 1.0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Closed => "close",
        }
    }
}

impl Publisher {
    fn closes(&self) -> bool {
        self.head.contains(&"Connection: close")
    }

    /// Returns a request, in the parts in which it is written.
    fn request(&self, id: &str, token: Option<&str>, mode: Mode, number: u64) -> Vec<Vec<u8>> {
        let mut head = String::new();
        for line in self.head {
            let is_connection = line.to_ascii_lowercase().starts_with("connection:");
            match (*line, token) {
                ("{token}", None) => {}
                ("{token}", Some(token)) => {
                    head.extend(["Authorization: Bearer ", token, "\r\n"]);
                }
                _ if mode == Mode::Closed && is_connection => {}
                (line, _) => head.extend([line, "\r\n"]),
            }
        }
        if mode == Mode::Closed {
            head.push_str("Connection: close\r\n");
        }
        let key = format!("{number:08x}-e89b-42d3-a456-426614174000");
        let head = head
            .replace("{id}", id)
            .replace("{key}", &key)
            .replace("{length}", &self.body.len().to_string());
        let (head, body) = (head + "\r\n", self.body.to_owned());
        if self.has_two_parts {
            vec![head.into(), body.into()]
        } else {
            vec![(head + &body).into()]
        }
    }
}

/// Measures all publishers, and prints the table.
pub(crate) fn run(machine: &Machine, scale: Scale) -> anyhow::Result<()> {
    println!(
        "{:<26} {:>6} {:>6} {:>12} {:>12} {:>7} {:>7} {:>8} {:>7}",
        "publisher",
        "conn.",
        "token",
        "codechat µs",
        "reference",
        "floor",
        "ratio",
        "bound",
        "within"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = tokio::task::LocalSet::new();
    runtime.block_on(tasks.run_until(async {
        for token in [None, Some(TOKEN)] {
            let servers = [
                Server::start_with_token(machine, Subject::Codechat, 64, token)?,
                Server::start_with_token(machine, Subject::Reference, 64, token)?,
                floor::start(machine)?,
            ];
            for publisher in &PUBLISHERS {
                for mode in [Mode::Kept, Mode::Closed] {
                    if mode == Mode::Closed || !publisher.closes() {
                        compare(&servers, publisher, token, mode, scale).await?;
                    }
                }
            }
        }
        Ok(())
    }))
}

/// Measures the servers in turns, and prints the row.
async fn compare(
    servers: &[Server; 3],
    publisher: &'static Publisher,
    token: Option<&'static str>,
    mode: Mode,
    scale: Scale,
) -> anyhow::Result<()> {
    let rounds = if scale.is_quick() { 3 } else { 5 };
    let requests = scale.of(REQUESTS) / CONNECTIONS * CONNECTIONS;
    let mut measured = Vec::new();
    for _ in 0..rounds {
        let mut costs = [0.0; 3];
        // The floor is that of kept connections.
        let count = if mode == Mode::Kept { 3 } else { 2 };
        for (server, cost) in servers.iter().zip(&mut costs).take(count) {
            let before = server.cpu()?;
            send(server, publisher, token, mode, requests).await?;
            let took = server.cpu()?.saturating_sub(before);
            *cost = took.as_secs_f64() * 1e6 / float(requests);
        }
        measured.push(costs);
    }
    let ratio = |[ours, reference, _]: [f64; 3]| ours / reference;
    measured.sort_by(|a, b| ratio(*a).total_cmp(&ratio(*b)));
    let middle = measured[measured.len() / 2];
    let value = ratio(middle);
    println!(
        "{:<26} {:>6} {:>6} {:>12} {:>12} {:>7} {:>7} {:>8} {:>7}",
        publisher.name,
        mode.name(),
        token.map_or("no", |_| "yes"),
        number(middle[0]),
        number(middle[1]),
        if mode == Mode::Kept {
            number(middle[2])
        } else {
            "–".into()
        },
        number(value),
        format!("≤ {}", mode.bound()),
        if value <= mode.bound() { "yes" } else { "NO" },
    );
    Ok(())
}

async fn send(
    server: &Server,
    publisher: &'static Publisher,
    token: Option<&'static str>,
    mode: Mode,
    requests: u64,
) -> anyhow::Result<()> {
    let address = server.address;
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(address).await?;
        let id: Rc<str> = connection.connect_with(token).await?.into();
        tasks.spawn_local(async move {
            for number in 0..requests / CONNECTIONS {
                if mode == Mode::Closed {
                    connection = Connection::open(address).await?;
                }
                let request = publisher.request(&id, token, mode, number);
                let answer = connection.ask_in_parts(&request).await?;
                let status = answer.status;
                ensure!(
                    status == 202,
                    "{} was answered with {status}",
                    publisher.name
                );
            }
            anyhow::Ok(())
        });
    }
    all(tasks).await
}
