//! `codechat watch` on a terminal: what the pane is told before it opens, and what its end means.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, bail};
use futures_util::future::BoxFuture;

use super::{
    Args,
    lines::{after, interrupted},
    session::{Session, Stream},
    write_id,
};
use crate::{
    cli::Exit,
    client::Client,
    event::{ClientId, unix_millis},
    message::Operation,
    shutdown::Signals,
    talk,
    text::Colour,
    watch::{
        clock::Clock,
        live::Live,
        model::Verdict,
        pane::{
            runner::{self, Left, Source},
            theme::Theme,
        },
        screen::{Options, Screen, Target},
        update::Leave,
    },
    wire,
    wish::{Ask, Request},
};

/// Whether the pane is what messages are to be shown in: a terminal is there, and no lines were asked
/// for. Says so where the terminal cannot show it.
pub(super) fn is_wanted(args: &Args) -> bool {
    if args.format.is_some() || !io::stdout().is_terminal() {
        return false;
    }
    let is_dumb = std::env::var_os("TERM").is_none_or(|it| it.is_empty() || it == "dumb");
    if is_dumb {
        talk::line("this terminal (TERM) can show no pane, so messages come as lines");
    }
    !is_dumb
}

/// Shows the pane until the user leaves it, or a goal, the time limit or a signal ends the watch.
///
/// # Errors
/// Where the server is not there, refuses, or has no stream; where the terminal cannot be used.
pub(super) async fn run(mut args: Args) -> anyhow::Result<Exit> {
    // Whoever looks at a stream wants to see what comes next, however late.
    args.stay = true;
    let mut signals = Signals::new().context("receive signals")?;
    let mut session = Session::default();
    let shown = tokio::select! {
        shown = show(&mut session, &args) => shown,
        () = after(args.timeout) => Ok(Exit::TimedOut),
        signal = signals.recv() => Ok(interrupted(signal)),
    };
    session.leave().await;
    shown
}

async fn show(session: &mut Session, args: &Args) -> anyhow::Result<Exit> {
    let Stream { id, updates, .. } = session.open(args).await?;
    if args.print_id {
        print(&format!("{id}\n"))?;
    }
    let options = Options {
        target: target(updates.client(), id, args.server.is_named()),
        colour: talk::colour(&io::stdout()),
        began: unix_millis(),
        utc_offset: jiff::Zoned::now().offset().seconds(),
    };
    let told = std::env::var("COLORFGBG").ok();
    let coloured = options.colour == Colour::Keep;
    let theme = Theme::new(args.theme, told.as_deref(), coloured, args.ascii);
    let (width, height) = crossterm::terminal::size().context("ask the terminal for its size")?;
    let model = args.model().with_operations(args.operations());
    let screen = Screen::new(options, model, width, height);
    let mut id_file = args.id_file.as_deref();
    let connected = || id_file.take().map_or(Ok(()), |path| write_id(path, id));
    let left = runner::run(updates, screen, &Clock::default(), theme, connected).await?;
    left_with(&left)
}

/// What the pane's end means for the program.
fn left_with(left: &Left) -> anyhow::Result<Exit> {
    if let Some(screen) = &left.printed {
        print(screen)?;
    }
    Ok(match left.leave {
        Leave::Now => Exit::Interrupted,
        Leave::Over(Verdict::Failed | Verdict::Alarm) => Exit::Failed,
        Leave::Over(Verdict::Done) => Exit::Done,
        Leave::Quit | Leave::Printing => match left.screen.failure() {
            // It was said on a screen that is gone.
            Some(reason) => bail!("{reason}"),
            None => Exit::Done,
        },
    })
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .context("write to stdout")?;
    stdout.flush().context("write to stdout")
}

/// What is watched, and the lines that publish to it.
fn target(client: &Client, id: ClientId, is_named: bool) -> Target {
    let server = client.server();
    let named = if is_named {
        format!(" --server {server}")
    } else {
        String::new()
    };
    let url = server.join(&wire::stream_path(id));
    let token = if client.has_token() {
        "-H \"Authorization: Bearer $CODECHAT_TOKEN\" "
    } else {
        ""
    };
    Target {
        server: Some(server.to_string()),
        id: Some(id),
        curl: format!("curl {token}-d hello {url}"),
        send: format!("codechat send --id {id}{named} hello"),
    }
}

impl Source for Live {
    fn reconnect(&mut self) {
        Self::reconnect(self);
    }

    fn ask(&mut self, request: Request) -> Option<BoxFuture<'static, String>> {
        let (client, id) = (self.client().clone(), self.id());
        Some(Box::pin(async move {
            match client.ask(id, &request).await {
                Ok(()) => asked(&request),
                Err(error) => format!("publishers could not be asked: {error}"),
            }
        }))
    }
}

/// What a request says to whoever made it.
fn asked(request: &Request) -> String {
    match (&request.cancel, request.level) {
        (Ask::For(cancel), _) => {
            let what = cancel.operation.as_ref().map_or("", Operation::as_str);
            format!("publishers were asked to cancel {what}")
                .trim_end()
                .into()
        }
        (_, Ask::For(level)) => format!("publishers were asked for {level} detail"),
        _ => "publishers were told that the detail is not needed any more".into(),
    }
}
