//! Input to a prompt. Patterns apply while they are typed; Esc undoes them.

use super::Effect;
use crate::watch::pane::keys::{Code, Key};
use crate::watch::pane::state::prompt::{Prompt, Purpose};
use crate::watch::pane::state::query::Query;
use crate::watch::pane::state::viewport::Anchor;
use crate::watch::pane::state::{Mode, Screen};

/// Opens a prompt.
pub(super) fn open(screen: &mut Screen, purpose: Purpose) {
    let searched = screen.search.query().map_or("", Query::text).to_owned();
    let (text, before) = match purpose {
        Purpose::Search => (String::new(), searched),
        Purpose::Filter => (screen.filter.pattern(), screen.filter.pattern()),
        Purpose::SaveText => (screen.file_name("txt"), String::new()),
        Purpose::SaveAll => (screen.file_name("ndjson"), String::new()),
    };
    screen.mode = Mode::Prompt(Prompt::new(purpose, &text, before, screen.anchor));
}

/// Handles a paste.
pub(super) fn paste(screen: &mut Screen, text: &str) {
    if let Mode::Prompt(prompt) = &mut screen.mode
        && prompt.paste(text)
    {
        typed(screen);
    }
}

/// Handles a key press.
pub(super) fn key(screen: &mut Screen, key: Key) -> Vec<Effect> {
    let Mode::Prompt(prompt) = &mut screen.mode else {
        return Vec::new();
    };
    let emptied = key.code == Code::Backspace && prompt.text().is_empty();
    match key.code {
        Code::Enter => return entered(screen),
        Code::Esc => undo(screen),
        // As in less, Backspace on an empty line closes the prompt.
        _ if emptied => undo(screen),
        _ if prompt.key(key) => typed(screen),
        _ => {}
    }
    Vec::new()
}

/// Applies the pattern typed so far.
fn typed(screen: &mut Screen) {
    let Mode::Prompt(prompt) = &screen.mode else {
        return;
    };
    let (purpose, text, anchor) = (prompt.purpose, prompt.text().to_owned(), prompt.anchor);
    let feedback = match purpose {
        Purpose::Search => searched(screen, &text, anchor),
        Purpose::Filter => match screen.filter.set_pattern(&text) {
            Ok(()) => {
                screen.refilter();
                None
            }
            Err(reason) => Some(reason),
        },
        Purpose::SaveText | Purpose::SaveAll => None,
    };
    if let Mode::Prompt(prompt) = &mut screen.mode {
        prompt.feedback = feedback;
    }
}

/// Searches for a pattern from where the view was: selects the first hit from there on, or, while following, the
/// last one.
fn searched(screen: &mut Screen, text: &str, anchor: Option<Anchor>) -> Option<String> {
    let query = match Query::new(text) {
        Ok(query) => query,
        Err(reason) => return Some(reason),
    };
    screen.search.set((!text.is_empty()).then_some(query));
    screen.find_hits();
    go_back(screen, anchor);
    let was_following = anchor.is_none();
    let focus = screen.focus()?.0;
    let hit = if was_following {
        screen.search.before(focus + 1)
    } else {
        screen.search.after(focus, true)
    };
    let Some(hit) = hit else {
        return (!text.is_empty()).then(|| "no hit".into());
    };
    screen.reveal_hit(hit);
    None
}

fn entered(screen: &mut Screen) -> Vec<Effect> {
    let mode = std::mem::replace(&mut screen.mode, Mode::Messages);
    let Mode::Prompt(prompt) = mode else {
        return Vec::new();
    };
    let text = prompt.text();
    match prompt.purpose {
        // Repeats the last search.
        Purpose::Search if text.is_empty() => {
            let before = prompt.before.clone();
            searched(screen, &before, prompt.anchor);
        }
        Purpose::Search | Purpose::Filter if prompt.feedback.is_some() => {
            screen.notice.clone_from(&prompt.feedback);
        }
        Purpose::Search | Purpose::Filter => {}
        Purpose::SaveText | Purpose::SaveAll if text.is_empty() => {
            screen.notice = Some("nothing was saved".into());
        }
        Purpose::SaveText => {
            let bytes = screen.shown_as_text().into_bytes();
            return vec![Effect::Save(text.into(), bytes)];
        }
        Purpose::SaveAll => return vec![Effect::Save(text.into(), screen.all_as_ndjson())],
    }
    Vec::new()
}

/// Closes the prompt, and restores everything.
fn undo(screen: &mut Screen) {
    let mode = std::mem::replace(&mut screen.mode, Mode::Messages);
    let Mode::Prompt(prompt) = mode else {
        return;
    };
    match prompt.purpose {
        Purpose::Search => {
            let query = Query::new(&prompt.before).ok();
            screen.search.set(query.filter(|it| !it.text().is_empty()));
            screen.find_hits();
            go_back(screen, prompt.anchor);
        }
        Purpose::Filter => {
            // It was valid before.
            let _ = screen.filter.set_pattern(&prompt.before);
            screen.refilter();
            go_back(screen, prompt.anchor);
        }
        Purpose::SaveText | Purpose::SaveAll => {}
    }
}

fn go_back(screen: &mut Screen, anchor: Option<Anchor>) {
    if anchor.is_none() {
        screen.follow();
    } else {
        screen.anchor = anchor;
    }
}
