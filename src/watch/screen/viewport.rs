//! Which rows of which records are on screen.
//!
//! The view hangs on one record, the one in focus, and on the row of the screen where it stands. So
//! whatever goes or comes elsewhere (what falls off the ring, a filter, wrapping, another size), what
//! is being read stays where it is. While following, it hangs on the end.

use std::{collections::VecDeque, ops::Range};

use super::{
    layout::{self, Layouts, Rows, Width},
    records::{Id, Records},
};

/// A place in a record's text that stands on a row of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The record in focus.
    pub record: Id,
    /// A byte of its text: the start of a row when it was put there.
    pub offset: usize,
    /// The row of the screen where that byte is.
    pub y: usize,
}

/// A row on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose text it is.
    pub record: Id,
    /// Which part of the text.
    pub range: Range<usize>,
    /// Whether the text begins with it.
    pub is_first: bool,
    /// Whether the text ends with it.
    pub is_last: bool,
}

/// A row of a record: the record's index among those shown, and the row's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    index: usize,
    row: usize,
}

/// What rows are made from.
#[derive(Clone, Copy, Debug)]
pub struct Geometry<'a> {
    /// All records.
    pub records: &'a Records,
    /// Those that are shown, in order.
    pub shown: &'a VecDeque<Id>,
    /// How their texts fall into rows.
    pub layouts: &'a Layouts,
    /// The columns to wrap at.
    pub width: Width,
    /// The rows there are for them, at least one.
    pub height: usize,
}

impl Geometry<'_> {
    /// The rows on screen: those around the anchor, or the last ones.
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

    /// Whether the page shows the end.
    #[must_use]
    pub fn is_at_end(&self, page: &[Row]) -> bool {
        page.last()
            .is_none_or(|row| row.is_last && Some(&row.record) == self.shown.back())
    }

    /// The anchor for a page so many rows below (or above, where negative) that of `anchor`, the focus
    /// staying on its row of the screen.
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

    /// The anchor with the next record in focus (or the one before), moving the page only as far as
    /// it takes to show it. A record that is taller than the screen is moved through row by row.
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

    /// The anchor with this byte of a record in focus; the page moves only where it is not there yet.
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
        // Going up into a record that is taller than the screen, its end comes first.
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

    /// The record in focus: the anchor's, or the next one that is shown; the last one while following.
    #[must_use]
    pub fn focus(&self, anchor: Option<Anchor>) -> Option<Id> {
        match anchor {
            None => self.shown.back().copied(),
            Some(_) if self.shown.is_empty() => None,
            Some(anchor) => Some(self.shown[self.index(anchor.record)]),
        }
    }

    /// The index of a record among those shown, or of the next one, or of the last.
    fn index(&self, record: Id) -> usize {
        let index = self.shown.partition_point(|it| *it < record);
        index.min(self.shown.len().saturating_sub(1))
    }

    fn rows(&self, index: usize) -> Rows {
        let id = self.shown[index];
        match self.records.get(id) {
            Some(record) => self.layouts.rows(id, record, self.width),
            None => layout::rows("", None),
        }
    }

    /// Keeps the focus on a record that is still on the anchor's page.
    fn kept_on(&self, record: Id, anchor: Anchor) -> Anchor {
        let page = self.page(Some(anchor));
        let row = page.iter().position(|it| it.record == record);
        row.map_or(anchor, |y| Anchor {
            record,
            offset: page[y].range.start,
            y,
        })
    }

    /// The row of the screen where the anchor's focus stands in the end.
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

    /// The page's first row. A page is full wherever there is enough for it.
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

    /// The place so many rows above, and how many there were.
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

    /// The place so many rows below, and how many there were.
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

/// Where a record is put that was not on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// At the edge that it comes in from.
    Near,
    /// Where what is around it can be seen.
    Far,
}

