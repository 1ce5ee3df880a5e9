//! The frames of an event stream (WHATWG HTML 9.2.6), as this server writes them.
//!
//! Line ends are LF. Every event has an `id:`, because some clients forget the last ID at an event without
//! one.

use super::control::state_object;
use super::json;
use crate::control::ControlState;
use crate::event::{End, Event, EventId, Format, Gap, UnixMillis};
use crate::message::{DEFAULT_EVENT, Message};

/// First message of a new stream.
pub const GREETING: &str = "Starting server communication...";
/// Last message of every stream when the server shuts down.
pub const FAREWELL: &str = "Server shutting down...";
/// Reconnection time that a new stream sets, in milliseconds.
pub const RETRY_MILLIS: u64 = 1000;
/// The event name of a [`Gap`].
pub const GAP: &str = "gap";
/// The event name of a control stream's events.
pub const CONTROL: &str = "control";
/// The event name of an [`End`].
pub const END: &str = "end";
/// Flushes the head of a resumed stream.
pub const RESUMED: &[u8] = b": resumed\n\n";
/// Keeps a quiet stream's connection alive.
pub const HEARTBEAT: &[u8] = b":\n\n";

/// Returns a message as a text frame. CR, LF and CRLF in it begin new `data:` lines, so that no text can forge a field
/// or an event.
#[must_use]
pub fn text_frame(event: &Event) -> Vec<u8> {
    let mut frame = open(
        event.id,
        event.message.event_name(),
        event.message.text.len(),
    );
    push_data(&mut frame, &event.message.text);
    close(frame)
}

/// Returns a message as a JSON frame: one object on one `data:` line.
#[must_use]
pub fn json_frame(event: &Event) -> Vec<u8> {
    let object = json::event_object(event);
    let mut frame = open(event.id, event.message.event_name(), object.len());
    push_line(&mut frame, &object);
    close(frame)
}

/// Returns the first bytes of a new stream: `retry:` and the greeting.
#[must_use]
pub fn greeting(id: EventId, now: UnixMillis, format: Format) -> Vec<u8> {
    let mut frame = retry(RETRY_MILLIS);
    frame.extend(own_message(id, now, GREETING, format));
    frame
}

/// Returns the last bytes of a stream whose server shuts down; `retry_millis` spreads the clients' reconnects.
#[must_use]
pub fn farewell(id: EventId, now: UnixMillis, retry_millis: u64, format: Format) -> Vec<u8> {
    let mut frame = retry(retry_millis);
    frame.extend(own_message(id, now, FAREWELL, format));
    frame
}

/// Returns a gap, as JSON in both formats. `id` is that of the last lost message, so that a stream resumed after it
/// does not report the gap again.
#[must_use]
pub fn gap(id: EventId, gap: Gap) -> Vec<u8> {
    let mut frame = open(id, GAP, 0);
    push_line(&mut frame, &json::gap_object(gap));
    close(frame)
}

/// Returns an event of a control stream. It has no ID: there is no history to resume.
#[must_use]
pub fn control(state: &ControlState) -> Vec<u8> {
    let mut frame = open(None, CONTROL, 0);
    push_line(&mut frame, &state_object(state));
    close(frame)
}

/// Returns the last bytes of a control stream whose server shuts down.
#[must_use]
pub fn control_farewell(retry_millis: u64) -> Vec<u8> {
    let mut frame = retry(retry_millis);
    frame.extend(open(None, DEFAULT_EVENT, FAREWELL.len()));
    push_data(&mut frame, FAREWELL);
    close(frame)
}

/// Returns the end of a stream, as text in both formats. A control stream's events have no ID.
#[must_use]
pub fn end(id: Option<EventId>, end: End) -> Vec<u8> {
    let mut frame = open(id, END, 0);
    push_line(&mut frame, end.as_str().as_bytes());
    close(frame)
}

/// Returns a message of the server in one stream only, which therefore has no number of its own.
fn own_message(id: EventId, now: UnixMillis, text: &str, format: Format) -> Vec<u8> {
    let message = Message::system(None, text);
    let mut frame = open(id, DEFAULT_EVENT, text.len());
    match format {
        Format::Text => push_data(&mut frame, &message.text),
        Format::Json => push_line(
            &mut frame,
            &json::stamped_object(&id.to_string(), Some(now), &message),
        ),
    }
    close(frame)
}

fn retry(millis: u64) -> Vec<u8> {
    format!("retry: {millis}\n").into_bytes()
}

fn open(id: impl Into<Option<EventId>>, name: &str, data_len: usize) -> Vec<u8> {
    const FIELDS_MAX: usize = 64;
    let mut frame = Vec::with_capacity(FIELDS_MAX + name.len() + data_len);
    if let Some(id) = id.into() {
        frame.extend_from_slice(b"id: ");
        push_id(&mut frame, id);
        frame.push(b'\n');
    }
    frame.extend_from_slice(b"event: ");
    frame.extend_from_slice(name.as_bytes());
    frame.push(b'\n');
    frame
}

/// Appends an event ID as [`EventId`] displays it, faster than by formatting.
pub(super) fn push_id(out: &mut Vec<u8>, id: EventId) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(id.seq).as_bytes());
    out.push(b'-');
    out.extend_from_slice(digits.format(id.time).as_bytes());
}

fn push_data(frame: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut start = 0;
    for at in memchr::memchr2_iter(b'\n', b'\r', bytes) {
        if bytes[at] == b'\n' && at > 0 && bytes[at - 1] == b'\r' {
            // The second half of a CRLF, whose line ended at the CR.
            start = at + 1;
            continue;
        }
        push_line(frame, &bytes[start..at]);
        start = at + 1;
    }
    push_line(frame, &bytes[start..]);
}

fn push_line(frame: &mut Vec<u8>, line: &[u8]) {
    frame.extend_from_slice(b"data: ");
    frame.extend_from_slice(line);
    frame.push(b'\n');
}

fn close(mut frame: Vec<u8>) -> Vec<u8> {
    frame.push(b'\n');
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(message: Message) -> String {
        let id = EventId {
            seq: 17,
            time: 1_732_262_400_123,
        };
        String::from_utf8(text_frame(&Event { id, message })).unwrap()
    }

    #[test]
    fn a_message_is_an_id_a_name_and_data() {
        assert_eq!(
            framed(Message::text("Processed file 3 of 120")),
            "id: 17-1732262400123\nevent: debug\ndata: Processed file 3 of 120\n\n"
        );
    }

    #[test]
    fn every_kind_of_line_end_begins_a_new_data_line() {
        let frame = framed(Message::text("a\nb\rc\r\nd\n\re\r\n"));
        let data: Vec<_> = frame
            .lines()
            .filter_map(|it| it.strip_prefix("data: "))
            .collect();
        assert_eq!(data, ["a", "b", "c", "d", "", "e", ""]);
    }

    #[test]
    fn an_empty_message_is_an_empty_data_line() {
        assert!(framed(Message::text("")).ends_with("\ndata: \n\n"));
    }

    #[test]
    fn the_greeting_is_the_protocols_byte_for_byte() {
        let id = EventId { seq: 0, time: 5 };
        assert_eq!(
            greeting(id, 5, Format::Text),
            b"retry: 1000\nid: 0-5\nevent: debug\ndata: Starting server communication...\n\n"
        );
    }
}
