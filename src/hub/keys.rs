//! Idempotency keys: what a channel remembers of requests that may be repeated.

use std::collections::VecDeque;

use super::Receipt;

/// How many keys a channel remembers: those that were last used.
pub const KEYS: usize = 64;

/// The keys that were last used, the longest unused first.
#[derive(Default)]
pub(super) struct Keys(VecDeque<Keyed>);

struct Keyed {
    key: Box<str>,
    /// What of the request stands; of a streaming one, so far.
    receipt: Receipt,
    /// Streaming tries at it; see [`super::Publisher`].
    tries: u32,
}

impl Keys {
    /// What stands of the request with this key.
    pub(super) fn receipt(&self, key: &str) -> Option<Receipt> {
        self.find(key).map(|index| self.0[index].receipt.clone())
    }

    /// Notes what stands of the request with this key. A try that got less far than an earlier one
    /// changes nothing.
    pub(super) fn note(&mut self, key: &str, receipt: &Receipt) {
        let keyed = self.entry(key, receipt);
        if keyed.receipt.accepted < receipt.accepted {
            keyed.receipt = receipt.clone();
        }
    }

    /// Begins a streaming try at the request with this key, and says the how manieth it is.
    pub(super) fn begin_try(&mut self, key: &str, subscribers: usize) -> u32 {
        let nothing_yet = Receipt {
            subscribers,
            ..Receipt::default()
        };
        let keyed = self.entry(key, &nothing_yet);
        keyed.tries += 1;
        keyed.tries
    }

    /// How many streaming tries the request with this key has seen; `None` where it is forgotten.
    pub(super) fn tries(&self, key: &str) -> Option<u32> {
        self.find(key).map(|index| self.0[index].tries)
    }

    fn entry(&mut self, key: &str, receipt: &Receipt) -> &mut Keyed {
        let known = self.find(key).and_then(|index| self.0.remove(index));
        let keyed = known.unwrap_or_else(|| {
            if self.0.len() >= KEYS {
                self.0.pop_front();
            }
            Keyed {
                key: key.into(),
                receipt: receipt.clone(),
                tries: 0,
            }
        });
        self.0.push_back(keyed);
        let newest = self.0.len() - 1;
        &mut self.0[newest]
    }

    fn find(&self, key: &str) -> Option<usize> {
        self.0.iter().position(|it| *it.key == *key)
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

    #[test]
    fn the_newest_keys_are_remembered() {
        let mut keys = Keys::default();
        for index in 0..=KEYS {
            keys.note(&index.to_string(), &receipt(1));
        }
        assert_eq!(keys.receipt("0"), None);
        assert_eq!(keys.receipt("1"), Some(receipt(1)));
        assert_eq!(keys.0.len(), KEYS);
    }

    #[test]
    fn a_key_in_use_is_not_pushed_out() {
        let mut keys = Keys::default();
        for index in 0..2 * KEYS {
            keys.note("held back", &receipt(1 + index as u64));
            keys.note(&index.to_string(), &receipt(1));
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
