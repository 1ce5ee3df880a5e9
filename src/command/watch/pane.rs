//! `codechat watch` on a terminal: opens the pane, and ends the watch when it closes.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, bail};
use futures_util::future::BoxFuture;
use reqwest::Method;

use super::lines::after;
use super::session::{ClientSource, Session, Source};
use super::url::{UrlSource, print_resume_hint};
use super::{Args, no_recording, summarize, write_id};
use crate::cli::exit::Exit;
use crate::client::subscribe::Reconnect;
use crate::client::{Client, ClientError};
use crate::control::{Change, ControlRequest};
use crate::event::{ClientId, unix_millis};
use crate::hub::Hub;
use crate::message::Operation;
use crate::process;
use crate::signals::Signals;
use crate::terminal::safe_text::Colour;
use crate::terminal::size::size;
use crate::terminal::stderr;
use crate::terminal::streams;
use crate::watch::clock::Clock;
use crate::watch::foreign::Mapped;
use crate::watch::model::Verdict;
use crate::watch::pane::draw::theme::Theme;
use crate::watch::pane::run::{self, Controls, PaneEnd};
use crate::watch::pane::state::{Leave, Others, PaneOptions, Screen, Watched, WatchedStream};
use crate::watch::replay::{Recording, Replay};
use crate::wire::Route;

/// Returns whether to show the pane: there is a terminal, and lines were not asked for. Prints why the terminal cannot
/// show it, if it cannot.
pub(super) fn is_wanted(args: &Args) -> bool {
    if args.format.is_some() || !io::stdout().is_terminal() {
        return false;
    }
    let is_dumb = std::env::var_os("TERM").is_none_or(|it| it.is_empty() || it == "dumb");
    if is_dumb {
        stderr::line("this terminal (TERM) cannot show the pane, so messages are printed as lines");
    }
    // Without a controlling terminal, as under setsid, no keys can be read.
    let has_keys = io::stdin().is_terminal() || process::controlling_terminal().is_some();
    if !is_dumb && !has_keys {
        stderr::line(
            "no keys can be read here (no controlling terminal), so messages are printed as lines",
        );
    }
    !is_dumb && has_keys
}

/// Shows the pane until the user quits, or a goal, the time limit or a signal ends the watch.
///
/// # Errors
/// If the server cannot be reached, refuses, or has no stream; if the terminal cannot be used.
pub(super) async fn run(mut args: Args) -> anyhow::Result<Exit> {
    // In the pane, the user wants to see what comes next, however late.
    args.stay = true;
    args.summary |= !args.no_summary && io::stderr().is_terminal();
    let mut signals = Signals::new().context("receive signals")?;
    let mut session = Session::default();
    let shown = tokio::select! {
        shown = show(&mut session, &args) => shown,
        () = after(args.timeout) => Ok(Exit::TimedOut),
        signal = signals.recv() => Ok(signal.into()),
    };
    session.leave().await;
    shown
}

/// Shows a stream, or a recording of one.
async fn show(session: &mut Session, args: &Args) -> anyhow::Result<Exit> {
    if let Some(path) = &args.replay {
        let replay = Replay::open(path, args.speed);
        let replay = replay.map_err(|error| no_recording(path, &error))?;
        let clock = replay.clock();
        let recording = replay.recording();
        let recording = recording.map_err(|error| no_recording(path, &error))?;
        let screen = screen(args, Watched::default(), Some(recording));
        let replay = Mapped::new(replay, args.mapping());
        let left = run::run(replay, None, screen, &clock, theme(args), || Ok(())).await?;
        return left_with(&left, &clock);
    }
    let clock = Clock::default();
    let stream = session.open(args, &clock).await?;
    let id = stream.source.id();
    if let Some(id) = id.filter(|_| args.print_id) {
        print(&format!("{id}\n"))?;
    }
    let (watched, client) = match stream.source {
        Source::Client(source) => {
            let watched = watched_client(&source, args.server.is_named());
            (watched, Some((source.client, source.id)))
        }
        Source::Url(source) => (watched_url(&source), None),
    };
    let screen = screen(args, watched, None);
    let controls = ToServer {
        client,
        reconnect: stream.reconnect,
        hub: session.hub().cloned(),
    };
    let mut id_file = args.id_file.as_deref().zip(id);
    let connected = || {
        let due = id_file.take();
        due.map_or(Ok(()), |(path, id)| write_id(path, id))
    };
    let controls: Option<&dyn Controls> = Some(&controls);
    let shown = run::run(
        stream.updates,
        controls,
        screen,
        &clock,
        theme(args),
        connected,
    );
    let left = shown.await?;
    let exit = left_with(&left, &clock);
    if matches!(left.leave, Leave::Now | Leave::Quit | Leave::Printing) {
        print_resume_hint(args, left.screen.model());
    }
    exit
}

