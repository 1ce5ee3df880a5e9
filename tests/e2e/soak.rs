//! The short form of `cargo bench --bench soak`.

use std::time::Duration;

use crate::support::{chance, fault_proxy, process::CODECHAT, program, redis};

#[path = "../../benches/soak/cluster.rs"]
mod cluster;
#[path = "../../benches/soak/run.rs"]
mod run;
#[path = "../../benches/soak/tally.rs"]
mod tally;

#[tokio::test(flavor = "multi_thread")]
async fn a_soak_loses_repeats_and_reorders_nothing() {
    let tally = run::soak(CODECHAT, Duration::from_secs(6)).await;
    println!("{tally}");
    assert!(tally.is_good(), "\n{tally}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soak_of_servers_with_a_store_loses_repeats_and_reorders_nothing() {
    let soak = cluster::soak(CODECHAT, Duration::from_secs(20));
    let Some(tally) = soak.await else {
        return;
    };
    println!("{tally}");
    assert!(tally.is_good(), "\n{tally}");
}
