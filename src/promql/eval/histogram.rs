//! Classic histograms: `histogram_quantile` and `histogram_fraction` (`BucketQuantile`, `BucketFraction` in
//! `promql/quantile.go`, `resetHistograms` in `promql/engine.go`).

use std::fmt;

use super::labels::{Memo, SetId, SetMap};
use super::maths::shortest;
use super::{Evaluated, NodeMemory, Run, Sample};
use crate::promql::ast::Expr;
use crate::promql::value::Severity;
use crate::promql::{Options, Version};
use crate::tsdb::{METRIC_NAME, Queryable};

/// Counts of neighbouring buckets that differ relatively by less than this are taken for equal.
const SMALL_DELTA: f64 = 1e-12;

/// A bucket: how many observations were at most `bound`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// What the functions remember: the bound and the histogram of each label set.
#[derive(Debug, Default)]
pub(super) struct BucketLabels {
    of: Memo<Option<(f64, SetId)>>,
    /// Histograms of this evaluation, in the order their first buckets come.
    histograms: Vec<(SetId, Vec<Bucket>)>,
    positions: SetMap<usize>,
    /// Emptied lists of buckets.
    spare: Vec<Vec<Bucket>>,
}

/// Where counts had to be raised because a smaller bucket held more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forced {
    min_ms: i64,
    max_ms: i64,
    min_bound: f64,
    max_bound: f64,
    max_difference: f64,
    count: u64,
}

impl<Q: Queryable> Run<'_, Q> {
    pub(super) fn histogram_quantile(
        &mut self,
        expr: &Expr,
        args: &[Expr],
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        let [q_arg, buckets] = args else {
            unreachable!("checked: histogram_quantile has two arguments");
        };
        let q = self.scalar(q_arg, t)?;
        self.check_quantile(q, q_arg);
        let plan = self.plan;
        self.for_each_histogram(expr, buckets, t, |run, set, buckets_of| {
            let (value, forced) = bucket_quantile(q, buckets_of, &plan.options);
            if let Some(forced) = forced {
                let forced = Forced {
                    min_ms: t,
                    max_ms: t,
                    ..forced
                };
                run.remark_forced(set, forced, buckets);
            }
            value
        })
    }

    pub(super) fn histogram_fraction(
        &mut self,
        expr: &Expr,
        args: &[Expr],
        t: i64,
    ) -> Evaluated<Vec<Sample>> {
        let [lower, upper, buckets] = args else {
            unreachable!("checked: histogram_fraction has three arguments");
        };
        let lower = self.scalar(lower, t)?;
        let upper = self.scalar(upper, t)?;
        if self.plan.options.version != Version::V3 {
            // Of classic histograms only since 3.4.
            let samples = self.vector(buckets, t)?;
            self.recycle(samples);
            return Ok(self.buffer());
        }
        self.for_each_histogram(expr, buckets, t, |_, _, buckets| {
            bucket_fraction(lower, upper, buckets)
        })
    }

    /// Puts buckets together to histograms and makes one value of each.
    fn for_each_histogram(
        &mut self,
        expr: &Expr,
        arg: &Expr,
        t: i64,
        mut value: impl FnMut(&mut Self, SetId, &mut Vec<Bucket>) -> f64,
    ) -> Evaluated<Vec<Sample>> {
        let samples = self.vector(arg, t)?;
        let mut memory = match self.recall(expr.id) {
            NodeMemory::Buckets(memory) => memory,
            _ => Box::default(),
        };
        self.gather(&samples, arg, &mut memory);
        let mut result = samples;
        result.clear();
        let BucketLabels {
            histograms, spare, ..
        } = &mut *memory;
        for (set, mut buckets) in histograms.drain(..) {
            let mut sample = Sample {
                set,
                drop_name: true,
                value: value(self, set, &mut buckets),
            };
            self.drop_name(&mut sample);
            result.push(sample);
            buckets.clear();
            spare.push(buckets);
        }
        self.remember(expr.id, NodeMemory::Buckets(memory));
        self.refuse_duplicates(&result, expr)?;
        Ok(result)
    }

    /// Sorts elements into histograms by their labels without `le`.
    fn gather(&mut self, samples: &[Sample], arg: &Expr, memory: &mut BucketLabels) {
        memory.positions.clear();
        for sample in samples {
            let table = &mut *self.table;
            let known = memory.of.get_or(sample.set, || {
                let bound = go_float(table[sample.set].get("le"))?;
                let histogram = table[sample.set].filter(|name| name != "le");
                Some((bound, table.intern(histogram)))
            });
            let Some((bound, histogram)) = known else {
                self.remark_bad_bound(sample.set, arg);
                continue;
            };
            let position = match memory.positions.get(histogram) {
                Some(position) => position,
                None => {
                    let position = memory.histograms.len();
                    memory.positions.insert(histogram, position);
                    let buckets = memory.spare.pop().unwrap_or_default();
                    memory.histograms.push((histogram, buckets));
                    position
                }
            };
            memory.histograms[position].1.push(Bucket {
                bound,
                count: sample.value,
            });
        }
    }

    fn remark_bad_bound(&mut self, set: SetId, arg: &Expr) {
        let labels = &self.table[set];
        let bound = labels.get("le");
        let message =
            format!("bucket label \"le\" is missing or has a malformed value of {bound:?}");
        let message = message + &self.for_metric(set);
        self.warn(message, &arg.unwrapped().span);
    }

    fn remark_forced(&mut self, set: SetId, forced: Forced, arg: &Expr) {
        let message = "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)".to_owned();
        let message = message + &self.for_metric(set);
        let span = arg.unwrapped().span.clone();
        self.remark(Severity::Info, message, &span, Some(forced));
    }

    /// The metric a remark is about, where names are still there to tell.
    fn for_metric(&self, set: SetId) -> String {
        let name = self.table[set].get(METRIC_NAME);
        if name.is_empty() || !self.plan.options.delayed_name_removal {
            return String::new();
        }
        format!(" for metric name {name:?}")
    }
}

