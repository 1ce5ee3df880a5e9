//! The search: a pattern, and the records that match it.

use std::collections::VecDeque;

use super::query::Query;
use super::records::{Id, Record};

/// The search.
#[derive(Debug, Default)]
pub struct Search {
    query: Option<Query>,
    /// The shown records that match, in order.
    hits: VecDeque<Id>,
}

impl Search {
    /// Sets or removes the pattern. The hits must then be found again.
    pub fn set(&mut self, query: Option<Query>) {
        self.query = query;
        self.hits.clear();
    }

    /// Returns the pattern.
    #[must_use]
    pub fn query(&self) -> Option<&Query> {
        self.query.as_ref()
    }

    /// Finds the hits among the records that are shown.
    pub fn find<'a>(&mut self, shown: impl Iterator<Item = (Id, &'a Record)>) {
        self.hits.clear();
        if let Some(query) = &self.query {
            let hits = shown.filter(|(_, record)| query.matches(record));
            self.hits.extend(hits.map(|(id, _)| id));
        }
    }

    /// Returns whether a record matches.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        self.query.as_ref().is_some_and(|it| it.matches(record))
    }

    /// Adds a hit that comes after all others.
    pub fn add(&mut self, id: Id) {
        self.hits.push_back(id);
    }

    /// Removes the oldest hit, if it is this one.
    pub fn forget(&mut self, id: Id) {
        if self.hits.front() == Some(&id) {
            self.hits.pop_front();
        }
    }

    /// Returns how many records match.
    #[must_use]
    pub fn count(&self) -> usize {
        self.hits.len()
    }

    /// Returns the number of a hit, from 1.
    #[must_use]
    pub fn number(&self, id: Id) -> Option<usize> {
        self.hits.binary_search(&id).ok().map(|it| it + 1)
    }

    /// Returns the first hit after `id` (or at it, if `with`), or else the very first.
    #[must_use]
    pub fn after(&self, id: Id, with: bool) -> Option<Id> {
        let at = self.hits.partition_point(|it| *it < id + u64::from(!with));
        self.hits.get(at).or(self.hits.front()).copied()
    }

    /// Returns the last hit before `id`, or else the very last.
    #[must_use]
    pub fn before(&self, id: Id) -> Option<Id> {
        let at = self.hits.partition_point(|it| *it < id);
        let before = at.checked_sub(1).and_then(|at| self.hits.get(at));
        before.or(self.hits.back()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hit_after_the_last_is_the_first() {
        let mut search = Search::default();
        assert_eq!((search.after(3, true), search.before(3)), (None, None));
        for id in [2, 5, 9] {
            search.add(id);
        }
        assert_eq!(
            (search.after(5, true), search.after(5, false)),
            (Some(5), Some(9))
        );
        assert_eq!(
            (search.after(9, false), search.before(2)),
            (Some(2), Some(9))
        );
        assert_eq!((search.number(5), search.number(6)), (Some(2), None));
        search.forget(2);
        assert_eq!((search.count(), search.number(5)), (2, Some(1)));
    }
}
