//! Applications in other languages that publish with the files of `examples/`, as if these had been copied. Their
//! sources are in `recipes`, `.ci/peers` installs their libraries.
//!
//! Each has `/refresh/NAME`, `/broken`, `/pool`, `/streamed`, `/ticks/GATE`, `/open/GATE` and `/flood/COUNT`, writes
//! its own log of level info to stdout, and prints its port.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;
use tokio::{process::Command, sync::OnceCell};

use super::{
    http::{Answer, Http, Stream, stream_of},
    libraries::Libraries,
    original::{self, library},
    process::{Running, Scratch, clean},
    program,
};

const LIBRARIES: Libraries = Libraries("recipes");
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// A framework, and the language that it implies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Recipe {
    FastApi,
    Flask,
    Express,
    Go,
    Spring,
}

/// A running application.
pub(crate) struct App {
    pub(crate) http: Http,
    pub(crate) url: String,
    pub(crate) process: Running,
}

impl Recipe {
    /// Starts its application, which publishes to the server at this URL. Returns `None` if a program that it needs is
    /// not installed.
    pub(crate) async fn start(self, server: &str, environment: &[(&str, &str)]) -> Option<App> {
        let mut command = match self {
            Self::FastApi => python("fastapi_app.py")?,
            Self::Flask => python("flask_app.py")?,
            Self::Express => node("express_app.mjs")?,
            Self::Go => go().await?,
            Self::Spring => spring().await?,
        };
        command.env("CODECHAT_SERVER", server);
        command.envs(environment.iter().copied());
        let mut process = Running::start(command.stdout(Stdio::piped()));
        let line = process.line().await;
        let port = line.trim().strip_prefix("listening on ").unwrap();
        let address = format!("127.0.0.1:{port}");
        Some(App {
            http: Http {
                address: address.parse().unwrap(),
            },
            url: format!("http://{address}"),
            process,
        })
    }
}

fn python(source: &str) -> Option<Command> {
    if !LIBRARIES.are_here("requirements.txt") {
        return None;
    }
    let mut python = clean(LIBRARIES.installed().join("python/bin/python3"));
    python.env("PYTHONPATH", Path::new(EXAMPLES).join("python"));
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    python.arg(LIBRARIES.sources().join("python").join(source));
    Some(python)
}

fn node(source: &str) -> Option<Command> {
    let program = program::find("node")?;
    if !LIBRARIES.are_here("package-lock.json") {
        return None;
    }
    let mut node = clean(program);
    node.env("NODE_PATH", LIBRARIES.installed().join("node/node_modules"));
    // A leak would not fit into this memory; and short-lived objects are not mistaken for one.
    node.args(["--max-old-space-size=32", "--max-semi-space-size=1"]);
    node.arg(LIBRARIES.sources().join("node").join(source));
    Some(node)
}

/// Builds the application once, with the compiler from Python's libraries.
async fn go() -> Option<Command> {
    static BUILT: OnceCell<Option<(Scratch, PathBuf)>> = OnceCell::const_new();
    let build = async {
        if !LIBRARIES.are_here("requirements.txt") {
            return None;
        }
        let scratch = Scratch::new();
        let module = scratch.path("application");
        let package = module.join("codechat");
        fs::create_dir_all(&package).unwrap();
        fs::write(module.join("go.mod"), "module application\n\ngo 1.22\n").unwrap();
        let main = LIBRARIES.sources().join("go/main.go");
        fs::copy(main, module.join("main.go")).unwrap();
        for file in Path::new(EXAMPLES).join("go").read_dir().unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), package.join(file.file_name())).unwrap();
        }
        for verb in [&["vet", "./..."][..], &["build", "-o", "application"]] {
            let mut go = clean(LIBRARIES.installed().join("python/bin/go"));
            go.args(verb).current_dir(&module);
            go.env("GOCACHE", LIBRARIES.installed().join("go"));
            go.envs([("GOTOOLCHAIN", "local"), ("GOFLAGS", "-mod=mod")]);
            go.envs([("GOPROXY", "off"), ("GOTELEMETRY", "off"), ("GOENV", "off")]);
            go.env("GOPATH", scratch.path("path"));
            let built = go.output().await.unwrap();
            assert!(built.status.success(), "{built:?}");
        }
        let program = module.join("application");
        Some((scratch, program))
    };
    let (_, program) = BUILT.get_or_init(|| build).await.as_ref()?;
    Some(clean(program))
}

