//! The engine over scripted metrics, whose checks are independent: what it decides is then a matter of arithmetic.
//!
//! With threshold T and n weights up to the maximum, Flagger rolls back where T checks have failed before n have passed:
//! the T-th failure comes at check m with probability C(m-1, T-1) p^T (1-p)^(m-T), T <= m < T + n. The tick after it
//! decides. The runbook's reading rolls back at the first failure, in its own tick, of max(n, threshold) checks.

use rand::RngExt;
use rollcast::engine::{Decision, Rules, Settings};
use rollcast::seed::{Purpose, RunSeed};
use rollcast::study::stats::{Z95, wilson};
use serde_json::json;

use crate::engine_support::{NAME, NAMESPACE, Story};

/// Runs of each parameter point.
const RUNS: u64 = 1000;

/// What is varied.
#[derive(Clone, Copy, Debug)]
struct Point {
    rules: Rules,
    /// Probability that a check fails.
    p: f64,
    /// `threshold`.
    threshold: i64,
    /// Weights from the first to the maximum.
    steps: i64,
}

/// A rollout of v2 whose first check is due at the next tick.
fn about_to_be_checked(point: Point) -> Story {
    let canary = json!({
        "metadata": { "name": NAME, "namespace": NAMESPACE },
        "spec": {
            "provider": "pod-scaling",
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": NAME },
            "service": { "port": 80 },
            "analysis": {
                "interval": "30s", "stepWeight": 10, "maxWeight": 10 * point.steps,
                "threshold": point.threshold,
                "metrics": [{
                    "name": "quality", "interval": "1m", "thresholdRange": { "min": 99 },
                    "query": "quality[{{ interval }}]",
                }],
            },
        },
        "status": { "phase": "Initializing" },
    });
    let settings = Settings {
        rules: point.rules,
        ..Settings::default()
    };
    let mut story = Story::new(settings, canary, 10, Vec::new()).initialized();
    story.push("v2");
    assert_eq!(story.tick().decision, Decision::Detected);
    assert_eq!(story.tick().decision, Decision::Advanced);
    story
}

/// Seconds from the detection to the rollback, or `None` where it is promoted.
fn decided(story: &Story, point: Point, seed: u64) -> Option<i64> {
    let mut story = story.clone();
    let mut draws = RunSeed(seed).stream(Purpose::Faults, 0);
    loop {
        let fails = draws.random_bool(point.p);
        let value = if fails { 70.0 } else { 100.0 };
        story.metrics.insert("quality".to_owned(), value);
        let at = story.now;
        match story.tick().decision {
            Decision::RolledBack => return Some(at.as_millis() / 1000),
            Decision::Promoting => return None,
            _ => {}
        }
    }
}

/// By time in seconds, the probability of a rollback then.
fn law(point: Point) -> Vec<(i64, f64)> {
    let (p, q) = (point.p, 1.0 - point.p);
    match point.rules {
        Rules::Runbook => {
            let checks = point.steps.max(point.threshold) as i32;
            // Check m is made at tick m + 1.
            (1..=checks)
                .map(|m| (30 * i64::from(m + 1), q.powi(m - 1) * p))
                .collect()
        }
        Rules::Flagger => {
            let (t, n) = (point.threshold as i32, point.steps as i32);
            (t..t + n)
                .map(|m| {
                    let choices = (1..t).fold(1.0, |c, i| c * f64::from(m - t + i) / f64::from(i));
                    let probability = choices * p.powi(t) * q.powi(m - t);
                    (30 * i64::from(m + 2), probability)
                })
                .collect()
        }
    }
}

const fn flagger(p: f64, threshold: i64, steps: i64) -> Point {
    Point {
        rules: Rules::Flagger,
        p,
        threshold,
        steps,
    }
}

const fn runbook(p: f64, threshold: i64, steps: i64) -> Point {
    Point {
        rules: Rules::Runbook,
        p,
        threshold,
        steps,
    }
}

const POINTS: [Point; 16] = [
    flagger(0.02, 1, 5),
    flagger(0.1, 1, 5),
    flagger(0.05, 2, 10),
    flagger(0.2, 2, 5),
    flagger(0.5, 2, 3),
    flagger(0.1, 3, 10),
    flagger(0.3, 3, 5),
    flagger(0.6, 3, 5),
    flagger(0.9, 3, 5),
    flagger(0.4, 5, 5),
    flagger(0.5, 10, 10),
    flagger(0.7, 10, 10),
    runbook(0.02, 3, 5),
    runbook(0.2, 3, 5),
    runbook(0.1, 8, 5),
    runbook(0.7, 1, 2),
];

