//! The counts of a soak, from what watchers see.

use std::{collections::HashMap, fmt};

use codechat::internal::{
    client::subscribe::Update,
    event::{EventId, Gap},
};

/// What was sent, and its fate. All but `sent` is summed over the watchers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Lost, and reported by gaps with numbers.
    pub(crate) announced: u64,
    /// Gaps without numbers: the server was restarted, or the store lost something.
    pub(crate) unknown_gaps: u64,
    pub(crate) unannounced: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    /// Sent again because a restart came before the acknowledgement.
    pub(crate) repeated: u64,
    pub(crate) reconnects: u64,
    pub(crate) restarts: u64,
    /// The server's memory in KiB, at the start and at the end, if the system reports it.
    pub(crate) memory: [Option<u64>; 2],
    pub(crate) panicked: bool,
}

impl Tally {
    /// Returns whether nothing happened that must not.
    pub(crate) fn is_good(&self) -> bool {
        let faults = self.unannounced + self.duplicated + self.reordered;
        faults == 0 && !self.panicked && self.sent > 0 && self.received > 0
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.announced += other.announced;
        self.unknown_gaps += other.unknown_gaps;
        self.unannounced += other.unannounced;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.repeated += other.repeated;
        self.reconnects += other.reconnects;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [start, end] = self
            .memory
            .map(|it| it.map_or("not known".into(), |kib| format!("{kib} KiB")));
        for (name, count) in [
            ("sent", self.sent),
            ("received by all watchers", self.received),
            ("lost, announced", self.announced),
            ("lost, announced without a number", self.unknown_gaps),
            ("lost, unannounced (0)", self.unannounced),
            ("duplicated (0)", self.duplicated),
            ("reordered (0)", self.reordered),
            ("sent again after a restart", self.repeated),
            ("reconnects", self.reconnects),
            ("restarts and other faults", self.restarts),
        ] {
            writeln!(f, "{name:34}{count:>12}")?;
        }
        writeln!(f, "{:34}{start:>12}", "memory at the start")?;
        write!(f, "{:34}{end:>12}", "memory at the end")
    }
}

/// The record of one watcher.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) tally: Tally,
    /// The number of restarts that it has seen.
    life: u32,
    /// The number of the next message in the channel, if it is known.
    next: Option<u64>,
    publishers: HashMap<String, Track>,
}

/// What is known of one publisher's messages, which it numbers from 0.
#[derive(Debug, Default)]
struct Track {
    /// During which server's life each message came, or was reported as lost.
    came: Vec<u32>,
    /// Whether a loss was reported since the last message.
    gap: bool,
}

impl Book {
    /// Records an update; a message's text begins with its publisher and its number.
    pub(crate) fn note(&mut self, update: Update) {
        match update {
            Update::Message(it) if it.message.system => {}
            Update::Message(it) => {
                let EventId { seq, .. } = it.id.parse().expect("codechat numbers messages");
                let hole = self.next.map_or(0, |next| seq.saturating_sub(next));
                if hole > 0 {
                    self.tally.unannounced += hole;
                    self.forgive();
                }
                self.next = Some(seq + 1);
                let mut words = it.message.text.split(' ');
                let name = words.next().unwrap_or_default();
                if let Some(number) = words.next().and_then(|it| it.parse().ok()) {
                    self.message(name, number);
                }
            }
            Update::Gap(Gap::Known { from, to }) => {
                self.tally.announced += to + 1 - from;
                self.tally.unannounced += self.next.map_or(0, |next| from.saturating_sub(next));
                self.next = Some(to + 1);
                self.forgive();
            }
            Update::Gap(Gap::BeforeJoining { to }) => {
                self.tally.announced += to;
                self.next = Some(to + 1);
                self.forgive();
            }
            Update::Gap(Gap::Unknown) => {
                self.tally.unknown_gaps += 1;
                self.life += 1;
                self.next = None;
                self.forgive();
            }
            Update::Retrying { .. } => self.tally.reconnects += 1,
            _ => {}
        }
    }

    fn forgive(&mut self) {
        for track in self.publishers.values_mut() {
            track.gap = true;
        }
    }

    fn message(&mut self, name: &str, number: usize) {
        self.tally.received += 1;
        let life = self.life;
        let is_later = self.tally.announced + self.tally.unknown_gaps > 0;
        let track = self.publishers.entry(name.to_owned()).or_insert(Track {
            came: Vec::new(),
            gap: is_later,
        });
        if let Some(came) = track.came.get_mut(number) {
            if *came < life {
                self.tally.repeated += 1;
            } else {
                self.tally.duplicated += 1;
            }
            *came = life;
            return;
        }
        let missing = number - track.came.len();
        if missing > 0 && !track.gap {
            self.tally.unannounced += missing as u64;
        }
        // They may still come again after a restart, and in no other way.
        track.came.resize(number, life.saturating_sub(1));
        track.came.push(life);
        track.gap = false;
    }

    /// Completes the record: `sent` has the number of acknowledged messages of each publisher.
    pub(crate) fn close(mut self, sent: &[(String, usize)]) -> Tally {
        for (name, count) in sent {
            let (came, gap) = self.publishers.get(name).map_or(
                (0, self.tally.announced + self.tally.unknown_gaps > 0),
                |it| (it.came.len(), it.gap),
            );
            if came < *count && !gap {
                self.tally.unannounced += (count - came) as u64;
            }
        }
        self.tally
    }
}
