//! Works on the jobs of a queue, here the lines of stdin, and publishes the progress of each job to its watcher.
//! Environment variables name the server: see `Publisher::from_env`.
//!
//! ```sh
//! cargo build --example worker
//! codechat watch --until-done -- sh -c 'echo {id} demo 120 | target/debug/examples/worker'
//! ```

use std::{io, time::Duration};

use anyhow::bail;
use codechat::{Outcome, Publisher};
use tokio::time::sleep;
use tracing::{debug, info, warn};
use tracing_subscriber::{filter::LevelFilter, fmt, prelude::*, registry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let log = fmt::layer().with_writer(io::stderr);
    let log = log.with_filter(LevelFilter::INFO);
    registry().with(codechat::tracing_layer()).with(log).init();
    let publisher = Publisher::from_env()?;
    for job in io::stdin().lines() {
        let job = job?;
        let words: Vec<_> = job.split_whitespace().collect();
        let [id, name, files] = words[..] else {
            bail!("a job is a client ID, a name and a number of files");
        };
        let scope = publisher.scope(id.parse()?);
        let import = scope.operation("import");
        let work = import.scope().bind(refresh(name, files.parse()?));
        let outcome = work.await;
        import.finish(outcome);
    }
    if let Err(unflushed) = publisher.flush(Duration::from_secs(2)).await {
        warn!("{unflushed}"); // the jobs are done all the same
    }
    Ok(())
}

async fn refresh(name: &str, files: u64) -> Outcome {
    for file in 1..=files {
        if codechat::current().cancelled().is_cancelled() {
            return Outcome::Cancelled;
        }
        debug!(file, "Reading");
        sleep(Duration::from_millis(20)).await;
        info!(
            progress.current = file,
            progress.total = files,
            "Processed file {file} of {name}"
        );
    }
    Outcome::Ok
}