/// The row that a byte is in.
fn row_of(rows: &[Range<usize>], offset: usize) -> usize {
    rows.partition_point(|it| it.start <= offset)
        .saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::watch::screen::records::{Kind, Record};

    struct Log {
        records: Records,
        shown: VecDeque<Id>,
        layouts: Layouts,
    }

    impl Log {
        fn of(texts: impl IntoIterator<Item = String>) -> Self {
            let mut log = Self {
                records: Records::default(),
                shown: VecDeque::new(),
                layouts: Layouts::default(),
            };
            for text in texts {
                let record = Record::own(Kind::Message, None, &text, Duration::ZERO);
                log.shown.push_back(log.records.push(record, |_, _| ()));
            }
            log
        }

        fn numbers(count: usize) -> Self {
            Self::of((0..count).map(|it| it.to_string()))
        }

        fn geometry(&self, width: usize, height: usize) -> Geometry<'_> {
            Geometry {
                records: &self.records,
                shown: &self.shown,
                layouts: &self.layouts,
                width: Some(width),
                height,
            }
        }
    }

    fn ids(page: &[Row]) -> Vec<Id> {
        page.iter().map(|it| it.record).collect()
    }

    fn at(record: Id, y: usize) -> Anchor {
        let offset = 0;
        Anchor { record, offset, y }
    }

    #[test]
    fn a_page_is_the_end_or_what_is_around_the_focus() {
        let log = Log::numbers(10);
        let geometry = log.geometry(9, 3);
        assert_eq!(ids(&geometry.page(None)), [7, 8, 9]);
        assert_eq!(ids(&geometry.page(Some(at(4, 1)))), [3, 4, 5]);
        assert_eq!(ids(&geometry.page(Some(at(0, 2)))), [0, 1, 2]);
        assert_eq!(ids(&geometry.page(Some(at(9, 0)))), [7, 8, 9]);
        assert_eq!(ids(&log.geometry(9, 20).page(Some(at(5, 3)))).len(), 10);
    }

    #[test]
    fn what_is_read_stays_where_it_is_when_its_neighbours_go() {
        let mut log = Log::numbers(100);
        let before = log.geometry(9, 5).page(Some(at(50, 2)));
        log.shown.retain(|it| it % 2 == 0);
        let after = log.geometry(9, 5).page(Some(at(50, 2)));
        assert_eq!((before[2].record, after[2].record), (50, 50));
        log.shown.retain(|it| *it != 50);
        assert_eq!(
            ids(&log.geometry(9, 5).page(Some(at(50, 2)))),
            [46, 48, 52, 54, 56]
        );
    }

    #[test]
    fn a_record_taller_than_the_screen_is_moved_through_row_by_row() {
        let log = Log::of(["a".into(), "x".repeat(40), "b".into()]);
        let geometry = log.geometry(10, 2);
        let mut anchor = Some(at(0, 0));
        let mut seen = Vec::new();
        for _ in 0..5 {
            anchor = geometry.stepped(anchor, true);
            let page = geometry.page(anchor);
            seen.push((anchor.unwrap().record, page[0].record, page[0].range.start));
        }
        assert_eq!(
            seen,
            [(1, 1, 0), (1, 1, 10), (1, 1, 20), (2, 1, 30), (2, 1, 30)]
        );
        let mut back = Vec::new();
        for _ in 0..4 {
            anchor = geometry.stepped(anchor, false);
            back.push(geometry.page(anchor)[0].range.start);
        }
        assert_eq!(back, [30, 20, 10, 0]);
    }

    #[test]
    fn a_page_down_shows_what_comes_next_and_stops_at_the_end() {
        let log = Log::numbers(10);
        let geometry = log.geometry(9, 3);
        let anchor = geometry.scrolled(Some(at(0, 0)), 3);
        assert_eq!(ids(&geometry.page(anchor)), [3, 4, 5]);
        let anchor = geometry.scrolled(anchor, 100);
        let page = geometry.page(anchor);
        assert_eq!(ids(&page), [7, 8, 9]);
        assert!(geometry.is_at_end(&page));
        assert_eq!(ids(&geometry.page(geometry.scrolled(None, -2))), [5, 6, 7]);
    }

    proptest! {
        #[test]
        fn going_down_and_up_passes_every_row_once(
            lengths in proptest::collection::vec(0..60_usize, 1..30),
            width in 1..20_usize,
            height in 1..10_usize,
        ) {
            let log = Log::of(lengths.iter().map(|it| "x".repeat(*it)));
            let geometry = log.geometry(width, height);
            let all: Vec<_> = (0..log.shown.len())
                .flat_map(|index| geometry.rows(index).iter().map(|it| (index as Id, it.start)).collect::<Vec<_>>())
                .collect();
            let mut anchor = Some(at(0, 0));
            let mut tops = Vec::new();
            for _ in 0..all.len() {
                let page = geometry.page(anchor);
                prop_assert_eq!(page.len(), height.min(all.len()));
                tops.push((page[0].record, page[0].range.start));
                anchor = geometry.scrolled(anchor, 1);
            }
            tops.dedup();
            prop_assert_eq!(&tops[..], &all[..=all.len() - height.min(all.len())]);
            for _ in 0..all.len() {
                anchor = geometry.stepped(anchor, false);
            }
            let page = geometry.page(anchor);
            prop_assert_eq!((page[0].record, page[0].range.start), all[0]);
        }

        #[test]
        fn the_focus_stays_in_sight_at_any_size(
            focus in 0..30_u64,
            y in 0..10_usize,
            width in 1..20_usize,
            height in 1..10_usize,
        ) {
            let log = Log::of((0..30).map(|it| "x".repeat(it)));
            let page = log.geometry(width, height).page(Some(at(focus, y)));
            prop_assert!(page.iter().any(|it| it.record == focus));
        }
    }
}
