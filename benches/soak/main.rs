//! A server under publishers, watchers, faults of the network, slow readers and restarts, for as long
//! as it is told, and a count of everything.
//!
//! ```text
//! cargo bench --bench soak                      # three minutes
//! cargo bench --bench soak -- --seconds 3600
//! cargo bench --bench soak -- cluster           # three servers and a store; needs redis-server and nginx
//! ```
//!
//! It fails where anything was lost without a word, or came twice or in another order on one server.
//! What a restart does is allowed: what was in its memory is gone, which watchers are told, and what
//! it had not acknowledged is sent again. Of the memory, the first number is that of a server which has
//! just begun, the second that of the last one after its work.

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
