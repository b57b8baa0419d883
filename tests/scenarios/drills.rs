//! The runbook's two timelines over seeds 1 to 100, and what NGINX's shared label makes of the second.

use rollcast::record::{Outcome, Record};

use crate::{checks, finding, load, messages, min_bound, run, value_at, weights};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=100;

/// Seeds whose run is not as expected, with what it was instead.
fn exceptions<T: std::fmt::Debug>(
    name: &str,
    look: impl Fn(&Record) -> (bool, T),
) -> Vec<(u64, T)> {
    let scenario = load(name);
    let looked = SEEDS.map(|seed| (seed, look(&run(&scenario, seed))));
    let exceptions: Vec<_> = looked
        .filter(|(_, (fits, _))| !fits)
        .map(|(seed, (_, seen))| (seed, seen))
        .collect();
    println!(
        "{name}: {} of {} seeds as the runbook says; exceptions: {exceptions:?}",
        100 - exceptions.len(),
        SEEDS.count()
    );
    exceptions
}

#[test]
fn a_healthy_release_is_promoted_on_the_runbooks_timeline() {
    let expected = [
        (0.0, 100, 0),
        (30.0, 90, 10),
        (60.0, 80, 20),
        (90.0, 70, 30),
        (120.0, 60, 40),
        (150.0, 50, 50),
        (180.0, 0, 100),
    ];
    let exceptions = exceptions("healthy", |record| {
        let decided = record.decided_at.map(|at| at.as_secs_f64());
        let fits = weights(record) == expected
            && decided == Some(180.0)
            && record.outcome == Outcome::Promoted;
        (fits, (record.outcome, decided))
    });
    assert!(exceptions.len() <= 1, "{exceptions:?}");
}

#[test]
fn thirty_percent_failures_are_rolled_back_at_the_first_check() {
    let expected = [(0.0, 100, 0), (30.0, 90, 10), (60.0, 100, 0)];
    let exceptions = exceptions("chaos30", |record| {
        let value = value_at(record, 60);
        let first = checks(record)
            .next()
            .map(|(row, check)| (row.canary_weight, check.passed, min_bound(check)));
        let fits = weights(record) == expected
            && record.outcome == Outcome::RolledBack
            && first == Some((10, false, Some(99.0)))
            && value.is_some_and(|value| (value - 70.0).abs() <= 8.0);
        (fits, (record.outcome, record.decided_at, value))
    });
    assert!(exceptions.len() <= 1, "{exceptions:?}");
}

#[test]
fn the_failed_check_is_unbiased() {
    let scenario = load("chaos30");
    let values: Vec<f64> = SEEDS
        .filter_map(|seed| value_at(&run(&scenario, seed), 60))
        .collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / (n - 1.0))
        .sqrt();
    let standard_error = deviation / n.sqrt();
    println!(
        "chaos30: mean value {mean:.3} over {n} seeds, one standard error {standard_error:.3}"
    );
    assert!(
        (mean - 70.0).abs() <= 4.0 * standard_error,
        "mean {mean}, standard error {standard_error}"
    );
}

#[test]
fn the_drill_says_the_runbooks_three_lines() {
    let record = run(&load("chaos30"), 1);
    let value = value_at(&record, 60).expect("the check has a value");
    let said = messages(&record);
    let lines = [
        format!("Halt advancement load-harness.applications request-success-rate {value:.2} < 99"),
        "Rolling back load-harness.applications failed checks threshold reached 1".to_owned(),
        "Canary failed! Scaling down load-harness.applications".to_owned(),
    ];
    assert!(
        said.ends_with(&lines.each_ref().map(String::as_str)),
        "{said:#?}"
    );
}

#[test]
fn the_shared_label_dilutes_the_drill() {
    let scenario = load("chaos30-shared");
    let records: Vec<Record> = SEEDS.map(|seed| run(&scenario, seed)).collect();
    let first: Vec<f64> = records
        .iter()
        .filter_map(|record| value_at(record, 60))
        .collect();
    let mean = first.iter().sum::<f64>() / first.len() as f64;
    println!(
        "chaos30-shared: mean value at 1:00 is {mean:.3} over {} seeds",
        first.len()
    );
    assert!((98.3..=99.1).contains(&mean), "mean {mean}");
    let caught_later: Vec<&Record> = records
        .iter()
        .filter(|record| value_at(record, 60).is_some_and(|v| v >= 99.0))
        .collect();
    for record in &records {
        let decided = record.decided_at.map(|at| at.as_secs_f64());
        assert!(
            decided <= Some(90.0),
            "seed {}: decided at {decided:?}",
            record.seed
        );
        assert!(
            finding(record, "diluted").contains("one ingress label"),
            "seed {}",
            record.seed
        );
    }
    for record in caught_later {
        let value = value_at(record, 90).expect("the second check has a value");
        assert!(
            (94.5..=97.5).contains(&value),
            "seed {}: {value} at 1:30",
            record.seed
        );
        assert!(
            finding(record, "diluted").contains("caught at 1:30"),
            "seed {}",
            record.seed
        );
    }
}