impl Forced {
    /// Takes up another case of the same remark.
    pub(super) fn merge(&mut self, other: Forced) {
        self.min_ms = self.min_ms.min(other.min_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
        self.min_bound = self.min_bound.min(other.min_bound);
        self.max_bound = self.max_bound.max(other.max_bound);
        self.max_difference = self.max_difference.max(other.max_difference);
        self.count += other.count;
    }
}

/// The end of the remark.
impl fmt::Display for Forced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            shortest(self.min_bound),
            shortest(self.max_bound),
            two_digits(self.max_difference),
            self.count,
            super::time_functions::rfc3339(self.min_ms),
            super::time_functions::rfc3339(self.max_ms),
        )
    }
}

/// A float with two significant digits, as Go's `%.2g`.
fn two_digits(value: f64) -> String {
    let rounded: f64 = format!("{value:.1e}").parse().unwrap_or(value);
    shortest(rounded)
}

/// The quantile `q` of a histogram, linear within a bucket, and what had to be forced for it.
fn bucket_quantile(q: f64, buckets: &mut Vec<Bucket>, options: &Options) -> (f64, Option<Forced>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if !sort_and_merge(buckets) {
        return (f64::NAN, None);
    }
    let forced = if options.version == Version::V2_42 {
        make_monotonic_before_2_49(buckets);
        None
    } else {
        make_monotonic(buckets)
    };
    let last = buckets.len() - 1;
    let total = buckets[last].count;
    if last == 0 || total == 0.0 {
        return (f64::NAN, forced);
    }
    let mut rank = q * total;
    // As sort.Search finds it, for which a count that is NaN reaches no rank.
    let found = buckets[..last]
        .partition_point(|bucket| bucket.count < rank || bucket.count.is_nan() || rank.is_nan());
    if found == last {
        return (buckets[last - 1].bound, forced);
    }
    let end = buckets[found].bound;
    if found == 0 && end <= 0.0 {
        return (end, forced);
    }
    let mut start = 0.0;
    let mut count = buckets[found].count;
    if found > 0 {
        let below = buckets[found - 1];
        start = below.bound;
        count -= below.count;
        rank -= below.count;
    }
    (start + (end - start) * (rank / count), forced)
}

/// The share of a histogram's observations between two values.
fn bucket_fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if !sort_and_merge(buckets) {
        return f64::NAN;
    }
    let total = buckets[buckets.len() - 1].count;
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let below = |value| {
        rank_of(value, buckets)
            .filter(|rank| *rank <= total)
            .unwrap_or(total)
    };
    (below(upper) - below(lower)) / total
}

/// How many observations lie below a value; `None` above all buckets.
fn rank_of(value: f64, buckets: &[Bucket]) -> Option<f64> {
    let mut rank = 0.0;
    // Where the first bound is positive, all observations are taken to be.
    let mut start = if buckets[0].bound <= 0.0 {
        f64::NEG_INFINITY
    } else {
        0.0
    };
    for bucket in buckets {
        if start >= value {
            return Some(rank);
        }
        if bucket.bound > value {
            // Nothing can be said within a bucket that has no beginning.
            return Some(if start == f64::NEG_INFINITY {
                bucket.count
            } else {
                rank + (bucket.count - rank) * (value - start) / (bucket.bound - start)
            });
        }
        rank = bucket.count;
        start = bucket.bound;
    }
    None
}

/// Sorts by bound and adds up buckets with one bound; false where the highest is not +Inf.
fn sort_and_merge(buckets: &mut Vec<Bucket>) -> bool {
    let ordered = buckets.windows(2).all(|pair| pair[0].bound < pair[1].bound);
    if !ordered {
        buckets.sort_by(|a, b| {
            a.bound
                .partial_cmp(&b.bound)
                .unwrap_or(std::cmp::Ordering::Equal)
        });
    }
    if buckets[buckets.len() - 1].bound != f64::INFINITY {
        return false;
    }
    buckets.dedup_by(|next, kept| {
        let same = next.bound == kept.bound;
        if same {
            kept.count += next.count;
        }
        same
    });
    true
}

/// Takes away tiny differences and decreases between neighbours, remembering the latter.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Forced> {
    let mut forced: Option<Forced> = None;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let count = bucket.count;
        if count == before {
            continue;
        }
        if almost_equal(before, count) {
            bucket.count = before;
            continue;
        }
        if count < before {
            bucket.count = before;
            let new = Forced {
                min_ms: 0,
                max_ms: 0,
                min_bound: bucket.bound,
                max_bound: bucket.bound,
                max_difference: before - count,
                count: 1,
            };
            match &mut forced {
                Some(forced) => {
                    forced.merge(new);
                    forced.count = 1;
                }
                None => forced = Some(new),
            }
            continue;
        }
        before = count;
    }
    forced
}

/// Until 2.49: a plain running maximum.
fn make_monotonic_before_2_49(buckets: &mut [Bucket]) {
    let mut most = buckets[0].count;
    for bucket in &mut buckets[1..] {
        if bucket.count > most {
            most = bucket.count;
        } else if bucket.count < most {
            bucket.count = most;
        }
    }
}

/// Whether two floats differ by less than the tolerance (`util/almost`).
fn almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SMALL_DELTA * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SMALL_DELTA
}

/// A bound as Go's `strconv.ParseFloat` reads it; differs from Rust's in hexadecimal floats, which no exporter writes.
fn go_float(text: &str) -> Option<f64> {
    text.parse().ok()
}
