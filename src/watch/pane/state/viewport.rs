//! The viewport: which rows of which records are on screen.
//!
//! It is anchored at the record in focus and the row of the screen where that is. So the text being read stays in
//! its place while other records come or go, and after a change of filter, wrapping or size. While following, it is
//! anchored at the end.

use std::collections::VecDeque;
use std::ops::Range;

use super::records::{Id, Records};
use super::wrap::{self, Layouts, Rows, Width};

/// A place in a record's text, and the row of the screen where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The record in focus.
    pub record: Id,
    /// A byte of its text: the start of a row when the anchor was set.
    pub offset: usize,
    /// The row of the screen where that byte is.
    pub y: usize,
}

/// A row on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The record.
    pub record: Id,
    /// The part of its text.
    pub range: Range<usize>,
    /// Whether this is the text's first row.
    pub is_first: bool,
    /// Whether this is the text's last row.
    pub is_last: bool,
}

/// A row of a record: the record's index among those shown, and the row's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    index: usize,
    row: usize,
}

/// What rows are computed from.
#[derive(Clone, Copy, Debug)]
pub struct Geometry<'a> {
    /// All records.
    pub records: &'a Records,
    /// Those that are shown, in order.
    pub shown: &'a VecDeque<Id>,
    /// Their layouts.
    pub layouts: &'a Layouts,
    /// The width at which lines are wrapped.
    pub width: Width,
    /// How many rows there are, at least one.
    pub height: usize,
}

