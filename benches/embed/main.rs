//! What publishing from inside an application costs it, compared with the same application without codechat.
//!
//!     cargo bench --bench embed           # single calls, by criterion, and then the table
//!     cargo bench --bench embed -- table  # the table alone

mod application;
mod calls;
mod publishing;
mod table;

use criterion::Criterion;

fn main() {
    // Cargo adds --bench.
    let words: Vec<_> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    if words != ["table"] {
        let mut criterion = Criterion::default().configure_from_args();
        calls::requests(&mut criterion);
        calls::events(&mut criterion);
        criterion.final_summary();
    }
    if words.is_empty() || words == ["table"] {
        table::head();
        application::rows();
        publishing::rows();
    }
}
