//! curl can do everything that a client does.

use codechat::internal::event::ClientId;

use crate::support::{process::clean, program::are_here, server::Server, soon};

#[tokio::test]
async fn curl_can_do_everything_that_a_client_does() {
    if !are_here(&["curl"]) {
        return;
    }
    let server = Server::start().await;
    let base = format!("http://{}/api/v1/sse", server.address);
    let curl = async |args: &[&str]| {
        let output = soon(
            clean("curl")
                .args(["-sS", "--noproxy", "*"])
                .args(args)
                .output(),
        )
        .await;
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let id = curl(&["-H", "Accept: text/plain", &format!("{base}/connect")]).await;
    let id = id.strip_suffix('\n').unwrap();
    let parsed: Result<ClientId, _> = id.parse();
    assert!(parsed.is_ok(), "{id}");
    let url = format!("{base}/debug/{id}");
    let answer = curl(&["-d", "hello", &url]).await;
    assert!(answer.contains(r#""accepted":1"#), "{answer}");
    let header = format!("Sse-Client-ID: {id}");
    curl(&["-H", &header, "-d", "by header", &format!("{base}/debug")]).await;
    let watching = async {
        let stream = curl(&["-N", &url]).await;
        let data: Vec<_> = stream
            .lines()
            .filter_map(|it| it.strip_prefix("data: "))
            .collect();
        let expected = [
            "Starting server communication...",
            "hello",
            "by header",
            "stopped",
        ];
        assert_eq!(data, expected);
    };
    let stopping = async {
        server.stats(|it| it.subscribers == 1).await;
        assert_eq!(
            curl(&["-X", "POST", &format!("{base}/debug/stop/{id}")]).await,
            "Debug message stream stopped."
        );
    };
    tokio::join!(watching, stopping);
}
