//! A TLS key that others can read is not secret: the server warns, as it does for a token.

use std::os::unix::fs::PermissionsExt;

use crate::support::process::{Running, Scratch};

#[tokio::test]
async fn a_key_that_everybody_can_read_gets_a_warning() {
    let given = format!("{}/tests/support/tls", env!("CARGO_MANIFEST_DIR"));
    let scratch = Scratch::new();
    let key = scratch.path("key.pem");
    std::fs::copy(format!("{given}/key.pem"), &key).unwrap();
    for (mode, warns) in [(0o644, true), (0o600, false)] {
        std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
        let cert = format!("{given}/cert.pem");
        // No machine has this address, so that the server ends.
        let server = Running::codechat([
            "serve",
            "--listen",
            "192.0.2.1:1",
            "--no-auth",
            "--tls-cert",
            &cert,
            "--tls-key",
            key.to_str().unwrap(),
        ]);
        let said = server.end().await.stderr;
        assert_eq!(
            said.contains("warning: every user"),
            warns,
            "{mode:o}: {said}"
        );
        assert_eq!(said.contains("the TLS key in"), warns, "{said}");
    }
}
