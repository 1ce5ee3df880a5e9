//! Navigation: how each movement changes the anchor.

use super::filter::Filter;
use super::records::{Id, Record, plain};
use super::viewport::Placed;
use super::{Screen, wrap};
use crate::message::Level;

/// Length of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    /// This many rows.
    Rows(usize),
    /// Half a screen.
    Half,
    /// A screen.
    Page,
}

impl Screen {
    /// Moves the focus to the next record, or to the previous one.
    pub(in crate::watch) fn step(&mut self, down: bool) {
        if self.is_following() && down {
            return;
        }
        let geometry = self.geometry();
        let stepped = geometry.stepped(self.anchor, down);
        let page = geometry.page(stepped);
        let is_last = geometry.focus(stepped) == self.shown.back().copied();
        let reached = down && is_last && geometry.is_at_end(&page);
        self.settle(stepped, reached);
    }

    /// Moves the page.
    pub(in crate::watch) fn scroll(&mut self, down: bool, far: Far) {
        if self.is_following() && down {
            return;
        }
        let geometry = self.geometry();
        let rows = match far {
            Far::Rows(rows) => rows,
            Far::Half => (geometry.height / 2).max(1),
            Far::Page => geometry.height.saturating_sub(1).max(1),
        };
        let rows = isize::try_from(rows).unwrap_or(isize::MAX);
        let scrolled = geometry.scrolled(self.anchor, if down { rows } else { -rows });
        let reached = down && geometry.is_at_end(&geometry.page(scrolled));
        // If the page cannot move any further, the focus goes to its end.
        let stuck = !down && geometry.page(scrolled) == geometry.page(self.anchor);
        if stuck && let Some(first) = self.shown.front() {
            let first = geometry.revealed(self.anchor, *first, 0, Placed::Near);
            return self.settle(Some(first), false);
        }
        self.settle(scrolled, reached);
    }

    fn settle(&mut self, anchor: Option<super::viewport::Anchor>, reached: bool) {
        if reached {
            self.follow();
        } else {
            self.anchor = anchor;
        }
    }

    /// Stops following.
    pub(in crate::watch) fn pause(&mut self) {
        if self.is_following() {
            self.anchor = self.geometry().scrolled(None, 0);
        }
    }

    /// Goes to the first record.
    pub(in crate::watch) fn go_to_first(&mut self) {
        if let Some(first) = self.shown.front().copied() {
            self.reveal(first, 0);
        }
    }

    /// Puts a record in focus.
    pub(in crate::watch) fn reveal(&mut self, id: Id, offset: usize) {
        let anchor = self
            .geometry()
            .revealed(self.anchor, id, offset, Placed::Far);
        self.anchor = Some(anchor);
    }

    /// Puts a hit in focus, at the row and sideways position of the match.
    pub(in crate::watch) fn reveal_hit(&mut self, id: Id) {
        let found = self
            .records
            .get(id)
            .zip(self.search.query())
            .and_then(|(record, query)| {
                let plain = record.plain();
                let hit = query.hits(&plain).next()?;
                Some((
                    offset_of(record, hit.start),
                    columns_before(&plain, hit.start),
                ))
            });
        let (offset, columns) = found.unwrap_or_default();
        let width = usize::from(self.columns().text);
        if !self.wraps && !(self.sideways..self.sideways + width).contains(&columns) {
            self.sideways = if columns < width {
                0
            } else {
                columns - width / 2
            };
        }
        self.reveal(id, offset);
    }

    /// Goes to the next or previous record that is wanted; returns whether there is one.
    pub(in crate::watch) fn seek(&mut self, down: bool, wanted: impl Fn(&Record) -> bool) -> bool {
        let Some((focus, _)) = self.focus() else {
            return false;
        };
        let is = |id: &&Id| self.records.get(**id).is_some_and(&wanted);
        let at = self.shown.partition_point(|it| *it < focus);
        // While following, the last record need not be the one being read: going up may end there.
        let following = self.is_following();
        let found = if down {
            self.shown.iter().skip(at + 1).find(is)
        } else {
            let before = self.shown.iter().take(at + usize::from(following));
            before.rev().find(is)
        };
        let found = found.copied();
        if let Some(id) = found {
            self.reveal(id, 0);
        }
        found.is_some()
    }

