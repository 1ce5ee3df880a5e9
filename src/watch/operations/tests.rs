//! Operations, fed with one message after the other.

use super::*;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn progress(operation: &str, current: f64, total: f64) -> Message {
    Message {
        operation: Some(operation.parse().unwrap()),
        progress: Some(Progress::new(current, Some(total), Some("files")).unwrap()),
        ..Message::default()
    }
}

fn ends(operation: Option<&str>, outcome: Outcome) -> Message {
    Message {
        operation: operation.map(|it| it.parse().unwrap()),
        outcome: Some(outcome),
        ..Message::default()
    }
}

fn loss(operation: Option<&str>) -> Message {
    Message {
        operation: operation.map(|it| it.parse().unwrap()),
        ..Message::system(Some(Level::Error), "gone")
    }
}

fn names(operations: &Operations) -> Vec<Option<&str>> {
    operations.running().map(OperationState::name).collect()
}

/// Returns the progress guessed from these texts, one per second, for the operation without a name.
fn guessed(texts: &[&str]) -> Option<(f64, Option<f64>)> {
    let mut operations = Operations::new(true);
    for (second, text) in texts.iter().enumerate() {
        operations.update(
            &Message::text(*text),
            None,
            Duration::from_secs(second as u64),
        );
    }
    let progress = operations.running().next()?.progress()?;
    Some((progress.current(), progress.total()))
}

#[test]
fn progress_gives_a_fraction_a_rate_and_a_time_to_go() {
    let mut operations = Operations::new(true);
    for step in 0..=10 {
        operations.update(
            &progress("refresh", f64::from(step), 40.0),
            None,
            seconds(f64::from(step) / 2.0),
        );
    }
    let now = seconds(5.0);
    let state = operations.running().next().unwrap();
    assert_eq!(state.name(), Some("refresh"));
    assert_eq!(state.fraction(), Some(0.25));
    assert_eq!(state.rate(now), Some(2.0));
    assert_eq!(state.eta(now), Some(seconds(15.0)));
    assert_eq!(state.elapsed(now), seconds(5.0));
    assert_eq!(state.stalled(seconds(14.0)), None);
    assert_eq!(state.stalled(seconds(17.0)), Some(seconds(12.0)));
}

#[test]
fn messages_that_arrive_at_once_are_timed_by_their_publication() {
    const FIRST: UnixMillis = 1_732_262_400_000;
    let mut operations = Operations::new(true);
    for step in 0..=10 {
        let time = Some(FIRST + step * 500);
        #[expect(clippy::cast_precision_loss, reason = "ten steps")]
        operations.update(&progress("refresh", step as f64, 40.0), time, seconds(0.1));
    }
    let state = operations.running().next().unwrap();
    assert_eq!(state.elapsed(seconds(0.1)), seconds(5.0));
    assert_eq!(state.rate(seconds(0.1)), Some(2.0));
    assert_eq!(state.eta(seconds(0.1)), Some(seconds(15.0)));
    assert_eq!(state.elapsed(seconds(1.1)), seconds(6.0));
}

#[test]
fn an_outcome_ends_an_operation_and_a_message_after_it_begins_another() {
    let mut operations = Operations::new(true);
    operations.update(&progress("a", 1.0, 2.0), None, seconds(0.0));
    operations.update(&progress("b", 1.0, 2.0), None, seconds(1.0));
    operations.update(&ends(Some("a"), Outcome::Failed), None, seconds(3.0));
    assert_eq!(names(&operations), [Some("b")]);
    let ended = operations.all().next().unwrap();
    assert_eq!(ended.outcome(), Some(Outcome::Failed));
    assert_eq!(ended.elapsed(seconds(9.0)), seconds(3.0));
    assert_eq!(
        (ended.eta(seconds(9.0)), ended.stalled(seconds(99.0))),
        (None, None)
    );
    operations.update(&progress("a", 1.0, 2.0), None, seconds(4.0));
    assert_eq!(names(&operations), [Some("b"), Some("a")]);
    assert_eq!(operations.all().count(), 3);
}

