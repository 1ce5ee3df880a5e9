//! Idempotency keys: what a channel remembers of requests that may be repeated.
//!
//! A finished request whose answer was lost is repeated within seconds or never. An interrupted one may be resumed much
//! later, and meanwhile others may publish a lot. So each kind has its own list, and no finished request removes an
//! unfinished one.

use std::collections::{HashMap, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

use super::Receipt;
use crate::control::Requested;
use crate::event::EventId;

/// Upper bound of the remembered keys of finished requests; the last used ones are kept. Many others may
/// publish before a request is repeated.
pub const FINISHED_KEYS: usize = 1024;
/// The same for requests that are under way or were interrupted.
pub const UNFINISHED_KEYS: usize = 64;

pub(super) struct Keys {
    finished: Newest,
    /// Streaming requests.
    unfinished: Newest,
}

/// The last used keys.
struct Newest {
    max: usize,
    entries: HashMap<Arc<str>, Keyed>,
    /// Longest unused first.
    order: VecDeque<Arc<str>>,
    /// Sum of the keys' lengths.
    key_bytes: usize,
}

/// What is remembered of a request: what was accepted of it so far, and the tries. What watchers request of publishers
/// is not, because an answer has what they request now.
struct Keyed {
    last: Option<EventId>,
    accepted: u64,
    subscribers: usize,
    /// The number of streaming tries; see [`super::PublishStream`].
    tries: u32,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            finished: Newest::new(FINISHED_KEYS),
            unfinished: Newest::new(UNFINISHED_KEYS),
        }
    }
}

impl Keys {
    /// Returns what was accepted of the request with this key.
    pub(super) fn receipt(&self, key: &str) -> Option<Receipt> {
        self.get(key).map(|it| Receipt {
            last: it.last,
            accepted: it.accepted,
            subscribers: it.subscribers,
            requested: Requested::default(),
        })
    }

    /// Notes what was accepted of the request with this key. A try that got less far than an earlier one changes
    /// nothing.
    pub(super) fn note(&mut self, key: &str, receipt: &Receipt) {
        self.under_way(key, receipt).reach(receipt);
    }

    /// Notes that the request with this key has finished, and what was accepted of it.
    pub(super) fn finish(&mut self, key: &str, receipt: &Receipt) {
        self.finished(key, receipt).reach(receipt);
    }

    /// Notes that a streaming try at the request with this key has begun and finished, and what was accepted of it.
    pub(super) fn finish_at_once(&mut self, key: &str, receipt: &Receipt) {
        let keyed = self.finished(key, receipt);
        keyed.reach(receipt);
        keyed.tries += 1;
    }

    /// Begins a streaming try at the request with this key; returns its attempt number, from 1.
    pub(super) fn begin_try(&mut self, key: &str, subscribers: usize) -> u32 {
        let nothing_yet = Receipt {
            subscribers,
            ..Receipt::default()
        };
        let keyed = self.under_way(key, &nothing_yet);
        keyed.tries += 1;
        keyed.tries
    }

    /// Returns the number of streaming tries of the request with this key; `None` if the key is forgotten.
    pub(super) fn tries(&self, key: &str) -> Option<u32> {
        self.get(key).map(|it| it.tries)
    }

    /// Returns the memory that the keys take, in bytes; approximate.
    pub(super) fn memory(&self) -> usize {
        self.finished.memory() + self.unfinished.memory()
    }

    fn get(&self, key: &str) -> Option<&Keyed> {
        let unfinished = self.unfinished.entries.get(key);
        unfinished.or_else(|| self.finished.entries.get(key))
    }

    /// Returns the entry of this key as one of a finished request.
    fn finished(&mut self, key: &str, receipt: &Receipt) -> &mut Keyed {
        let known = self.unfinished.remove(key);
        self.finished.use_key(key, known, receipt)
    }

    /// Returns the entry of this key as one of a request under way.
    fn under_way(&mut self, key: &str, receipt: &Receipt) -> &mut Keyed {
        let known = self.finished.remove(key);
        self.unfinished.use_key(key, known, receipt)
    }
}

impl Keyed {
    fn new(receipt: &Receipt) -> Self {
        Self {
            last: receipt.last,
            accepted: receipt.accepted,
            subscribers: receipt.subscribers,
            tries: 0,
        }
    }

    fn reach(&mut self, receipt: &Receipt) {
        if self.accepted < receipt.accepted {
            let tries = self.tries;
            *self = Self {
                tries,
                ..Self::new(receipt)
            };
        }
    }
}

impl Newest {
    fn new(max: usize) -> Self {
        Self {
            max,
            entries: HashMap::new(),
            order: VecDeque::new(),
            key_bytes: 0,
        }
    }

    fn memory(&self) -> usize {
        /// Of one key: its entry, its place in the order, and the reference counts before its text.
        const EACH: usize =
            size_of::<(Arc<str>, Keyed)>() + size_of::<Arc<str>>() + 2 * size_of::<usize>();
        self.key_bytes + self.order.len() * EACH
    }