    /// Goes to the first of all shown records that is wanted, or with `down` false to the last one; returns whether there is
    /// one.
    pub(in crate::watch) fn seek_outermost(
        &mut self,
        down: bool,
        wanted: impl Fn(&Record) -> bool,
    ) -> bool {
        let is = |id: &&Id| self.records.get(**id).is_some_and(&wanted);
        let mut shown = self.shown.iter();
        let found = if down {
            shown.find(is)
        } else {
            shown.rfind(is)
        };
        let found = found.copied();
        if let Some(id) = found {
            self.reveal(id, 0);
        }
        found.is_some()
    }

    /// Returns which of the wanted records is in focus, from 1, and how many of them are shown.
    pub(in crate::watch) fn place_among(
        &self,
        wanted: impl Fn(&Record) -> bool,
    ) -> Option<(u64, u64)> {
        let (focus, _) = self.focus()?;
        let mut counts = (0, 0);
        for id in &self.shown {
            if self.records.get(*id).is_some_and(&wanted) {
                counts.1 += 1;
                counts.0 += u64::from(*id <= focus);
            }
        }
        (counts.1 > 0).then_some(counts)
    }

    /// Returns whether a record is an error.
    pub(in crate::watch) fn is_error(record: &Record) -> bool {
        Filter::level_of(record) == Level::Error
    }

    /// Marks or unmarks the record in focus; returns a notice.
    pub(in crate::watch) fn toggle_mark(&mut self) -> &'static str {
        let Some((id, _)) = self.focus() else {
            return "nothing to mark";
        };
        if self.marks.remove(&id) {
            return "mark taken away";
        }
        if self.marks.len() >= super::MARKS_MAX {
            return "there are as many marks as can be kept";
        }
        self.marks.insert(id);
        "marked"
    }

    /// Goes to the next mark that is shown, wrapping around; returns whether there is one.
    pub(in crate::watch) fn go_to_next_mark(&mut self) -> bool {
        let Some((focus, _)) = self.focus() else {
            return false;
        };
        let shown = |id: &&Id| self.shown.binary_search(id).is_ok();
        let after = self.marks.range(focus + 1..).find(shown);
        let next = after.or_else(|| self.marks.iter().find(shown)).copied();
        if let Some(id) = next {
            self.reveal(id, 0);
        }
        next.is_some()
    }

    /// Scrolls sideways.
    pub(in crate::watch) fn look_sideways(&mut self, right: bool) {
        let step = usize::from(self.columns().text / 2).max(1);
        if right {
            let geometry = self.geometry();
            let page = geometry.page(self.anchor);
            let widest = page.iter().filter_map(|row| {
                let text = &self.records.get(row.record)?.text[row.range.clone()];
                // No row has more columns than bytes; this cheap bound rules most records out.
                Some(
                    wrap::cells(text)
                        .map(|(_, columns, _)| columns)
                        .sum::<usize>(),
                )
            });
            let width = usize::from(self.columns().text);
            let furthest = widest.max().unwrap_or(0).saturating_sub(width);
            self.sideways = (self.sideways + step).min(furthest.max(self.sideways));
        } else {
            self.sideways = self.sideways.saturating_sub(step);
        }
    }
}

/// Returns the position in the text with colours of a byte of the plain text.
fn offset_of(record: &Record, plain_at: usize) -> usize {
    let mut left = plain_at;
    for (at, _, cell) in wrap::cells(&record.text) {
        if cell.starts_with('\x1b') {
            continue;
        }
        if left < cell.len() {
            return at;
        }
        left -= cell.len();
    }
    0
}

/// Returns how many columns of its line come before a byte.
fn columns_before(text: &str, at: usize) -> usize {
    debug_assert_eq!(plain(text), text);
    let line = text[..at].rfind('\n').map_or(0, |it| it + 1);
    wrap::cells(&text[line..at])
        .map(|(_, columns, _)| columns)
        .sum()
}
