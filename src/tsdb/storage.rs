//! The store: targets, series, scrapes, retention.

use std::collections::HashMap;
use std::fmt;

use super::labels::fnv1a;
use super::target::Target;
use super::{Labels, Matcher, Queryable, Table};
use crate::time::{Span, Timestamp};

/// A series of a [`Storage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId {
    target: TargetId,
    slot: u32,
}

/// A scrape target of a [`Storage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(u32);

impl SeriesId {
    /// The target the series belongs to.
    pub fn target(self) -> TargetId {
        self.target
    }

    /// Its place among the target's series.
    pub fn slot(self) -> usize {
        self.slot as usize
    }
}

/// The label set belongs to a series of another target already.
///
/// Prometheus would mix both targets' samples in one series; here a target that takes another's place (a restarted pod that
/// kept its labels) goes on under that one's [`TargetId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelsTaken {
    /// The labels asked for.
    pub labels: Labels,
    /// The target they belong to.
    pub by: TargetId,
}

impl fmt::Display for LabelsTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two targets expose the series {}", self.labels)
    }
}

impl std::error::Error for LabelsTaken {}

/// Series in memory. A clone is a snapshot that goes its own way.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    targets: Vec<Target>,
    /// The labels of each target's series, by slot.
    labels: Vec<Vec<Labels>>,
    /// All series, in the order they were made.
    series: Vec<SeriesId>,
    /// For look-ups only; never iterated.
    by_labels: HashMap<Labels, SeriesId>,
    fingerprint: u64,
    retention: Option<Span>,
}

impl Storage {
    /// A store without series that keeps everything.
    pub fn new() -> Self {
        Storage::default()
    }

    /// How far back samples are kept at least, counted from a target's newest scrape; `None` keeps all.
    ///
    /// What queries need is the longest reach of any of them (range, offset and lookback) and one scrape interval.
    pub fn set_retention(&mut self, retention: Option<Span>) {
        self.retention = retention;
    }

    /// A new scrape target, without series.
    pub fn add_target(&mut self) -> TargetId {
        self.targets.push(Target::default());
        self.labels.push(Vec::new());
        TargetId(self.targets.len() as u32 - 1)
    }

    /// The series of a target with these labels; made on first use, born with its first sample.
    ///
    /// # Errors
    /// When the label set belongs to another target.
    pub fn series(&mut self, target: TargetId, labels: &Labels) -> Result<SeriesId, LabelsTaken> {
        if let Some(&id) = self.by_labels.get(labels) {
            return if id.target == target {
                Ok(id)
            } else {
                Err(LabelsTaken {
                    labels: labels.clone(),
                    by: id.target,
                })
            };
        }
        let slot = self.targets[target.index()].add_series() as u32;
        let id = SeriesId { target, slot };
        self.labels[target.index()].push(labels.clone());
        self.series.push(id);
        self.by_labels.insert(labels.clone(), id);
        self.fingerprint = chain(self.fingerprint, target, labels);
        Ok(id)
    }

    /// The series with exactly these labels, where there is one.
    pub fn find(&self, labels: &Labels) -> Option<SeriesId> {
        self.by_labels.get(labels).copied()
    }

    /// All series, in the order they were made.
    pub fn all_series(&self) -> impl ExactSizeIterator<Item = SeriesId> {
        self.series.iter().copied()
    }

    /// The samples of a series that are still kept, stale markers included.
    pub fn samples(&self, series: SeriesId) -> impl Iterator<Item = (Timestamp, f64)> {
        self.targets[series.target.index()].samples(series)
    }