fn screen(args: &Args, target: Watched, recording: Option<Recording>) -> Screen {
    let options = PaneOptions {
        target,
        colour: stderr::colour(&io::stdout()),
        recording,
        began: unix_millis(),
        utc_offset: jiff::Zoned::now().offset().seconds(),
    };
    let (width, height) = size();
    Screen::new(options, args.model(true), width, height)
}

fn theme(args: &Args) -> Theme {
    let colorfgbg = std::env::var("COLORFGBG").ok();
    let coloured = stderr::colour(&io::stdout()) == Colour::Keep;
    Theme::new(args.theme, colorfgbg.as_deref(), coloured, args.ascii)
}

/// Returns what the pane's end means for the program.
fn left_with(left: &PaneEnd, clock: &Clock) -> anyhow::Result<Exit> {
    if let Some(screen) = &left.printed {
        print(screen)?;
    }
    summarize(left.screen.model(), clock);
    Ok(match left.leave {
        Leave::Now => Exit::Interrupted,
        Leave::Over(Verdict::Failed | Verdict::Alarm) => Exit::Failed,
        Leave::Over(Verdict::Done) => Exit::Done,
        Leave::Quit | Leave::Printing => match left.screen.failure() {
            // The error was shown on a screen that is gone.
            Some(reason) => bail!("{reason}"),
            None => Exit::Done,
        },
    })
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = streams::stdout();
    stdout
        .write_all(text.as_bytes())
        .context("write to stdout")?;
    stdout.flush().context("write to stdout")
}

/// Describes a stream that a URL names.
fn watched_url(source: &UrlSource) -> Watched {
    Watched {
        stream: Some(WatchedStream {
            method: source.method.to_string(),
            url: source.url.to_string(),
            may_repeat: source.method == Method::GET,
            is_unverified: source.is_unverified,
        }),
        ..Watched::default()
    }
}

/// Describes a client, with the commands that publish to it.
fn watched_client(source: &ClientSource, is_named: bool) -> Watched {
    let (client, id) = (&source.client, source.id);
    let server = client.server();
    let named = if is_named {
        format!(" --server {server}")
    } else {
        String::new()
    };
    let url = server.join(&Route::Client.path_for(id));
    let token = if client.has_token() {
        "-H \"Authorization: Bearer $CODECHAT_TOKEN\" "
    } else {
        ""
    };
    let publish = |line| {
        if source.takes_messages {
            line
        } else {
            String::new()
        }
    };
    Watched {
        server: Some(server.to_string()),
        id: Some(id),
        request: format!("curl -H 'Sse-Client-ID: {id}' http://localhost:8000/"),
        job: format!(
            "codechat watch{named} -- curl -H 'Sse-Client-ID: {{id}}' http://localhost:8000/"
        ),
        curl: publish(format!("curl {token}-d hello {url}")),
        send: publish(format!("codechat send --id {id}{named} hello")),
        page: source.page(),
        stream: None,
    }
}

/// Controls of a stream on a server.
struct ToServer {
    /// The client that is watched; none if a URL names the stream.
    client: Option<(Client, ClientId)>,
    reconnect: Reconnect,
    /// The hub of the server inside this watch.
    hub: Option<Hub>,
}

impl Controls for ToServer {
    fn reconnect(&self) {
        self.reconnect.ask();
    }

    fn others(&self) -> Others {
        let users = self.hub.as_ref().zip(self.client.as_ref());
        let users = users.map(|(hub, (_, id))| hub.users(*id));
        users.map_or_else(Others::default, |users| Others {
            // One of them is this watch.
            watchers: users.watchers.saturating_sub(1),
            here: users.here.saturating_sub(1),
            publishers: users.publishers,
        })
    }

    fn ask(&self, request: ControlRequest) -> BoxFuture<'static, String> {
        let client = self.client.clone();
        Box::pin(async move {
            let Some((client, id)) = client else {
                return ClientError::NoControl.to_string();
            };
            match client.request_control(id, &request).await {
                Ok(()) => confirmation(&request),
                Err(error) => format!("publishers could not be asked: {error}"),
            }
        })
    }
}

/// Returns the notice that confirms a control request.
fn confirmation(request: &ControlRequest) -> String {
    match (&request.cancel, request.level) {
        (Change::Set(cancel), _) => {
            let what = cancel.operation.as_ref().map_or("", Operation::as_str);
            format!("publishers were asked to cancel {what}")
                .trim_end()
                .into()
        }
        (_, Change::Set(level)) => format!("publishers were asked for {level} detail"),
        _ => "the request for more detail was withdrawn".into(),
    }
}
