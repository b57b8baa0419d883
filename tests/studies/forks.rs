//! A run that goes on from another's warm-up is the run from the start, to the byte.

use std::path::Path;
use std::sync::Arc;

use rollcast::scenario::{self, Override, Scenario};
use rollcast::sim::{Compiled, World, briefs};

fn load(name: &str, set: &[(&str, &str)]) -> Arc<Scenario> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    let short = [("run.warm_up", "2m"), ("run.horizon", "5m")];
    let overrides: Vec<Override> = short
        .iter()
        .chain(set)
        .map(|(key, value)| Override {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        })
        .collect();
    Arc::new(scenario::load(&path, &overrides).unwrap_or_else(|error| panic!("{error}")))
}

fn record(mut world: World) -> String {
    while world.step() {}
    world.finish().to_json().unwrap()
}

#[test]
fn releases_and_judgements_share_a_warm_up_and_nothing_else() {
    let changes: [&[(&str, &str)]; 4] = [
        &[("versions.v2.env.FAIL_RATE", "0")],
        &[
            ("versions.v2.env.FAIL_RATE", "0.02"),
            ("canary.spec.analysis.threshold", "1"),
        ],
        &[
            ("canary.spec.analysis.stepWeight", "25"),
            ("canary.spec.analysis.maxWeight", "30"),
        ],
        &[(
            "canary.spec.analysis.metrics.request-success-rate.thresholdRange.min",
            "60",
        )],
    ];
    let nginx = &[
        ("provider", "nginx"),
        (
            "canary.spec.ingressRef",
            "{ apiVersion = \"networking.k8s.io/v1\", kind = \"Ingress\", name = \"load-harness\" }",
        ),
    ];
    let worlds: [(&str, &[(&str, &str)]); 3] = [
        ("chaos30", &[("run.traffic_model", "aggregate")]),
        ("chaos30", &[("traffic.rate", "20/s")]),
        ("chaos30-shared", nginx),
    ];
    for (name, world) in worlds {
        let from = Compiled::new(load(name, world));
        for (seed, change) in (5..).zip(changes) {
            let all = [world, change].concat();
            let other = Compiled::new(load(name, &all));
            assert_eq!(
                from.warm_up_key(),
                other.warm_up_key(),
                "{name}: {change:?}"
            );
            let mut forked = from.warmed_up(seed);
            forked.turn_into(&other);
            let brief = briefs(&[&other, &from], seed)[0];
            let whole = other.simulate(seed);
            assert_eq!(
                (brief.outcome, brief.decided_at, brief.finished_at),
                (whole.outcome, whole.decided_at, whole.finished_at),
                "{name}: {change:?}, seed {seed}"
            );
            assert!(
                record(forked) == whole.to_json().unwrap(),
                "{name}: {change:?}: another record than from the start, seed {seed}"
            );
        }
    }
}

#[test]
fn what_a_warm_up_depends_on_keeps_it_apart() {
    let from = Compiled::new(load("chaos30", &[])).warm_up_key();
    for change in [
        ("canary.spec.analysis.interval", "15s"),
        ("prometheus.scrape_interval", "10s"),
        ("traffic.rate", "100/s"),
        ("versions.v1.env.FAIL_RATE", "0.01"),
        ("versions.v2.service_time", "\"40ms\""),
        ("hpa.spec.minReplicas", "12"),
        ("rules", "flagger"),
    ] {
        let other = Compiled::new(load("chaos30", &[change])).warm_up_key();
        assert_ne!(from, other, "{change:?}");
    }
}