    /// Begins a scrape of a target. Nothing of it is seen before [`Scrape::commit`]; dropped, it leaves no trace.
    ///
    /// # Panics
    /// When the target was scraped at `at` or later already.
    pub fn scrape(&mut self, target: TargetId, at: Timestamp) -> Scrape<'_> {
        let scraped = &mut self.targets[target.index()];
        let last = scraped.times.last();
        assert!(
            last.is_none_or(|last| *last < at),
            "scrapes of a target come in time order: {at:?} after {last:?}"
        );
        scraped.begin_row();
        Scrape {
            into: scraped,
            target,
            at,
            retention: self.retention,
        }
    }

    /// When a target was last scraped, as far as that is still kept.
    pub fn last_scrape(&self, target: TargetId) -> Option<Timestamp> {
        self.targets[target.index()].times.last().copied()
    }

    /// A scrape that failed, or the moment a target is gone: every live series of it gets a stale marker.
    ///
    /// # Panics
    /// As [`scrape`](Self::scrape).
    pub fn fail_scrape(&mut self, target: TargetId, at: Timestamp) {
        self.scrape(target, at).commit();
    }

    /// The series with these labels, with a target of its own: for samples that no scrape brings.
    ///
    /// # Errors
    /// When the label set belongs to a target with other series.
    pub fn own_series(&mut self, labels: &Labels) -> Result<SeriesId, LabelsTaken> {
        match self.find(labels) {
            None => {
                let target = self.add_target();
                self.series(target, labels)
            }
            Some(id) if self.targets[id.target.index()].len() == 1 => Ok(id),
            Some(id) => Err(LabelsTaken {
                labels: labels.clone(),
                by: id.target,
            }),
        }
    }

    /// Adds the next sample of a series that has a target of its own.
    ///
    /// # Errors
    /// When the series has a sample at that time or later; the answer is the newest's time.
    ///
    /// # Panics
    /// When the target has other series.
    pub fn extend(&mut self, series: SeriesId, at: Timestamp, value: f64) -> Result<(), Timestamp> {
        let target = &mut self.targets[series.target.index()];
        assert!(target.len() == 1, "the series shares its target");
        match target.times.last() {
            Some(newest) if *newest >= at => Err(*newest),
            _ => {
                target.begin_row();
                target.fill(0, value);
                target.end_row(at);
                Ok(())
            }
        }
    }

    /// Puts samples of one series in, in any order; the series gets a target of its own. Samples of a second call for the same
    /// labels are merged with the first's; of two at one time the later call's counts.
    ///
    /// # Errors
    /// When the label set belongs to a target with other series.
    pub fn insert(
        &mut self,
        labels: &Labels,
        samples: impl IntoIterator<Item = (Timestamp, f64)>,
    ) -> Result<SeriesId, LabelsTaken> {
        let id = self.own_series(labels)?;
        let target = &mut self.targets[id.target.index()];
        let mut all: Vec<(Timestamp, f64)> = target.samples(id).collect();
        all.extend(samples);
        // Stable, so that of equal times the later call's stands last.
        all.sort_by_key(|(at, _)| *at);
        all.reverse();
        all.dedup_by_key(|(at, _)| *at);
        target.clear();
        for (at, value) in all.into_iter().rev() {
            target.begin_row();
            target.fill(0, value);
            target.end_row(at);
        }
        Ok(id)
    }
}

/// One scrape of one target, under way.
#[derive(Debug)]
pub struct Scrape<'a> {
    into: &'a mut Target,
    target: TargetId,
    at: Timestamp,
    retention: Option<Span>,
}

impl Scrape<'_> {
    /// One sample. A second one for the same series is ignored, as upstream does with duplicates.
    ///
    /// # Panics
    /// When the series is another target's.
    #[inline]
    pub fn append(&mut self, series: SeriesId, value: f64) {
        assert!(series.target == self.target, "a series of another target");
        self.into.fill(series.slot as usize, value);
    }

    /// Makes the scrape visible, and marks as stale what the target no longer exposes.
    pub fn commit(self) {
        self.into.end_row(self.at);
        if let Some(retention) = self.retention {
            self.into.forget_before(self.at - retention);
        }
    }
}

impl Drop for Scrape<'_> {
    fn drop(&mut self) {
        // After a commit there is no row left to take back.
        self.into.abandon_row();
    }
}

