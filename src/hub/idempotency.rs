//! Idempotency keys: what a channel remembers of requests that may be repeated.
//!
//! A finished request whose answer was lost is repeated at once or never. An interrupted one may be resumed much later,
//! and meanwhile others may publish a lot. So each kind has its own list, and no finished request removes an unfinished
//! one.

use std::collections::VecDeque;

use super::Receipt;

/// Upper bound of the remembered keys of either kind; the last used ones are kept.
pub const KEYS: usize = 64;

#[derive(Default)]
pub(super) struct Keys {
    /// Finished requests.
    finished: Newest,
    /// Streaming requests that are under way or were interrupted.
    unfinished: Newest,
}

/// The last used keys, longest unused first.
#[derive(Default)]
struct Newest(VecDeque<Keyed>);

struct Keyed {
    key: Box<str>,
    /// What was accepted of the request so far.
    receipt: Receipt,
    /// The number of streaming tries; see [`super::PublishStream`].
    tries: u32,
}

impl Keys {
    /// Returns what was accepted of the request with this key.
    pub(super) fn receipt(&self, key: &str) -> Option<Receipt> {
        self.get(key).map(|it| it.receipt.clone())
    }

    /// Notes what was accepted of the request with this key. A try that got less far than an earlier one changes
    /// nothing.
    pub(super) fn note(&mut self, key: &str, receipt: &Receipt) {
        self.under_way(key, receipt).reach(receipt);
    }

    /// Notes that the request with this key has finished, and what was accepted of it.
    pub(super) fn finish(&mut self, key: &str, receipt: &Receipt) {
        let mut keyed = self.take(key, receipt);
        keyed.reach(receipt);
        self.finished.push(keyed);
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

    fn get(&self, key: &str) -> Option<&Keyed> {
        let mut all = self.unfinished.0.iter().chain(&self.finished.0);
        all.find(|it| *it.key == *key)
    }

    /// Returns the entry of this key as one of a request under way.
    fn under_way(&mut self, key: &str, receipt: &Receipt) -> &mut Keyed {
        let keyed = self.take(key, receipt);
        self.unfinished.push(keyed)
    }

    fn take(&mut self, key: &str, receipt: &Receipt) -> Keyed {
        let known = self.unfinished.take(key);
        let known = known.or_else(|| self.finished.take(key));
        known.unwrap_or_else(|| Keyed::new(key, receipt))
    }
}

impl Keyed {
    fn new(key: &str, receipt: &Receipt) -> Self {
        Self {
            key: key.into(),
            receipt: receipt.clone(),
            tries: 0,
        }
    }

    fn reach(&mut self, receipt: &Receipt) {
        if self.receipt.accepted < receipt.accepted {
            self.receipt = receipt.clone();
        }
    }
}

impl Newest {
    fn take(&mut self, key: &str) -> Option<Keyed> {
        let index = self.0.iter().position(|it| *it.key == *key)?;
        self.0.remove(index)
    }

    fn push(&mut self, keyed: Keyed) -> &mut Keyed {
        if self.0.len() >= KEYS {
            self.0.pop_front();
        }
        self.0.push_back(keyed);
        let newest = self.0.len() - 1;
        &mut self.0[newest]
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
        for index in 0..=KEYS {
            end(&mut keys, &index.to_string());
        }
        assert_eq!(keys.receipt("0"), None);
        assert_eq!(keys.receipt("1"), Some(receipt(1)));
        assert_eq!(keys.finished.0.len(), KEYS);

        for index in 0..=KEYS {
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
            "who ends pushes out who ended"
        );
    }

    #[test]
    fn a_request_that_broke_off_is_remembered_however_many_others_end() {
        let mut keys = Keys::default();
        keys.begin_try("broken", 0);
        keys.note("broken", &receipt(5));
        for index in 0..2 * KEYS {
            end(&mut keys, &index.to_string());
        }
        assert_eq!(keys.receipt("broken"), Some(receipt(5)));
        assert_eq!(keys.begin_try("broken", 0), 2);
        keys.finish("broken", &receipt(6));

        // Its answer was lost, and the next try was interrupted.
        keys.begin_try("broken", 0);
        for index in 0..2 * KEYS {
            end(&mut keys, &index.to_string());
        }
        assert_eq!(keys.receipt("broken"), Some(receipt(6)));
    }

    #[test]
    fn a_key_in_use_is_not_pushed_out() {
        let mut keys = Keys::default();
        for index in 0..2 * KEYS {
            keys.note("held back", &receipt(1 + index as u64));
            end(&mut keys, &index.to_string());
        }
        assert_eq!(keys.receipt("held back"), Some(receipt(2 * KEYS as u64)));
    }

    #[test]
    fn a_try_that_got_less_far_takes_nothing_back() {
        let mut keys = Keys::default();
        assert_eq!(keys.begin_try("a", 0), 1);
        keys.note("a", &receipt(5));
        assert_eq!(keys.begin_try("a", 0), 2);
        keys.note("a", &receipt(3));
        assert_eq!(keys.receipt("a"), Some(receipt(5)));
        assert_eq!((keys.tries("a"), keys.tries("b")), (Some(2), None));
    }
}
