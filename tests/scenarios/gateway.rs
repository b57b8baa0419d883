//! The provider `gatewayapi:v1`: routes by weight, checks by the canary's pods.

use std::path::Path;
use std::sync::Arc;

use rollcast::diagnostic::SourceText;
use rollcast::record::{Outcome, Record};
use rollcast::scenario::{Files, Override, Scenario, assemble};
use rollcast::time::Timestamp;

use crate::metrics::set;
use crate::{checks, finding, load, messages, run};

/// The success rates that checks read, in order.
fn success_rates(record: &Record) -> Vec<f64> {
    checks(record)
        .filter(|(_, check)| check.metric == "request-success-rate")
        .filter_map(|(_, check)| check.value)
        .collect()
}

#[test]
fn weights_are_shares_whatever_the_number_of_pods() {
    for seed in 1..=5 {
        let record = run(&load("healthy-gateway"), seed);
        assert_eq!(record.outcome, Outcome::Promoted, "seed {seed}");
        for row in record
            .timeline
            .iter()
            .filter(|row| (1..100).contains(&row.canary_weight))
        {
            let share = row.canary_share.unwrap();
            let weight = row.canary_weight as f64 / 100.0;
            // Six standard errors of 6000 requests, and half a second at the weight before.
            assert!(
                (share - weight).abs() < 0.05,
                "seed {seed}: {share} at {weight}"
            );
        }
    }
}

#[test]
fn the_builtin_checks_read_the_canarys_own_failures() {
    for seed in 1..=5 {
        let record = run(&load("chaos30-gateway"), seed);
        assert_eq!(record.outcome, Outcome::RolledBack, "seed {seed}");
        let read = success_rates(&record);
        assert_eq!(read.len(), 3, "seed {seed}: {read:?}");
        assert!(
            read.iter().all(|v| (62.0..78.0).contains(v)),
            "seed {seed}: {read:?}"
        );
    }
}

#[test]
fn the_runbooks_scenarios_run_behind_a_gateway_and_say_what_they_assume() {
    for (name, outcome, decided) in [
        ("healthy", Outcome::Promoted, 180),
        ("chaos30", Outcome::RolledBack, 60),
    ] {
        let scenario = set(name, &[("provider", "gatewayapi:v1")]);
        for about in [
            "canary.spec.service.gatewayRefs",
            "gateway.programming_delay",
            "versions.v1.metrics",
            "metric_templates.nginx-request-success-rate.spec.query",
            "prometheus.pod_discovery",
        ] {
            let said = scenario.assumptions.iter().any(|a| a.contains(about));
            assert!(
                said,
                "{name} does not say {about}: {:#?}",
                scenario.assumptions
            );
        }
        let record = run(&scenario, 1);
        assert_eq!(record.outcome, outcome, "{name}");
        assert_eq!(
            record.decided_at,
            Some(Timestamp::from_secs(decided)),
            "{name}"
        );
    }
}

#[test]
fn a_canary_of_this_provider_without_gateways_is_told_by_flagger_itself() {
    let scenario = set(
        "healthy-gateway",
        &[
            ("canary.spec.provider", "gatewayapi:v1"),
            ("canary.spec.service.gatewayRefs", "[]"),
            ("run.horizon", "1m"),
        ],
    );
    let record = run(&scenario, 1);
    assert_eq!(record.outcome, Outcome::NotStarted);
    assert!(
        messages(&record)
            .contains(&"GatewayRefs must be specified when using Gateway API as a provider.")
    );
}

/// The manifests of the load-harness, its Canary analysed in four iterations by a header.
struct ByHeader;

impl Files for ByHeader {
    fn matching(&self, _: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/load-harness");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let steps = "    maxWeight: 50\n    stepWeight: 10\n";
        let canary = read("canary.yaml");
        assert!(canary.contains(steps));
        let iterations =
            "    iterations: 4\n    match: [{ headers: { x-canary: { exact: insider } } }]\n";
        let texts = ["deployment.yaml", "hpa.yaml", "service.yaml"].map(|name| (name, read(name)));
        let texts = texts
            .into_iter()
            .chain([("canary.yaml", canary.replace(steps, iterations))]);
        Ok(texts
            .map(|(name, text)| SourceText::new(name, text))
            .collect())
    }
}

/// The drill behind a Gateway, by header; this share of the requests carries it.
fn ab(matching: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/chaos30-gateway.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let matching = Override {
        key: "gateway.matching".to_owned(),
        value: matching.to_owned(),
    };
    let source = SourceText::new("ab.toml", text);
    assemble("ab", &source, &[matching], &ByHeader).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_analysis_by_header_tries_only_those_who_send_it() {
    let insiders = run(&ab("0.2"), 1);
    let row = |record: &Record| {
        let mut rows = record
            .timeline
            .iter()
            .filter(|row| row.canary_weight == 100);
        rows.next().and_then(|row| row.canary_share)
    };
    let share = row(&insiders).unwrap();
    assert!((share - 0.2).abs() < 0.03, "{share}");
    assert!(
        success_rates(&insiders)
            .iter()
            .all(|v| (62.0..78.0).contains(v))
    );
    assert_eq!(insiders.outcome, Outcome::RolledBack);

    let nobody = run(&ab("0"), 1);
    assert_eq!(row(&nobody), Some(0.0));
    assert!(
        messages(&nobody)
            .iter()
            .any(|m| m.contains("no values found"))
    );
}

#[test]
fn a_canary_without_endpoints_gets_its_share_refused() {
    // At promotion the canary is scaled down only after its traffic has gone; here its pods crash under it.
    let keys = [
        ("versions.v2.crash_after", "40s"),
        ("versions.v2.boot", "2s"),
        ("run.horizon", "3m"),
    ];
    let gateway = run(&set("healthy-gateway", &keys), 1);
    let failed: u64 = gateway
        .traffic
        .iter()
        .map(|s| s.failed - s.canary_failed)
        .sum();
    assert!(failed > 100, "{failed} refused requests");
}

#[test]
fn a_query_for_the_ingress_that_left_is_told_its_cause() {
    let scenario = set(
        "healthy-gateway",
        &[
            ("canary.spec.provider", "gatewayapi:v1"),
            (
                "canary.spec.analysis.metrics",
                "[{ name = \"success\", thresholdRange = { min = 99 }, interval = \"1m\", \
                  templateRef = { name = \"nginx-request-success-rate\" } }]",
            ),
        ],
    );
    let record = run(&scenario, 1);
    assert_eq!(record.outcome, Outcome::RolledBack);
    let text = finding(&record, "asks-the-ingress-that-left");
    assert!(text.contains("load-harness-[0-9a-zA-Z]+"), "{text}");
}
