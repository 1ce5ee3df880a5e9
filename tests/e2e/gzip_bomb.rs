//! A body that is small on the wire and large when decompressed: `codechat watch URL` gives up before it uses much
//! memory.

use std::process::Stdio;

use flate2::{Compress, Compression, FlushCompress};

use crate::support::{
    process::{CODECHAT, Running, clean},
    program::are_here,
    scripted::{Reply, Scripted},
};

const MIB: usize = 1 << 20;
/// Upper bound of a watcher's memory, in KiB.
const MOST: u64 = 200 * 1024;
/// Runs a program, writes its peak memory in KiB, and exits like it.
const MEASURE: &str = "
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)";

/// Compresses one endless line of a GiB. Each full flush forgets what came before, so that a compressed MiB can be
/// repeated.
fn bomb() -> Vec<u8> {
    let mut coded = Vec::with_capacity(MIB);
    Compress::new(Compression::best(), false)
        .compress_vec(&vec![b'x'; MIB], &mut coded, FlushCompress::Full)
        .unwrap();
    let head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
    [&head[..], &coded.repeat(1024)].concat()
}

#[tokio::test]
async fn a_line_that_decompresses_to_a_gibibyte_is_an_error() {
    if !are_here(&["python3"]) {
        return;
    }
    let bomb = bomb();
    assert!(bomb.len() < 4 * MIB, "{}", bomb.len());
    let reply = Reply::stream_with("Content-Encoding: gzip\r\n", bomb);
    let server = Scripted::start([reply]).await;
    let mut python = clean("python3");
    python.args(["-c", MEASURE, CODECHAT, "watch", &server.url]);
    let ended = Running::start(python.stdout(Stdio::piped())).end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("longer than 64 MiB"), "{ended:?}");
    let most: u64 = ended.stdout.trim().parse().unwrap();
    assert!(most < MOST, "{most} KiB: {ended:?}");
}