#[test]
fn a_lost_publisher_ends_its_operation_until_its_next_message() {
    let mut operations = Operations::new(true);
    operations.update(&progress("a", 1.0, 2.0), None, seconds(0.0));
    operations.update(&progress("b", 1.0, 2.0), None, seconds(0.0));
    operations.update(&loss(None), None, seconds(1.0));
    assert_eq!(operations.running().count(), 2, "either may be meant");
    operations.update(&loss(Some("a")), None, seconds(1.0));
    assert_eq!(names(&operations), [Some("b")]);
    assert!(operations.all().next().unwrap().lost());
    operations.update(&loss(None), None, seconds(2.0));
    assert_eq!(operations.running().count(), 0, "only b can be meant");
    operations.update(&progress("a", 2.0, 2.0), None, seconds(3.0));
    assert_eq!(names(&operations), [Some("a")]);
    assert!(!operations.all().next().unwrap().lost());
}

#[test]
fn messages_without_a_name_are_an_operation_if_they_have_progress_or_an_outcome() {
    let mut operations = Operations::new(true);
    operations.update(&Message::text("hello"), None, seconds(0.0));
    assert_eq!(operations.all().count(), 0);
    for file in 1..=4 {
        let text = format!("Processed file {file} of 40");
        operations.update(&Message::text(text), None, seconds(1.0));
    }
    operations.update(&Message::text("thinking"), None, seconds(8.0));
    let state = operations.running().next().unwrap();
    assert_eq!((state.name(), state.fraction()), (None, Some(0.1)));
    assert_eq!(
        state.stalled(seconds(12.0)),
        None,
        "any text is a sign of life"
    );
    operations.update(&ends(None, Outcome::Ok), None, seconds(9.0));
    assert_eq!(operations.running().count(), 0);
    operations.update(&Message::text("40 of 40 files are in"), None, seconds(9.0));
    assert_eq!(operations.all().count(), 1, "a result is no operation");
}

#[test]
fn guesses_follow_one_count_and_never_override_the_publisher() {
    let files = ["file 1 of 120", "file 2 of 120", "file 3 of 120"];
    let parts = ["part 1/5", "part 2/5", "part 3/5"];
    assert_eq!(guessed(&files), Some((3.0, Some(120.0))));
    assert_eq!(
        guessed(&[&parts[..1], &files, &parts[1..]].concat()),
        Some((3.0, Some(120.0))),
        "one gauge shows one of them"
    );
    assert_eq!(
        guessed(&["file 1 of 3", "file 2 of 3", "file 3 of 3"]),
        None,
        "a result is no operation"
    );
    assert_eq!(
        guessed(&[&files[..], &[""; 3], &parts].concat()),
        Some((3.0, Some(5.0))),
        "the files have come to a halt"
    );
    assert_eq!(guessed(&["load is 30 %"; 5]), None);

    let mut operations = Operations::new(true);
    let mut message = progress("a", 3.0, 120.0);
    operations.update(&message, None, seconds(0.0));
    message.progress = None;
    for part in parts {
        message.text = part.into();
        operations.update(&message, None, seconds(9.0));
    }
    assert_eq!(operations.running().next().unwrap().fraction(), Some(0.025));
    let mut operations = Operations::new(false);
    operations.update(&message, None, seconds(0.0));
    assert_eq!(operations.running().next().unwrap().progress(), None);
}

#[test]
fn ended_operations_are_forgotten_first_beyond_the_bound() {
    let mut operations = Operations::new(true);
    for number in 0..OPERATIONS_MAX {
        operations.update(&progress(&number.to_string(), 1.0, 2.0), None, seconds(0.0));
    }
    operations.update(&ends(Some("7"), Outcome::Ok), None, seconds(1.0));
    for name in ["x", "y"] {
        operations.update(&progress(name, 1.0, 2.0), None, seconds(2.0));
    }
    let known: Vec<_> = operations.all().map(|it| it.name().unwrap()).collect();
    assert_eq!(known.len(), OPERATIONS_MAX);
    assert!(!known.contains(&"7") && !known.contains(&"0") && known.contains(&"1"));
}
