//! A pattern that is looked for, and the records that have it.

use std::collections::VecDeque;

use super::query::Query;
use super::records::{Id, Record};

/// What is looked for.
#[derive(Debug, Default)]
pub struct Search {
    query: Option<Query>,
    /// The records that are shown and match, in order.
    hits: VecDeque<Id>,
}

impl Search {
    /// Looks for something else, or for nothing. The hits have to be found anew.
    pub fn set(&mut self, query: Option<Query>) {
        self.query = query;
        self.hits.clear();
    }

    /// What is looked for.
    #[must_use]
    pub fn query(&self) -> Option<&Query> {
        self.query.as_ref()
    }

    /// Finds the hits among these, which are all that are shown.
    pub fn find<'a>(&mut self, shown: impl Iterator<Item = (Id, &'a Record)>) {
        self.hits.clear();
        if let Some(query) = &self.query {
            let hits = shown.filter(|(_, record)| query.matches(record));
            self.hits.extend(hits.map(|(id, _)| id));
        }
    }

    /// Whether a record is a hit.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        self.query.as_ref().is_some_and(|it| it.matches(record))
    }

    /// Adds a hit that comes after all others.
    pub fn add(&mut self, id: Id) {
        self.hits.push_back(id);
    }

    /// Lets the oldest one go, if it is this.
    pub fn forget(&mut self, id: Id) {
        if self.hits.front() == Some(&id) {
            self.hits.pop_front();
        }
    }

    /// How many records have it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.hits.len()
    }

    /// Which hit this record is, from 1.
    #[must_use]
    pub fn number(&self, id: Id) -> Option<usize> {
        self.hits.binary_search(&id).ok().map(|it| it + 1)
    }

    /// The first hit after `id` (or at it, where `with` says so); the very first where there is none.
    #[must_use]
    pub fn after(&self, id: Id, with: bool) -> Option<Id> {
        let at = self.hits.partition_point(|it| *it < id + u64::from(!with));
        self.hits.get(at).or(self.hits.front()).copied()
    }

    /// The last hit before `id`; the very last where there is none.
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
    fn hits_are_gone_through_in_a_circle() {
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
