//! Translates terminal events to the pane's messages.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
};

use super::keys::{Code, Key};
use super::update::{Mouse, Msg};

/// Translates an event; `None` if it means nothing here.
#[must_use]
pub fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(event) => key(event).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(width, height) => Some(Msg::Resize(width, height)),
        Event::Mouse(event) => match event.kind {
            MouseEventKind::ScrollDown => Some(Mouse::Wheel { down: true }),
            MouseEventKind::ScrollUp => Some(Mouse::Wheel { down: false }),
            MouseEventKind::Down(MouseButton::Left) => Some(Mouse::Click(event.row)),
            _ => None,
        }
        .map(Msg::Mouse),
        Event::FocusGained | Event::FocusLost => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    let foreign =
        KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META | KeyModifiers::HYPER;
    if event.kind == KeyEventKind::Release || event.modifiers.intersects(foreign) {
        return None;
    }
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let code = match event.code {
        KeyCode::Char(letter) if ctrl => Code::Char(letter.to_ascii_lowercase()),
        KeyCode::Char(letter) => Code::Char(letter),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::F(number) => Code::F(number),
        _ => return None,
    };
    Some(Key { code, ctrl })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_ctrl_but_not_by_shift_and_alt_is_ignored() {
        let press = |code, modifiers| message(Event::Key(KeyEvent::new(code, modifiers)));
        for (event, key) in [
            (
                press(KeyCode::Char('G'), KeyModifiers::SHIFT),
                Some(Key::char('G')),
            ),
            (
                press(KeyCode::Char('D'), KeyModifiers::CONTROL),
                Some(Key::ctrl('d')),
            ),
            (press(KeyCode::Char('x'), KeyModifiers::ALT), None),
        ] {
            let seen = event.map(|it| match it {
                Msg::Key(key) => key,
                other => panic!("{other:?}"),
            });
            assert_eq!(seen, key);
        }
    }
}
