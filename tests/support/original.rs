//! A real server of the original protocol: Spring's `SseEmitter` on Tomcat, both from Debian's packages.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::http::Http;
use super::process::{Running, Scratch, clean};
use super::program::are_here;

const SOURCE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/support/original/Original.java"
);
/// The folder of Debian's Java libraries, and those that the server needs.
const LIBRARIES: &str = "/usr/share/java";
pub(super) const NAMES: [&str; 23] = [
    "spring3-aop",
    "spring3-beans",
    "spring3-context",
    "spring3-core",
    "spring3-expression",
    "spring3-web",
    "spring3-web.servlet",
    "tomcat9-annotations-api",
    "tomcat9-api",
    "tomcat9-catalina",
    "tomcat9-coyote",
    "tomcat9-el-api",
    "tomcat9-jaspic-api",
    "tomcat9-jni",
    "tomcat9-jsp-api",
    "tomcat9-juli",
    "tomcat9-servlet-api",
    "tomcat9-util",
    "tomcat9-util-scan",
    "jackson-annotations",
    "jackson-core",
    "jackson-databind",
    "commons-logging",
];

pub(super) fn library(name: &str) -> String {
    format!("{LIBRARIES}/{name}.jar")
}

/// The token that its `/api` requires.
const TOKEN: &str = "secret";

pub(crate) struct Original {
    pub(crate) url: String,
    http: Http,
    pub(crate) process: Running,
    _scratch: Scratch,
}

impl Original {
    /// Starts a server whose streams end after `timeout` milliseconds; with 0 they do not end. Returns `None` if a
    /// program that it needs is not installed.
    pub(crate) async fn start(timeout: u32) -> Option<Self> {
        let needed = [
            "spring3-web.servlet",
            "tomcat9-catalina",
            "jackson-databind",
        ]
        .map(library);
        let needed = needed.iter().map(String::as_str);
        let needed: Vec<_> = needed.chain(["java", "javac"]).collect();
        if !are_here(&needed) {
            return None;
        }
        let scratch = Scratch::new();
        let classes = scratch.path("classes");
        std::fs::create_dir(&classes).unwrap();
        let path = format!("{}:{}", classes.display(), NAMES.map(library).join(":"));
        let mut compile = clean("javac");
        compile.args(["--release", "8", "-nowarn", "-cp", &path, "-d"]);
        let compiled = compile.arg(&classes).arg(SOURCE).output().await.unwrap();
        assert!(compiled.status.success(), "{compiled:?}");
        let mut java = clean("java");
        java.args(["-cp", &path, "Original", &timeout.to_string()])
            .arg(scratch.path("tomcat"))
            .stdout(Stdio::piped());
        let mut process = Running::start(&mut java);
        let line = process.line().await;
        let port = line.trim().strip_prefix("listening on ").unwrap();
        let address = format!("127.0.0.1:{port}");
        Some(Self {
            url: format!("http://{address}"),
            http: Http {
                address: address.parse().unwrap(),
            },
            process,
            _scratch: scratch,
        })
    }

    /// Returns the flags for the server and its token.
    pub(crate) fn flags(&self, scratch: &Scratch) -> Vec<String> {
        let file = scratch.path("token");
        std::fs::write(&file, TOKEN).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let file = file.to_str().unwrap();
        ["--server", &self.url, "--token-file", file]
            .map(Into::into)
            .into()
    }

    /// Sends an event to a client. Name and text are words that can be part of a URL.
    pub(crate) async fn say(&self, id: &str, name: &str, text: &str) {
        let target = format!("/say?name={name}&text={text}");
        let header = format!("Sse-Client-ID: {id}");
        let answer = self.http.request("GET", &target, &[&header], "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