/// Compiles the application once, with Debian's libraries.
async fn spring() -> Option<Command> {
    static COMPILED: OnceCell<Option<(Scratch, String)>> = OnceCell::const_new();
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let compile = async {
        let libraries = ["spring3-web.servlet", "tomcat9-catalina", "logback-classic"].map(library);
        let libraries = libraries.iter().map(String::as_str);
        let needed: Vec<_> = libraries.chain(["java", "javac"]).collect();
        if !program::are_here(&needed) {
            return None;
        }
        let scratch = Scratch::new();
        let classes = scratch.path("classes");
        fs::create_dir(&classes).unwrap();
        let logging = ["slf4j-api", "logback-classic", "logback-core"];
        let jars: Vec<_> = original::NAMES
            .into_iter()
            .chain(logging)
            .map(library)
            .collect();
        let path = format!("{}:{}", classes.display(), jars.join(":"));
        let own = LIBRARIES.sources().join("java");
        let examples = Path::new(EXAMPLES).join("java").read_dir().unwrap();
        let mut javac = clean("javac");
        javac.args(["--release", "8", "-nowarn", "-cp", &path, "-d"]);
        javac.arg(&classes).arg(own.join("Application.java"));
        javac.args(examples.map(|it| it.unwrap().path()));
        let compiled = javac.output().await.unwrap();
        assert!(compiled.status.success(), "{compiled:?}");
        fs::copy(own.join("logback.xml"), classes.join("logback.xml")).unwrap();
        Some((scratch, path))
    };
    let (scratch, path) = COMPILED.get_or_init(|| compile).await.as_ref()?;
    let mut java = clean("java");
    // A leak would not fit into this memory; the other options make it start faster.
    java.args(["-Xmx48m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    java.args(["-cp", path, "Application"]);
    java.arg(scratch.path(&format!("tomcat-{}", COUNT.fetch_add(1, Ordering::Relaxed))));
    Some(java)
}

impl App {
    /// Returns its answer to a request with these header lines.
    pub(crate) async fn asked_with(&self, path: &str, headers: &[&str]) -> Answer {
        self.http.request("GET", path, headers, "").await
    }

    /// Returns its answer to a request that a client watches.
    pub(crate) async fn asked(&self, path: &str, id: &str) -> Answer {
        self.asked_with(path, &[&format!("Sse-Client-ID: {id}")])
            .await
    }

    /// Returns its memory in use, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.pid());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Ends it like its host would; returns its output on stdout and stderr.
    pub(crate) async fn stopped(self) -> (String, String) {
        self.process.signal("TERM").await;
        let ended = self.process.end().await;
        (ended.stdout, ended.stderr)
    }
}

/// A client whose stream is read.
pub(crate) struct Watched {
    pub(crate) id: String,
    stream: Stream,
}

impl Watched {
    /// Creates a client of a server.
    pub(crate) async fn new(server: Http) -> Self {
        let id = server.connect().await;
        Self::open(server, id, &[]).await
    }

    /// Opens the stream of a known client, with more header lines.
    pub(crate) async fn open(server: Http, id: String, headers: &[&str]) -> Self {
        let target = format!("{}?format=json", stream_of(&id));
        let mut stream = server.stream(&target, headers).await;
        let greeting = stream.event().await.json();
        assert_eq!(greeting["system"], true, "{greeting}");
        Self { id, stream }
    }

    /// Returns the next message.
    pub(crate) async fn message(&mut self) -> Value {
        self.stream.event().await.json()
    }

    /// Returns all messages up to the first whose text contains this, with it.
    pub(crate) async fn until(&mut self, text: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            messages.push(self.message().await);
            if text_of(messages.last().unwrap()).contains(text) {
                return messages;
            }
        }
    }

    /// Returns all messages up to the outcome of the publishing request, with it.
    pub(crate) async fn until_the_outcome(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            messages.push(self.message().await);
            if !messages.last().unwrap()["outcome"].is_null() {
                return messages;
            }
        }
    }
}

/// Returns a message's text.
pub(crate) fn text_of(message: &Value) -> &str {
    message["message"].as_str().unwrap()
}