impl Geometry<'_> {
    /// Returns the rows on screen: those around the anchor, or the last ones.
    #[must_use]
    pub fn page(&self, anchor: Option<Anchor>) -> Vec<Row> {
        if self.shown.is_empty() {
            return Vec::new();
        }
        let top = self.top(anchor);
        let (mut index, mut skip) = (top.index, top.row);
        let mut page = Vec::with_capacity(self.height);
        while page.len() < self.height && index < self.shown.len() {
            let record = self.shown[index];
            let rows = self.rows(index);
            for (number, range) in rows.iter().enumerate().skip(skip) {
                if page.len() == self.height {
                    break;
                }
                page.push(Row {
                    record,
                    range: range.clone(),
                    is_first: number == 0,
                    is_last: number + 1 == rows.len(),
                });
            }
            skip = 0;
            index += 1;
        }
        page
    }

    /// Returns whether the page shows the end.
    #[must_use]
    pub fn is_at_end(&self, page: &[Row]) -> bool {
        page.last()
            .is_none_or(|row| row.is_last && Some(&row.record) == self.shown.back())
    }

    /// Returns the anchor after scrolling down by this many rows, or up if negative; the focus stays on its row of
    /// the screen.
    #[must_use]
    pub fn scrolled(&self, anchor: Option<Anchor>, by: isize) -> Option<Anchor> {
        if self.shown.is_empty() {
            return anchor;
        }
        let y = match anchor {
            Some(anchor) => self.focus_row(anchor),
            None => self.page(None).len() - 1,
        };
        let top = self.top(anchor);
        let top = if by < 0 {
            self.up(top, by.unsigned_abs()).0
        } else {
            self.down(top, by.unsigned_abs()).0
        };
        let page = self.page(Some(self.anchor(top, 0)));
        let y = y.min(page.len() - 1);
        Some(Anchor {
            record: page[y].record,
            offset: page[y].range.start,
            y,
        })
    }

    /// Returns the anchor for the next record, or the previous one. The page moves only as far as needed to show it; a
    /// record taller than the screen is scrolled row by row.
    #[must_use]
    pub fn stepped(&self, anchor: Option<Anchor>, down: bool) -> Option<Anchor> {
        let page = self.page(anchor);
        let focus = self.focus(anchor)?;
        let index = self.index(focus);
        let ends =
            |row: &&Row| row.record == focus && if down { row.is_last } else { row.is_first };
        if self.shown[index] == focus && !page.iter().any(|row| ends(&row)) {
            let by = if down { 1 } else { -1 };
            let scrolled = self.scrolled(anchor, by)?;
            return Some(self.kept_on(focus, scrolled));
        }
        let next = if down {
            (index + 1).min(self.shown.len() - 1)
        } else {
            index.saturating_sub(1)
        };
        if self.shown[next] == focus {
            return anchor;
        }
        Some(self.revealed(anchor, self.shown[next], 0, Placed::Near))
    }

    /// Returns the anchor for this byte of a record. The page moves only if it is not there yet.
    #[must_use]
    pub fn revealed(
        &self,
        anchor: Option<Anchor>,
        record: Id,
        offset: usize,
        placed: Placed,
    ) -> Anchor {
        let page = self.page(anchor);
        let index = self.index(record);
        let rows = self.rows(index);
        let row = row_of(&rows, offset);
        let at = |start: usize| {
            page.iter()
                .position(|it| it.record == record && it.range.start == start)
        };
        let is_whole = at(rows[0].start).is_some() && at(rows[rows.len() - 1].start).is_some();
        let first = rows[row].start;
        match at(first) {
            Some(y) if is_whole || offset > 0 => {
                return Anchor {
                    record,
                    offset: first,
                    y,
                };
            }
            _ => {}
        }
        let below = self.focus(anchor).is_none_or(|focus| focus < record);
        let y = match placed {
            Placed::Far => self.height / 3,
            Placed::Near if below => self.height.saturating_sub(rows.len()),
            Placed::Near => 0,
        };
        // Going up into a record taller than the screen shows its end first.
        let row = match placed {
            Placed::Near if !below && rows.len() > self.height => rows.len() - 1,
            _ => row,
        };
        Anchor {
            record,
            offset: rows[row].start,
            y,
        }
    }

    /// Returns the record in focus: the anchor's, or the next one that is shown; the last one while following.
    #[must_use]
    pub fn focus(&self, anchor: Option<Anchor>) -> Option<Id> {
        match anchor {
            None => self.shown.back().copied(),
            Some(_) if self.shown.is_empty() => None,
            Some(anchor) => Some(self.shown[self.index(anchor.record)]),
        }
    }

    /// Returns the index of a record among those shown, or of the next one, or of the last.
    fn index(&self, record: Id) -> usize {
        let index = self.shown.partition_point(|it| *it < record);
        index.min(self.shown.len().saturating_sub(1))
    }

    fn rows(&self, index: usize) -> Rows {
        let id = self.shown[index];
        match self.records.get(id) {
            Some(record) => self.layouts.rows(id, record, self.width),
            None => wrap::rows("", None),
        }
    }

    /// Returns the anchor for a record that is still on the anchor's page.
    fn kept_on(&self, record: Id, anchor: Anchor) -> Anchor {
        let page = self.page(Some(anchor));
        let row = page.iter().position(|it| it.record == record);
        row.map_or(anchor, |y| Anchor {
            record,
            offset: page[y].range.start,
            y,
        })
    }

    /// Returns the row of the screen where the anchor's focus really is.
    fn focus_row(&self, anchor: Anchor) -> usize {
        let focus = self.place(anchor);
        let mut top = self.top(Some(anchor));
        let mut y = 0;
        while top.index < focus.index {
            y += self.rows(top.index).len() - top.row;
            top = Place {
                index: top.index + 1,
                row: 0,
            };
        }
        y + focus.row.saturating_sub(top.row)
    }

    /// Returns the page's first row. A page is full if there are enough rows.
    fn top(&self, anchor: Option<Anchor>) -> Place {
        let last = self.shown.len() - 1;
        let end = Place {
            index: last,
            row: self.rows(last).len() - 1,
        };
        if let Some(anchor) = anchor {
            let top = self.up(self.place(anchor), anchor.y.min(self.height - 1)).0;
            if self.down(top, self.height - 1).1 == self.height - 1 {
                return top;
            }
        }
        self.up(end, self.height - 1).0
    }

    fn place(&self, anchor: Anchor) -> Place {
        let index = self.index(anchor.record);
        let row = if self.shown[index] == anchor.record {
            row_of(&self.rows(index), anchor.offset)
        } else {
            0
        };
        Place { index, row }
    }

    fn anchor(&self, place: Place, y: usize) -> Anchor {
        Anchor {
            record: self.shown[place.index],
            offset: self.rows(place.index)[place.row].start,
            y,
        }
    }

    /// Returns the place this many rows above, and how many there were.
    fn up(&self, from: Place, rows: usize) -> (Place, usize) {
        let (mut place, mut left) = (from, rows);
        while left > place.row {
            if place.index == 0 {
                return (Place { index: 0, row: 0 }, rows - left + place.row);
            }
            left -= place.row + 1;
            place.index -= 1;
            place.row = self.rows(place.index).len() - 1;
        }
        place.row -= left;
        (place, rows)
    }

    /// Returns the place this many rows below, and how many there were.
    fn down(&self, from: Place, rows: usize) -> (Place, usize) {
        let (mut place, mut left) = (from, rows);
        loop {
            let below = self.rows(place.index).len() - 1 - place.row;
            if left <= below {
                place.row += left;
                return (place, rows);
            }
            if place.index + 1 == self.shown.len() {
                place.row += below;
                return (place, rows - left + below);
            }
            left -= below + 1;
            place = Place {
                index: place.index + 1,
                row: 0,
            };
        }
    }
}

/// Where to put a record that was not on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// At the edge where it comes in.
    Near,
    /// Where its surroundings are visible.
    Far,
}

/// Returns the row that contains a byte.
fn row_of(rows: &[Range<usize>], offset: usize) -> usize {
    rows.partition_point(|it| it.start <= offset)
        .saturating_sub(1)
}

#[cfg(test)]
mod tests;
