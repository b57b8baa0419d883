//! Each rule of `lint` finds its failing example and passes the mended one; and what a rule predicts is what a simulation of
//! the failing example shows.
//!
//! The examples are `tests/lint/CODE/fails.yaml` and `passes.yaml`; what they leave out (a Deployment, an Ingress) is assumed as
//! `rollcast simulate -f` assumes it.

mod predictions;

use std::path::Path;
use std::sync::Arc;

use rollcast::diagnostic::SourceText;
use rollcast::lint::{self, Finding, Severity};
use rollcast::scenario::{Files, Override, Scenario, Wishes, assemble, import};

/// What the examples are looked at in, besides the defaults of `usual`: traffic, scrapes, scripts.
const CIRCUMSTANCES: &[(&str, &[(&str, &str)])] = &[
    ("late-series", &[("prometheus.scrape_interval", "15s")]),
    ("low-power", &[("traffic.rate", "1/s")]),
    (
        "too-few-pods",
        &[("provider", "pod-scaling"), ("traffic.rate", "20/s")],
    ),
    ("primary-shrinks", &[("run.horizon", "25m")]),
    ("load-test-late", &[("traffic.rate", "0/s")]),
];

struct Given(Vec<Arc<SourceText>>);

impl Files for Given {
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let sources = self.0.iter().filter(|source| source.name == pattern);
        Ok(sources.cloned().collect())
    }
}

/// The scenario of an example, `overrides` over what its rule needs.
fn example(code: &str, which: &str, overrides: &[(&str, &str)]) -> Scenario {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/lint/{code}/{which}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let sources = vec![SourceText::new("example.yaml", text)];
    let paths = vec!["example.yaml".to_owned()];
    let imported = import(&sources, &paths, &Wishes::default()).unwrap_or_else(|e| panic!("{e}"));
    let usual = [
        ("traffic.rate", "200/s"),
        ("prometheus.scrape_interval", "5s"),
    ];
    let own = CIRCUMSTANCES.iter().filter(|(of, _)| *of == code);
    let own = own.flat_map(|(_, set)| set.iter());
    let overrides: Vec<Override> = usual
        .iter()
        .chain(own)
        .chain(overrides)
        .map(|(key, value)| Override {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        })
        .collect();
    let source = SourceText::new("scenario.toml", imported.text);
    assemble(&imported.name, &source, &overrides, &Given(sources))
        .unwrap_or_else(|e| panic!("{code}: {e}"))
}

fn found(code: &str, which: &str) -> Vec<Finding> {
    let scripts: &[(&str, &str)] = match (code, which) {
        ("webhook-204", "fails") => &[("webhooks.gate.status", "204")],
        _ => &[],
    };
    lint::lint(&example(code, which, scripts))
}

#[test]
fn every_rule_finds_its_failing_example_and_passes_the_mended_one() {
    let mut wrong = Vec::new();
    for rule in lint::rules() {
        let codes = |which| {
            let findings = found(rule.code, which);
            findings
                .iter()
                .map(|finding| finding.code)
                .collect::<Vec<_>>()
        };
        let (fails, passes) = (codes("fails"), codes("passes"));
        if !fails.contains(&rule.code) {
            wrong.push(format!("{}: not found; found {fails:?}", rule.code));
        }
        if passes.contains(&rule.code) {
            wrong.push(format!("{}: found in the mended example", rule.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_mended_example_has_no_errors_at_all() {
    for rule in lint::rules() {
        let errors: Vec<String> = found(rule.code, "passes")
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| format!("{}: {}", finding.code, finding.message))
            .collect();
        assert!(errors.is_empty(), "{}: {}", rule.code, errors.join("\n"));
    }
}

#[test]
fn a_finding_says_why_and_what_to_do_and_where() {
    for rule in lint::rules() {
        assert!(!rule.about.is_empty(), "{}", rule.code);
        for finding in found(rule.code, "fails") {
            assert!(
                !finding.why.is_empty() && !finding.change.is_empty(),
                "{finding:?}"
            );
            assert_eq!(finding.place.0.name, "example.yaml", "{finding:?}");
            assert!(!finding.place.1.is_empty(), "{finding:?}");
        }
    }
}

#[test]
fn a_slip_in_a_metrics_name_and_a_fault_in_a_query_are_told_with_what_was_meant() {
    let first = |code: &str| {
        let found = found(code, "fails").into_iter();
        let mut own = found.filter(|finding| finding.code == code);
        own.next().unwrap()
    };
    let slip = first("no-source");
    assert_eq!(
        slip.change,
        "did you mean `nginx_ingress_controller_requests`?"
    );
    let fault = first("query-fault");
    // The second `*` of the last line, in the manifest.
    let (source, range) = &fault.place;
    let line = source.text.lines().last().unwrap();
    assert_eq!(source.text[range.clone()], *"*", "{}", fault.message);
    assert_eq!(
        source.line_column(range.start),
        (source.text.lines().count(), line.rfind('*').unwrap() + 1)
    );
}

#[test]
fn the_load_harness_has_exactly_the_findings_that_the_readme_tells_of() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/load-harness");
    let found = rollcast::scenario::manifests(&[folder], &mut std::io::empty()).unwrap();
    let paths: Vec<String> = found.sources.iter().map(|s| s.name.clone()).collect();
    let imported = import(&found.sources, &paths, &Wishes::default()).unwrap();
    let codes = |overrides: &[(&str, &str)]| {
        let overrides: Vec<Override> = overrides
            .iter()
            .map(|(key, value)| Override {
                key: (*key).to_owned(),
                value: (*value).to_owned(),
            })
            .collect();
        let source = SourceText::new("scenario.toml", &*imported.text);
        let files = Given(found.sources.clone());
        let scenario = assemble(&imported.name, &source, &overrides, &files).unwrap();
        let findings = lint::lint(&scenario);
        let codes = findings.iter().map(|finding| finding.code);
        codes.collect::<Vec<_>>()
    };
    assert_eq!(
        codes(&[]),
        [
            "kubernetes-weights",
            "builtin-name",
            "builtin-name",
            "threshold-meaning"
        ]
    );
    // As the runbook means it: its rules, pod scaling; NGINX's shared label remains.
    assert_eq!(
        codes(&[
            ("rules", "runbook"),
            ("provider", "pod-scaling"),
            ("prometheus.scrape_interval", "5s")
        ]),
        ["ignores-canary", "ignores-canary"]
    );
}
