//! A server with publishers, watchers, network faults, slow readers and restarts, for a given time, and a count of
//! everything.
//!
//! ```text
//! cargo bench --bench soak                      # three minutes
//! cargo bench --bench soak -- --seconds 3600
//! cargo bench --bench soak -- cluster           # three servers and a store; needs redis-server and nginx
//! ```
//!
//! It fails if anything was lost without a gap, or came twice or in another order on one server. The effects of a
//! restart are allowed: what was in the server's memory is lost, which watchers are told, and what it had not
//! acknowledged is sent again. The first figure of the memory is that of a new server, the second that of the last one
//! at the end.

#[path = "../../tests/support/chance.rs"]
mod chance;
mod cluster;
#[path = "../../tests/support/fault_proxy.rs"]
mod fault_proxy;
#[path = "../../tests/support/program.rs"]
#[expect(dead_code, reason = "the rest is for tests")]
mod program;
#[path = "../../tests/support/redis.rs"]
#[expect(dead_code, reason = "the rest is for tests")]
mod redis;
#[path = "../../tests/support/retry_hint.rs"]
mod retry_hint;
mod run;
mod tally;

use std::{process::ExitCode, time::Duration};

const USUAL: u64 = 180;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().collect();
    let after = words.iter().skip_while(|it| *it != "--seconds").nth(1);
    let seconds = match after.map(|it| it.parse()) {
        None => USUAL,
        Some(Ok(seconds)) => seconds,
        Some(Err(_)) => {
            eprintln!("soak: --seconds takes a number");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let time = Duration::from_secs(seconds);
    let codechat = env!("CARGO_BIN_EXE_codechat");
    let tally = runtime.block_on(async {
        if words.iter().any(|it| it == "cluster") {
            cluster::soak(codechat, time).await
        } else {
            Some(run::soak(codechat, time).await)
        }
    });
    let Some(tally) = tally else {
        return ExitCode::FAILURE;
    };
    println!("{tally}");
    if tally.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