impl TargetId {
    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Queryable for Storage {
    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn select(&self, matchers: &[Matcher]) -> Vec<SeriesId> {
        let wanted = |id: &SeriesId| {
            let labels = Queryable::labels(self, *id);
            matchers.iter().all(|matcher| matcher.matches(labels))
        };
        self.all_series().filter(wanted).collect()
    }

    fn labels(&self, series: SeriesId) -> &Labels {
        &self.labels[series.target.index()][series.slot as usize]
    }

    #[inline]
    fn table(&self, target: TargetId) -> Table<'_> {
        self.targets[target.index()].table()
    }
}

/// The fingerprint after a new series, chained to the one before: stores in which the same series of the same targets were made
/// in the same order have the same fingerprint, and the same answer to every selection.
fn chain(fingerprint: u64, target: TargetId, labels: &Labels) -> u64 {
    let series = [fingerprint, target.0.into(), labels.fingerprint()];
    fnv1a(series.into_iter().flat_map(u64::to_le_bytes))
}

#[cfg(test)]
mod tests {
    use super::super::is_stale;
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn name(name: &str) -> Labels {
        Labels::new([("__name__", name)])
    }

    /// A store with one target and two of its series.
    fn two_series() -> (Storage, TargetId, SeriesId, SeriesId) {
        let mut storage = Storage::new();
        let target = storage.add_target();
        let a = storage.series(target, &name("a")).unwrap();
        let b = storage.series(target, &name("b")).unwrap();
        (storage, target, a, b)
    }

    fn scrape(storage: &mut Storage, target: TargetId, secs: i64, values: &[(SeriesId, f64)]) {
        let mut scrape = storage.scrape(target, at(secs));
        for (series, value) in values {
            scrape.append(*series, *value);
        }
        scrape.commit();
    }

