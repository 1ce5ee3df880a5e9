//! A server on this machine may be named by its port alone, or without a scheme.

use crate::support::{
    port::Port,
    process::{Running, Serve},
};

#[tokio::test]
async fn a_port_alone_means_this_machine() {
    for before in ["", ":", "localhost:", "127.0.0.1:"] {
        let port = Port::keep();
        let given = format!("{before}{}", port.address.port());
        let process = Running::codechat(["serve", "--listen", &given]);
        let server = Serve::of(process).await;
        assert_eq!(server.http.address, port.address, "{given}");
        let id = server.http.connect().await;
        let send = ["send", "--server", &given, "--id", &id, "hello"];
        let ended = Running::codechat(send).end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

#[tokio::test]
async fn an_invalid_address_is_refused_with_an_example() {
    for given in ["", ":", "port", "65536", "localhost", "-1", "0.0.0.0"] {
        let listen = format!("--listen={given}");
        let ended = Running::codechat(["serve", &listen]).end().await;
        assert_eq!(ended.code, Some(2), "{given}: {ended:?}");
        assert!(ended.stderr.contains("127.0.0.1:2428"), "{ended:?}");
    }
    // Another machine's may need https.
    let watch = ["watch", "--server", "chat.example.org:2428"];
    let ended = Running::codechat(watch).end().await;
    assert_eq!(ended.code, Some(2));
    let advice = "write \"http://chat.example.org:2428\"";
    assert!(ended.stderr.contains(advice), "{ended:?}");
}
