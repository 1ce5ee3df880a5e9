//! The pane's screen without a terminal: it takes updates and keys, and draws its text with its styles.

use std::{fmt::Write, time::Duration};

use codechat::internal::{
    client::subscribe::{ForeignEvent, Received, Update},
    event::Format,
    message::Message,
    terminal::safe_text::Colour,
    watch::{
        foreign::{Mapper, Mapping},
        model::{Goals, Model},
        operations::Operations,
        pane::{
            draw::{
                self,
                theme::{Background, Theme},
            },
            keys::{Code, Key},
            state::{PaneOptions, Screen, Watched, WatchedStream},
            update::{Effect, Msg, update},
        },
    },
};
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

/// The time at which the watch begins, in milliseconds since 1970.
pub(crate) const BEGAN: u64 = 1_732_262_400_000;
const ID: &str = "3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b";
const SERVER: &str = "http://127.0.0.1:2428";

/// A pane on a screen of its own.
pub(crate) struct Drawn {
    pub(crate) screen: Screen,
    theme: Theme,
    now: Duration,
    seq: u64,
    /// The effects of the last update or key.
    pub(crate) effects: Vec<Effect>,
}

impl Drawn {
    /// Creates the pane of a stream that has just been opened.
    pub(crate) fn new(width: u16, height: u16) -> Self {
        let theme = Theme::new(Background::Dark, None, true, false);
        Self::with(width, height, theme, Goals::default())
    }

    pub(crate) fn with(width: u16, height: u16, theme: Theme, goals: Goals) -> Self {
        let url = format!("{SERVER}/api/v1/sse/debug/{ID}");
        let target = Watched {
            server: Some(SERVER.into()),
            id: Some(ID.parse().unwrap()),
            request: format!("curl -H 'Sse-Client-ID: {ID}' http://localhost:8000/"),
            job: "codechat watch -- curl -H 'Sse-Client-ID: {id}' http://localhost:8000/".into(),
            curl: format!("curl -d hello {url}"),
            send: format!("codechat send --id {ID} hello"),
            page: Some(format!("{SERVER}/#{ID}")),
            stream: None,
        };
        let mut drawn = Self::of(target, width, height, theme, goals);
        drawn.update(Update::Connected {
            format: Format::Json,
            is_codechat: true,
        });
        drawn.say(Message::system(None, "Starting server communication..."));
        drawn
    }

    /// Creates the pane of a stream that is named by a URL and has just been opened.
    pub(crate) fn of_stream(width: u16, height: u16, stream: WatchedStream) -> Self {
        let target = Watched {
            stream: Some(stream),
            ..Watched::default()
        };
        let theme = Theme::new(Background::Dark, None, true, false);
        let mut drawn = Self::of(target, width, height, theme, Goals::default());
        drawn.update(Update::Connected {
            format: Format::Text,
            is_codechat: false,
        });
        drawn
    }

    fn of(target: Watched, width: u16, height: u16, theme: Theme, goals: Goals) -> Self {
        let options = PaneOptions {
            target,
            colour: Colour::Keep,
            recording: None,
            began: BEGAN,
            utc_offset: 0,
        };
        let mut model = Model::new(goals).with_operations(Operations::new(true));
        if options.target.stream.is_some() {
            model = model.with_last_event_id();
        }
        Self {
            screen: Screen::new(options, model, width, height),
            theme,
            now: Duration::ZERO,
            seq: 0,
            effects: Vec::new(),
        }
    }

    /// Passes it an event of another server.
    pub(crate) fn event(&mut self, id: &str, name: &str, data: &str) -> &mut Self {
        let received_at = BEGAN + u64::try_from(self.now.as_millis()).unwrap();
        let mut received = Received::new(id, Message::text(data));
        received.event = name.to_owned().into();
        received.time = None;
        received.foreign = Some(Box::new(ForeignEvent::new(data, received_at)));
        let update = Update::Message(Box::new(received));
        let (update, _) = Mapper::new(Mapping::default()).map(update);
        self.update(update)
    }

    /// Advances the time.
    pub(crate) fn wait(&mut self, seconds: f64) -> &mut Self {
        self.now += Duration::from_secs_f64(seconds);
        self
    }

    pub(crate) fn happen(&mut self, msg: Msg) -> &mut Self {
        self.effects = update(&mut self.screen, msg, self.now);
        self
    }

