//! What codechat promises, one file per promise: the tests that start programs, above all codechat itself, and the slow
//! ones. What runs in the tests' own process is in `tests/it`.

mod access;
mod browser;
mod byte_order_marks;
mod cluster;
mod command_line;
mod controlling_terminal;
mod curl;
mod documents;
mod embedded;
mod embedded_worker;
mod faults;
mod fuzz;
mod gzip_bomb;
mod hostile;
mod hostile_crowd;
mod lossless;
mod original;
mod pane_panics;
mod pane_terminal;
mod pane_tmux;
mod peers;
mod peers_cut;
mod peers_quiet;
mod recipes;
mod reverse_proxy;
mod send;
mod send_away;
mod send_command;
mod send_command_signals;
mod send_dashes;
mod send_if_watched;
mod send_pty;
mod send_says_where;
mod send_undelivered;
mod send_unfinished_lines;
mod server_log;
mod server_out_of_files;
mod short_addresses;
mod shutdown;
mod soak;
mod streams_nonblocking;
mod terminal;
mod terminal_unusual;
mod tls;
mod tls_key;
mod token;
mod url;
mod url_once;
mod url_pane;
mod url_read;
mod url_secrets;
mod viewer_address;
mod watch_asks;
mod watch_files;
mod watch_job;
mod watch_job_terminal;
mod watch_pipe;
mod watch_record;
mod watch_slow_reader;

#[path = "../support"]
mod support {
    pub(crate) mod chance;
    pub(crate) mod cluster;
    pub(crate) mod cutter;
    pub(crate) mod fault_proxy;
    pub(crate) mod fuzz_bytes;
    pub(crate) mod fuzz_inputs;
    pub(crate) mod fuzz_request;
    #[expect(dead_code, reason = "the rest is for tests/it")]
    pub(crate) mod http;
    pub(crate) mod libraries;
    pub(crate) mod nginx;
    pub(crate) mod original;
    pub(crate) mod pane;
    pub(crate) mod peers;
    pub(crate) mod port;
    pub(crate) mod process;
    pub(crate) mod program;
    pub(crate) mod recipes;
    pub(crate) mod redis;
    pub(crate) mod retry_hint;
    #[expect(dead_code, reason = "the rest is for tests/it")]
    pub(crate) mod scripted;
    #[expect(dead_code, reason = "the rest is for tests/it")]
    pub(crate) mod server;
    pub(crate) mod stage;
    pub(crate) mod terminal;
    pub(crate) mod tls;
    pub(crate) mod waiting;

    pub(crate) use waiting::{PATIENCE, becomes, soon};
}