    /// The samples of a series, `stale` for markers.
    fn shown(storage: &Storage, series: SeriesId) -> String {
        let text = |(at, value): (Timestamp, f64)| {
            let value = if is_stale(value) {
                "stale".to_owned()
            } else {
                value.to_string()
            };
            format!("{}:{value}", at.as_millis() / 1000)
        };
        storage
            .samples(series)
            .map(text)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn a_series_missing_from_a_scrape_is_marked_stale_once() {
        let (mut storage, target, a, b) = two_series();
        scrape(&mut storage, target, 5, &[(a, 1.0)]);
        scrape(&mut storage, target, 10, &[(a, 2.0), (b, 7.0)]);
        scrape(&mut storage, target, 15, &[(b, 8.0)]);
        scrape(&mut storage, target, 20, &[(b, 9.0)]);
        scrape(&mut storage, target, 25, &[(a, 1.5), (b, 9.0)]);
        storage.fail_scrape(target, at(30));
        storage.fail_scrape(target, at(35));
        assert_eq!(shown(&storage, a), "5:1 10:2 15:stale 25:1.5 30:stale");
        assert_eq!(shown(&storage, b), "10:7 15:8 20:9 25:9 30:stale");
    }

    #[test]
    fn holes_and_falls_are_listed() {
        let (mut storage, target, a, b) = two_series();
        scrape(&mut storage, target, 5, &[(a, 3.0), (b, 1.0)]);
        scrape(&mut storage, target, 10, &[(b, 2.0)]);
        scrape(&mut storage, target, 15, &[(b, 3.0)]);
        scrape(&mut storage, target, 20, &[(a, 2.0), (b, 4.0)]);
        let table = storage.table(target);
        let rows = table.rows(at(0), at(20), true);
        assert_eq!(rows, 0..4);
        let column = table.column(a);
        assert!(column.has_holes(&rows) && !column.has_holes(&(3..4)));
        assert_eq!(
            column.samples(&rows).collect::<Vec<_>>(),
            [(at(5), 3.0), (at(20), 2.0)]
        );
        assert!(table.rises_through(b, &rows) && !table.rises_through(a, &rows));
        assert_eq!(column.falls(&rows), [3]);
        assert!(
            column.falls(&(3..4)).is_empty(),
            "a fall needs the sample before it"
        );
        assert!(table.column(b).falls(&rows).is_empty());
    }

    #[test]
    fn windows_are_left_open_or_closed() {
        let (mut storage, target, a, _) = two_series();
        for secs in [5, 10, 15] {
            scrape(&mut storage, target, secs, &[(a, 1.0)]);
        }
        assert_eq!(storage.table(target).rows(at(5), at(10), true), 1..2);
        assert_eq!(storage.table(target).rows(at(5), at(10), false), 0..2);
        assert_eq!(storage.table(target).rows(at(20), at(30), false), 3..3);
    }

    #[test]
    fn a_dropped_scrape_leaves_no_trace() {
        let (mut storage, target, a, b) = two_series();
        scrape(&mut storage, target, 5, &[(a, 3.0), (b, 1.0)]);
        scrape(&mut storage, target, 10, &[(b, 2.0)]);
        scrape(&mut storage, target, 15, &[(b, 2.5)]);
        let before = format!("{storage:?}");
        let mut dropped = storage.scrape(target, at(20));
        dropped.append(a, 1.0);
        dropped.append(b, 0.0);
        drop(dropped);
        assert_eq!(format!("{storage:?}"), before);
    }

    #[test]
    fn the_first_of_two_samples_in_one_scrape_counts() {
        let (mut storage, target, a, b) = two_series();
        scrape(&mut storage, target, 5, &[(a, 1.0), (a, 2.0), (b, 1.0)]);
        scrape(&mut storage, target, 10, &[(a, 2.0)]);
        assert_eq!(shown(&storage, a), "5:1 10:2");
        assert_eq!(shown(&storage, b), "5:1 10:stale");
    }

    #[test]
    fn retention_keeps_what_it_promises_and_little_more() {
        let (mut storage, target, a, b) = two_series();
        storage.set_retention(Some(Span::from_secs(60)));
        for i in 1..=1000 {
            let value = f64::from(i % 7);
            let values = [(a, value), (b, value)];
            let exposed = if i < 500 { 2 } else { 1 };
            scrape(&mut storage, target, i64::from(i) * 5, &values[..exposed]);
            let oldest = storage.samples(a).next().unwrap().0;
            assert!(
                oldest <= at(i64::from((i * 5 - 60).max(5))),
                "{i}: {oldest:?}"
            );
            assert!(storage.samples(a).count() <= 26, "{i}");
            let rows = storage
                .table(target)
                .rows(at(0), at(i64::from(i) * 5), true);
            assert_eq!(
                storage.table(target).times(&rows).len(),
                storage.samples(a).count()
            );
        }
        assert_eq!(storage.samples(b).count(), 0);
        let rows = storage.table(target).rows(at(0), at(5000), true);
        assert_eq!(storage.table(target).column(b).within(&rows).len(), 0);
    }

    #[test]
    fn inserted_samples_are_merged_in_time_order() {
        let mut storage = Storage::new();
        let id = storage
            .insert(&name("x"), [(at(10), 1.0), (at(20), 2.0)])
            .unwrap();
        storage
            .insert(&name("x"), [(at(5), 0.0), (at(20), 3.0), (at(30), 1.0)])
            .unwrap();
        assert_eq!(shown(&storage, id), "5:0 10:1 20:3 30:1");
        assert_eq!(storage.table(id.target()).column(id).falls(&(0..4)), [3]);
    }

    #[test]
    fn a_label_set_belongs_to_one_target() {
        let (mut storage, target, ..) = two_series();
        let other = storage.add_target();
        let error = storage.series(other, &name("a")).unwrap_err();
        assert_eq!(error.by, target);
        assert!(storage.insert(&name("a"), []).is_err());
    }

    #[test]
    fn fingerprints_follow_the_series_made() {
        let (mut one, target, ..) = two_series();
        let mut two = one.clone();
        assert_eq!(one.fingerprint(), two.fingerprint());
        one.series(target, &name("c")).unwrap();
        two.series(target, &name("d")).unwrap();
        assert_ne!(one.fingerprint(), two.fingerprint());
        let (three, ..) = two_series();
        assert_ne!(three.fingerprint(), one.fingerprint());
    }
}