/// Five standard errors of a count, and one for what counts cannot halve.
fn tolerance(probability: f64) -> f64 {
    5.0 * (RUNS as f64 * probability * (1.0 - probability)).sqrt() + 1.0
}

#[test]
fn rollbacks_and_their_times_follow_the_negative_binomial() {
    for (at, point) in POINTS.into_iter().enumerate() {
        let story = about_to_be_checked(point);
        let first = 1_000_000 * at as u64;
        let found: Vec<Option<i64>> = (first..first + RUNS)
            .map(|seed| decided(&story, point, seed))
            .collect();
        let law = law(point);
        let rolled_back = found.iter().flatten().count() as f64;
        let expected: f64 = law.iter().map(|(_, probability)| probability).sum();
        let off = (rolled_back - RUNS as f64 * expected).abs();
        assert!(
            off <= tolerance(expected),
            "{point:?}, seeds from {first}: {rolled_back} rolled back, of {}",
            RUNS as f64 * expected
        );
        for (at_s, probability) in &law {
            let count = found.iter().filter(|at| **at == Some(*at_s)).count() as f64;
            let off = (count - RUNS as f64 * probability).abs();
            assert!(
                off <= tolerance(*probability),
                "{point:?}, seeds from {first}: {count} rolled back at {at_s} s, of {}",
                RUNS as f64 * probability
            );
        }
        let known: Vec<i64> = law.iter().map(|(at, _)| *at).collect();
        let strange = found.iter().flatten().find(|at| !known.contains(at));
        assert_eq!(
            strange, None,
            "{point:?}: a time that the law does not know"
        );
    }
}

/// Probability of each number of successes, by recurrence from the most likely one down and up.
fn binomial(n: u64, p: f64) -> Vec<f64> {
    let mode = ((n + 1) as f64 * p) as usize;
    let mut points = vec![0.0; n as usize + 1];
    points[mode] = 1.0;
    let odds = p / (1.0 - p);
    for k in mode + 1..points.len() {
        points[k] = points[k - 1] * odds * (n as usize - k + 1) as f64 / k as f64;
    }
    for k in (0..mode).rev() {
        points[k] = points[k + 1] / odds * (k + 1) as f64 / (n as usize - k) as f64;
    }
    let all: f64 = points.iter().sum();
    points.iter().map(|point| point / all).collect()
}

#[test]
fn wilson_intervals_cover_as_often_as_the_exact_sum_says() {
    let mut sums = Vec::new();
    for (at, (n, p)) in [
        (10, 0.1),
        (10, 0.5),
        (20, 0.05),
        (20, 0.3),
        (30, 0.9),
        (50, 0.02),
        (50, 0.5),
        (100, 0.01),
        (100, 0.2),
        (150, 0.95),
        (200, 0.005),
        (200, 0.4),
    ]
    .into_iter()
    .enumerate()
    {
        let covers = |k: u64| {
            let share = wilson::interval(k, n, Z95);
            (share.lo..=share.hi).contains(&p)
        };
        let points = binomial(n, p);
        let exact: f64 = (0..=n)
            .filter(|k| covers(*k))
            .map(|k| points[k as usize])
            .sum();
        let mut draws = RunSeed(at as u64).stream(Purpose::Faults, 1);
        let samples = 10_000;
        let covered = (0..samples)
            .filter(|_| covers((0..n).filter(|_| draws.random_bool(p)).count() as u64))
            .count() as f64;
        let error = 5.0 * (exact * (1.0 - exact) / f64::from(samples)).sqrt() + 1e-4;
        let share = covered / f64::from(samples);
        assert!(
            (share - exact).abs() <= error,
            "n {n}, p {p}, seed {at}: covered in {share}, and {exact} in truth"
        );
        sums.push(exact);
    }
    // The nominal coverage is an average over p; no point is far from it.
    let mean = sums.iter().sum::<f64>() / sums.len() as f64;
    assert!((mean - 0.95).abs() < 0.015, "{mean}");
    assert!(sums.iter().all(|sum| *sum > 0.83), "{sums:?}");
}
