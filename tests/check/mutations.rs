//! Twelve edits that change when or how a rollout is judged, each caught against the committed baseline on the scenario that
//! was made to be sensitive to it, with the edit named.

use std::process::ExitCode;

use crate::{Folder, section};

/// What is edited, in which file.
struct Edit {
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

/// Edits, checks everything, and expects the scenario to differ from the baseline in `figure`, with `change` as the cause.
fn caught(edit: Edit, scenario: &str, figure: &str, change: &str) {
    let folder = Folder::new();
    folder.edit(edit.file, edit.from, edit.to);
    let (code, printed) = folder.check("", &[]);
    assert_eq!(code, ExitCode::from(1), "{printed}");
    assert!(printed.contains(&format!("FAIL  {scenario}")), "{printed}");
    let told = section(&printed, scenario);
    let (shifts, changes) = told
        .split_once("changed since the baseline:")
        .unwrap_or_else(|| panic!("{told}"));
    assert!(shifts.contains(figure), "`{figure}` in:\n{told}");
    let changes = changes.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(changes.contains(change), "`{change}` in:\n{told}");
}

fn canary(from: &'static str, to: &'static str) -> Edit {
    Edit {
        file: "k8s/canary.yaml",
        from,
        to,
    }
}

#[test]
fn a_higher_threshold_lets_a_bad_release_run_longer() {
    caught(
        canary("threshold: 3", "threshold: 5"),
        "failing.toml",
        "→ 3:30 (3:30 to 4:00)",
        "Canary web: spec.analysis.threshold 3 → 5",
    );
}

#[test]
fn a_lower_threshold_rolls_a_bad_release_back_sooner() {
    caught(
        canary("threshold: 3", "threshold: 1"),
        "failing.toml",
        "→ 1:30 (1:30 to 2:00)",
        "Canary web: spec.analysis.threshold 3 → 1",
    );
}

#[test]
fn a_longer_interval_promotes_later() {
    caught(
        canary("interval: 30s", "interval: 60s"),
        "healthy.toml",
        "decided: 3:00 → 6:00",
        "Canary web: spec.analysis.interval 30s → 60s",
    );
}

#[test]
fn a_larger_step_promotes_sooner() {
    caught(
        canary("stepWeight: 10", "stepWeight: 25"),
        "healthy.toml",
        "decided: 3:00 → 1:30",
        "Canary web: spec.analysis.stepWeight 10 → 25",
    );
}

#[test]
fn a_lower_maximum_promotes_sooner() {
    caught(
        canary("maxWeight: 50", "maxWeight: 30"),
        "healthy.toml",
        "decided: 3:00 → 2:00",
        "Canary web: spec.analysis.maxWeight 50 → 30",
    );
}

#[test]
fn a_looser_bound_lets_a_small_fault_through() {
    caught(
        canary("min: 99", "min: 95"),
        "three-percent.toml",
        "P(promoted): 0% → ",
        "Canary web: spec.analysis.metrics[success-rate].thresholdRange.min 99 → 95",
    );
}

#[test]
fn a_longer_window_remembers_a_burst_for_longer() {
    let folder = Folder::new();
    let template = "k8s/metrictemplate.yaml";
    let text = std::fs::read_to_string(folder.path(template)).unwrap();
    std::fs::write(folder.path(template), text.replace("[1m]", "[5m]")).unwrap();
    let (code, printed) = folder.check("", &[]);
    assert_eq!(code, ExitCode::from(1), "{printed}");
    let told = section(&printed, "burst.toml");
    assert!(told.contains("P(rolled-back): 0% → 100%"), "{told}");
    assert!(
        told.contains("MetricTemplate success-rate: spec.query"),
        "{told}"
    );
    assert!(told.contains("[1m]") && told.contains("[5m]"), "{told}");
}

#[test]
fn another_provider_sends_nobody_to_the_canary() {
    caught(
        canary("provider: nginx", "provider: kubernetes"),
        "failing.toml",
        "P(rolled-back): 100% → 0%",
        "Canary web: spec.provider nginx → kubernetes",
    );
}

#[test]
fn promotion_in_steps_ends_later() {
    caught(
        canary(
            "stepWeight: 10",
            "stepWeight: 10\n    stepWeightPromotion: 20",
        ),
        "healthy.toml",
        "finished: 4:00 → 5:00",
        "Canary web: spec.analysis.stepWeightPromotion (not there) → 20",
    );
}

#[test]
fn a_shorter_deadline_gives_up_on_a_slow_start() {
    caught(
        canary(
            "progressDeadlineSeconds: 300",
            "progressDeadlineSeconds: 60",
        ),
        "slow-start.toml",
        "P(promoted): 100% → 0%",
        "Canary web: spec.progressDeadlineSeconds 300 → 60",
    );
}

#[test]
fn fewer_pods_cannot_give_a_small_weight() {
    caught(
        Edit {
            file: "k8s/hpa.yaml",
            from: "minReplicas: 10",
            to: "minReplicas: 2",
        },
        "ten-pods.toml",
        "failed requests: ",
        "HorizontalPodAutoscaler web: spec.minReplicas 10 → 2",
    );
}

#[test]
fn a_longer_scrape_interval_has_no_values_for_the_first_check() {
    caught(
        Edit {
            file: "healthy.toml",
            from: "scrape_interval = \"5s\"",
            to: "scrape_interval = \"30s\"",
        },
        "healthy.toml",
        "decided: 3:00 → 3:30",
        "scenario: prometheus.scrape_interval 5s → 30s",
    );
}
