use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::watch::pane::state::records::{Record, RecordKind};

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
            let record = Record::own(RecordKind::Message, None, &text, Duration::ZERO);
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
fn a_page_is_the_end_or_the_records_around_the_focus() {
    let log = Log::numbers(10);
    let geometry = log.geometry(9, 3);
    assert_eq!(ids(&geometry.page(None)), [7, 8, 9]);
    assert_eq!(ids(&geometry.page(Some(at(4, 1)))), [3, 4, 5]);
    assert_eq!(ids(&geometry.page(Some(at(0, 2)))), [0, 1, 2]);
    assert_eq!(ids(&geometry.page(Some(at(9, 0)))), [7, 8, 9]);
    assert_eq!(ids(&log.geometry(9, 20).page(Some(at(5, 3)))).len(), 10);
}

#[test]
fn visible_records_stay_in_place_when_their_neighbours_are_dropped() {
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
fn a_record_taller_than_the_screen_scrolls_row_by_row() {
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
fn a_page_down_shows_the_next_rows_and_stops_at_the_end() {
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
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

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
    fn the_focus_stays_visible_at_any_size(
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
