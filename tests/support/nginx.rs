//! nginx as Debian configures it, with directives of a test.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
};

use tokio::process::Child;

use super::{
    becomes,
    http::Http,
    port::Port,
    process::{Scratch, clean},
    program,
};

pub(crate) struct Nginx {
    pub(crate) http: Http,
    pub(crate) url: String,
    _process: Child,
    _files: Scratch,
    _port: Port,
}

/// Returns the settings of Debian's `nginx.conf`, in one process that can be killed, and the directives of its one
/// server.
fn configuration(main: &str, http: &str, port: u16, server: &str) -> String {
    format!(
        "{main}
        daemon off; master_process off; pid nginx.pid; error_log error.log;
        events {{ worker_connections 768; }}
        http {{
            sendfile on; tcp_nopush on; types_hash_max_size 2048; gzip on; access_log off;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            {http}
            server {{ listen 127.0.0.1:{port}; {server} }}
        }}"
    )
}

impl Nginx {
    /// Starts nginx with one server with these directives. Returns `None` if nginx is not installed.
    pub(crate) async fn with(server: &str) -> Option<Self> {
        Self::with_all("", "", server).await
    }

    /// Starts nginx that passes requests to these servers in turn, as Debian's nginx does by default.
    pub(crate) async fn balancing(servers: &[SocketAddr]) -> Option<Self> {
        let servers: Vec<_> = servers.iter().map(|it| format!("server {it}; ")).collect();
        let upstream = format!("upstream nodes {{ {} }}", servers.concat());
        let location = "location / {
            proxy_pass http://nodes; proxy_http_version 1.1; proxy_set_header Connection \"\";
            proxy_set_header Host localhost; proxy_request_buffering off; proxy_read_timeout 60s;
            client_max_body_size 0;
        }";
        Self::with_all("", &upstream, location).await
    }

    /// Starts nginx with directives outside of the server too, such as those that load modules.
    pub(crate) async fn with_main(main: &str, server: &str) -> Option<Self> {
        Self::with_all(main, "", server).await
    }

    async fn with_all(main: &str, http: &str, server: &str) -> Option<Self> {
        let program = program::find("nginx")?;
        let (files, port) = (Scratch::new(), Port::keep());
        let address = port.address;
        let file = files.path("nginx.conf");
        fs::write(&file, configuration(main, http, address.port(), server)).unwrap();
        let mut nginx = clean(program);
        nginx.arg("-p").arg(files.path("")).arg("-c").arg(file);
        let mut process = nginx.spawn().unwrap();
        let listens = becomes(|| {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "nginx ended: {ended:?}");
            TcpStream::connect(address).is_ok()
        });
        assert!(listens.await, "nginx does not listen");
        Some(Self {
            http: Http { address },
            url: port.url(),
            _process: process,
            _files: files,
            _port: port,
        })
    }
}