    fn remove(&mut self, key: &str) -> Option<Keyed> {
        let (key, keyed) = self.entries.remove_entry(key)?;
        self.order.retain(|it| !Arc::ptr_eq(it, &key));
        self.key_bytes -= key.len();
        Some(keyed)
    }

    /// Returns the entry of this key, which is the last used one then. If it is not among them, it gets what is `known`
    /// of it from elsewhere, or else this receipt.
    fn use_key(&mut self, key: &str, known: Option<Keyed>, receipt: &Receipt) -> &mut Keyed {
        let key = if let Some((key, _)) = self.entries.get_key_value(key) {
            let key = Arc::clone(key);
            self.order.retain(|it| !Arc::ptr_eq(it, &key));
            key
        } else {
            self.make_room();
            self.key_bytes += key.len();
            key.into()
        };
        self.order.push_back(Arc::clone(&key));
        self.entries
            .entry(key)
            .or_insert_with(|| known.unwrap_or_else(|| Keyed::new(receipt)))
    }

    fn make_room(&mut self) {
        if self.order.len() >= self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
            self.key_bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(accepted: u64) -> Receipt {
        Receipt {
            accepted,
            ..Receipt::default()
        }
    }

    fn end(keys: &mut Keys, key: &str) {
        keys.finish(key, &receipt(1));
    }

    #[test]
    fn the_newest_keys_are_remembered() {
        let mut keys = Keys::default();
        for index in 0..=FINISHED_KEYS {
            end(&mut keys, &index.to_string());
        }
        assert_eq!(keys.receipt("0"), None);
        assert_eq!(keys.receipt("1"), Some(receipt(1)));
        assert_eq!(keys.finished.order.len(), FINISHED_KEYS);

        for index in 0..=UNFINISHED_KEYS {
            keys.begin_try(&format!("broken {index}"), 0);
        }
        assert_eq!(
            (keys.tries("broken 0"), keys.tries("broken 1")),
            (None, Some(1))
        );
        end(&mut keys, "one more");
        assert_eq!(
            keys.tries("broken 1"),
            Some(1),
            "a finished request removes only finished ones"
        );
    }

    #[test]
    fn a_request_that_broke_off_is_remembered_however_many_others_end() {
        let mut keys = Keys::default();
        keys.begin_try("broken", 0);
        keys.note("broken", &receipt(5));
        for index in 0..2 * FINISHED_KEYS {
            end(&mut keys, &index.to_string());
        }
        assert_eq!(keys.receipt("broken"), Some(receipt(5)));
        assert_eq!(keys.begin_try("broken", 0), 2);
        keys.finish("broken", &receipt(6));

        // Its answer was lost, and the next try was interrupted.
        keys.begin_try("broken", 0);
        for index in 0..2 * FINISHED_KEYS {
            end(&mut keys, &index.to_string());
        }
        assert_eq!(keys.receipt("broken"), Some(receipt(6)));
    }

    #[test]
    fn a_key_in_use_is_not_evicted() {
        let mut keys = Keys::default();
        for index in 0..2 * FINISHED_KEYS {
            keys.note("held back", &receipt(1 + index as u64));
            end(&mut keys, &index.to_string());
        }
        assert_eq!(
            keys.receipt("held back"),
            Some(receipt(2 * FINISHED_KEYS as u64))
        );
    }

    #[test]
    fn an_attempt_that_got_less_far_changes_nothing() {
        let mut keys = Keys::default();
        assert_eq!(keys.begin_try("a", 0), 1);
        keys.note("a", &receipt(5));
        assert_eq!(keys.begin_try("a", 0), 2);
        keys.note("a", &receipt(3));
        assert_eq!(keys.receipt("a"), Some(receipt(5)));
        assert_eq!((keys.tries("a"), keys.tries("b")), (Some(2), None));
    }

    #[test]
    fn a_request_that_finishes_at_once_counts_as_a_try() {
        let mut keys = Keys::default();
        assert_eq!(keys.begin_try("a", 0), 1);
        keys.note("a", &receipt(1));
        keys.finish_at_once("a", &receipt(2));
        assert_eq!(
            (keys.receipt("a"), keys.tries("a")),
            (Some(receipt(2)), Some(2))
        );
        assert!(keys.unfinished.order.is_empty());
    }

    #[test]
    fn the_memory_is_that_of_the_remembered_keys() {
        let mut keys = Keys::default();
        assert_eq!(keys.memory(), 0);
        end(&mut keys, "a");
        let one = keys.memory();
        end(&mut keys, "a");
        assert_eq!(keys.memory(), one, "the same key again");
        for index in 0..2 * FINISHED_KEYS {
            end(&mut keys, &format!("{index:08}"));
        }
        assert_eq!(keys.memory(), FINISHED_KEYS * (one + 7));
        keys.begin_try("a", 0);
        assert_eq!(keys.memory(), FINISHED_KEYS * (one + 7) + one);
    }
}