    pub(crate) fn update(&mut self, update: Update) -> &mut Self {
        self.happen(Msg::Updates(vec![(self.now, update)]))
    }

    /// Passes it a message.
    pub(crate) fn say(&mut self, message: Message) -> &mut Self {
        self.seq += u64::from(!message.system);
        let time = BEGAN + u64::try_from(self.now.as_millis()).unwrap();
        let received = Received::new(format!("{}-{time}", self.seq), message);
        self.update(Update::Message(Box::new(received)))
    }

    /// Passes it a message that is only text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.say(Message::text(text))
    }

    /// Passes it `count` messages, a tenth of a second apart: `line 1`, `line 2` …
    pub(crate) fn lines(&mut self, count: usize) -> &mut Self {
        for number in 1..=count {
            self.wait(0.1).text(&format!("line {number}"));
        }
        self
    }

    /// Presses keys: each character is one, and those with names are in brackets, `<Enter>`.
    pub(crate) fn keys(&mut self, keys: &str) -> &mut Self {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let name = rest.strip_prefix('<').and_then(|it| it.split_once('>'));
            let (code, after) = match name {
                Some((name, after)) => (named(name), after),
                None => (Code::Char(first), &rest[first.len_utf8()..]),
            };
            self.happen(Msg::Key(Key::plain(code)));
            rest = after;
        }
        self
    }

    /// Returns the drawn cells.
    pub(crate) fn buffer(&self) -> Buffer {
        let area = self.size();
        let mut terminal = Terminal::new(TestBackend::new(area.0, area.1)).unwrap();
        let draw = |frame: &mut ratatui::Frame<'_>| {
            draw::draw(&self.screen, self.theme, self.now, frame.buffer_mut());
        };
        terminal.draw(draw).unwrap();
        terminal.backend().buffer().clone()
    }

    /// Returns the drawn rows.
    pub(crate) fn rows(&self) -> Vec<String> {
        let buffer = self.buffer();
        let cells = buffer.content.chunks(usize::from(buffer.area.width));
        cells.map(row).collect()
    }

    /// Returns whether a row contains this text.
    pub(crate) fn shows(&self, text: &str) -> bool {
        self.rows().iter().any(|it| it.contains(text))
    }

    /// Returns the rows, and below them the styles of each: where a run begins, its length, its style.
    pub(crate) fn picture(&self) -> String {
        let buffer = self.buffer();
        let width = usize::from(buffer.area.width);
        let mut out = format!("{}x{}\n", width, buffer.area.height);
        for cells in buffer.content.chunks(width) {
            writeln!(out, "|{}", row(cells)).unwrap();
        }
        for (y, cells) in buffer.content.chunks(width).enumerate() {
            let runs = runs(cells);
            if !runs.is_empty() {
                writeln!(out, "{y:>3}: {}", runs.join(", ")).unwrap();
            }
        }
        out
    }

    fn size(&self) -> (u16, u16) {
        self.screen.size()
    }
}

fn named(name: &str) -> Code {
    match name {
        "Enter" => Code::Enter,
        "Esc" => Code::Esc,
        "Backspace" => Code::Backspace,
        "Space" => Code::Char(' '),
        "F2" => Code::F(2),
        _ => panic!("no such key: {name}"),
    }
}

fn row(cells: &[Cell]) -> String {
    let mut text = String::new();
    let mut covered = 0;
    for cell in cells {
        if covered > 0 {
            covered -= 1;
            continue;
        }
        text.push_str(cell.symbol());
        covered = unicode_width::UnicodeWidthStr::width(cell.symbol()).saturating_sub(1);
    }
    text.trim_end().into()
}

fn runs(cells: &[Cell]) -> Vec<String> {
    let mut runs = Vec::new();
    let mut at = 0;
    for run in cells.chunk_by(|one, next| one.style() == next.style()) {
        let look = look(&run[0]);
        if !look.is_empty() {
            runs.push(format!("{at}+{} {look}", run.len()));
        }
        at += run.len();
    }
    runs
}

fn look(cell: &Cell) -> String {
    let mut words = Vec::new();
    if cell.fg != Color::Reset {
        words.push(format!("{:?}", cell.fg).to_lowercase());
    }
    if cell.bg != Color::Reset {
        words.push(format!("on {:?}", cell.bg).to_lowercase());
    }
    if cell.modifier != Modifier::empty() {
        words.push(format!("{:?}", cell.modifier).to_lowercase());
    }
    words.join(" ")
}
