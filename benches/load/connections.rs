//! Works with connections that are opened, kept and closed: `cycles` and `idle`.

use std::{
    cell::Cell,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{net::TcpStream, task::JoinSet};

use crate::{
    Scale,
    http::Connection,
    process::Server,
    table::{Figure, Unit, float},
};

/// Number of source addresses. With a single one, closed connections would hold most ports, and the search for a free
/// port would dominate the measurement.
const SOURCES: u64 = 250;
/// Number of connections that are being opened at a time.
const AT_A_TIME: usize = 16;
/// How often all streams are opened and closed before the memory is read again.
const ROUNDS: usize = 5;
/// Time within which a server must have noticed that its clients are gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Gets an ID, subscribes on the same connection, reads the greeting, disconnects; 16 connections do so all the time.
pub(crate) async fn cycles(server: &Server, scale: Scale) -> anyhow::Result<Vec<Figure>> {
    let cycles = scale.of(20_000);
    let meter = server.meter()?;
    each(cycles, server.address, |_, _| ()).await?;
    Ok(vec![Figure::rate(
        "cycles",
        "cycles",
        cycles,
        meter.took()?,
    )])
}

/// Measures the memory of 10,000 streams, each of a client of its own, on which nothing happens, and what is left of it
/// after five times as many have been opened and closed, each stopped like by a watcher that ends.
pub(crate) async fn idle(server: &Server, scale: Scale) -> anyhow::Result<Vec<Figure>> {
    let count = scale.of(10_000);
    let (empty, files) = (server.memory()?, server.files()?);
    let mut per_stream = 0.0;
    for round in 0..=ROUNDS {
        let mut streams = Vec::new();
        each(count, server.address, |id, stream| {
            streams.push((id, stream));
        })
        .await?;
        if round == 0 {
            per_stream = float(server.memory()? - empty) / float(count);
        }
        let ids: Vec<_> = streams.into_iter().map(|(id, _)| id).collect();
        let mut control = Connection::open(server.address).await?;
        for id in &ids {
            control.stop(id).await?;
        }
        drop(control);
        gone(server, files).await?;
    }
    let after = float(server.memory()?) / 1024.0;
    Ok(vec![
        Figure::new("idle, a stream", per_stream, Unit::Kibibytes),
        Figure::new("idle, after 5 rounds", after, Unit::Mebibytes),
    ])
}

/// Opens `count` streams, each of a client of its own, and passes them to `keep`.
pub(crate) async fn each(
    count: u64,
    server: SocketAddr,
    mut keep: impl FnMut(String, TcpStream),
) -> anyhow::Result<()> {
    let left = Rc::new(Cell::new(count));
    let (opened, mut streams) = tokio::sync::mpsc::channel(AT_A_TIME);
    let mut tasks = JoinSet::new();
    for _ in 0..AT_A_TIME {
        let (left, opened) = (Rc::clone(&left), opened.clone());
        tasks.spawn_local(async move {
            while left.get() > 0 {
                left.set(left.get() - 1);
                let source = Ipv4Addr::new(127, 0, 1, u8::try_from(left.get() % SOURCES)?);
                let mut connection = Connection::open_from(source, server).await?;
                let id = connection.connect().await?;
                let stream = connection.subscribe(&id).await?;
                // It has no receiver only if another task has failed.
                let _ = opened.send((id, stream)).await;
            }
            anyhow::Ok(())
        });
    }
    drop(opened);
    let mut got = 0;
    while let Some((id, stream)) = streams.recv().await {
        keep(id, stream);
        got += 1;
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task panicked")??;
    }
    ensure!(got == count, "{got} of {count} streams were greeted");
    Ok(())
}

/// Waits until the server has closed its side of all connections.
async fn gone(server: &Server, files: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let open = server.files()?;
        if open <= files {
            return Ok(());
        }
        let more = open - files;
        ensure!(
            Instant::now() < deadline,
            "the server still holds {more} files of clients that are gone"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
