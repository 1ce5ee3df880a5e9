//! The commands use HTTPS, and report what is wrong with a certificate.

use std::{path::PathBuf, process::Stdio};

use crate::support::{
    process::{Running, Scratch, codechat, opened},
    tls::file,
};

#[tokio::test]
async fn serve_watch_and_send_speak_https() {
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let flags = [
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let mut serve = Running::codechat([&["serve", "--listen", "127.0.0.1:0"][..], &flags].concat());
    let line = serve.says("listening on https://").await;
    let url = line
        .split_whitespace()
        .find(|it| it.starts_with("https://"))
        .unwrap();
    let url = url.trim_end_matches(';');
    assert!(
        line.contains(&format!("codechat watch --server {url}")),
        "{line}"
    );
    let client = |words: &[&str]| {
        let mut command = codechat([words, &["--server", url]].concat());
        command
            .env("SSL_CERT_FILE", file("ca.pem"))
            .stdout(Stdio::piped());
        Running::start(&mut command)
    };
    let (mut watcher, id) = opened(client(&["watch"])).await;
    assert_eq!(
        client(&["send", "--id", &id, "hello"]).end().await.code,
        Some(0)
    );
    assert_eq!(watcher.line().await, "hello\n");
    let distrusts = Running::codechat(["watch", "--server", url]).end().await;
    assert_eq!(distrusts.code, Some(1));
    assert!(
        distrusts.stderr.contains("ertificate"),
        "{}",
        distrusts.stderr
    );
}

#[tokio::test]
async fn unusable_files_are_errors_of_one_line() {
    let scratch = Scratch::new();
    let (empty, broken) = (scratch.path("empty"), scratch.path("broken"));
    std::fs::write(&empty, "").unwrap();
    let text = "-----BEGIN PRIVATE KEY-----\nhunter2!\n-----END PRIVATE KEY-----\n";
    std::fs::write(&broken, text).unwrap();
    let (cert, key, other) = (file("cert.pem"), file("key.pem"), file("other.pem"));
    let nowhere = PathBuf::from("/nowhere/x.pem");
    for (cert, key, says) in [
        (
            &nowhere,
            &key,
            "cannot read the certificate file /nowhere/x.pem: no such file",
        ),
        (
            &cert,
            &nowhere,
            "cannot read the key file /nowhere/x.pem: no such file",
        ),
        (&empty, &key, "there is no certificate in PEM in it"),
        (&key, &key, "there is no certificate in PEM in it"),
        (&cert, &empty, "there is no key in PEM in it"),
        (&cert, &cert, "there is no key in PEM in it"),
        (&cert, &broken, "it is not well-formed PEM"),
        (&cert, &other, "do not go together"),
    ] {
        let words = ["serve", "--listen", "127.0.0.1:0", "--tls-cert"];
        let files = [cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        let ended = Running::codechat([&words[..], &files].concat()).end().await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter"), "{}", ended.stderr);
    }
    let alone = Running::codechat(["serve", "--tls-cert", "x"]).end().await;
    assert_eq!(alone.code, Some(2));
    assert!(alone.stderr.contains("--tls-key"), "{}", alone.stderr);
}
