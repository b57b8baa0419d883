//! Recording rules in a simulated run: on their own grid, read by queries, from the scenario and from PrometheusRule manifests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rollcast::diagnostic::SourceText;
use rollcast::promql::{Options, Query, Value};
use rollcast::record::Record;
use rollcast::scenario::{Files, Scenario, assemble};
use rollcast::sim::{simulate, simulate_with_series};
use rollcast::time::{Span, Timestamp};
use rollcast::tsdb::{Queryable, Storage, is_stale};

/// The runbook's manifests and its drill, with what a test adds to either.
struct Texts(BTreeMap<String, String>);

impl Files for Texts {
    fn matching(&self, _: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let all = self.0.iter();
        Ok(all
            .map(|(name, text)| SourceText::new(name, text))
            .collect())
    }
}

fn drill(added: &str, manifest: Option<&str>) -> Scenario {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let folder = std::fs::read_dir(scenarios.join("load-harness")).unwrap();
    let mut texts: BTreeMap<String, String> = folder
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), read(&path)))
        .collect();
    texts.extend(manifest.map(|text| ("rules.yaml".to_owned(), text.to_owned())));
    let text = read(&scenarios.join("chaos30.toml")) + added;
    let source = SourceText::new("chaos30.toml", text);
    match assemble("chaos30", &source, &[], &Texts(texts)) {
        Ok(scenario) => scenario,
        Err(error) => panic!("{error}"),
    }
}

/// What was recorded under a name, in time order; stale markers left out.
fn recorded(storage: &Storage, name: &str) -> Vec<(Timestamp, f64)> {
    let of_name = |id: &_| Queryable::labels(storage, *id).metric_name() == name;
    let series = storage.all_series().filter(of_name);
    let mut samples: Vec<(Timestamp, f64)> = series
        .flat_map(|id| storage.samples(id))
        .filter(|(_, value)| !is_stale(*value))
        .collect();
    samples.sort_by_key(|(at, _)| *at);
    samples
}

fn answer(storage: &Storage, query: &str, at: Timestamp) -> f64 {
    let query = Query::compile(query, &Options::default()).unwrap();
    match query.instant(storage, at).unwrap().value {
        Value::Vector(samples) if samples.len() == 1 => samples[0].value,
        other => panic!("{other:?}"),
    }
}

fn check_values(record: &Record) -> Vec<(Timestamp, f64)> {
    let queries = record.ticks.iter().flat_map(|tick| &tick.queries);
    let checks = queries.filter(|query| query.metric == "request-success-rate");
    checks
        .filter_map(|query| Some((query.evaluated_at, query.value?)))
        .collect()
}

const TOTAL: &str = "sum(rate(nginx_ingress_controller_requests[1m]))";

#[test]
fn a_rule_records_what_its_query_answers_every_interval() {
    let rules = format!(
        "\n[[prometheus.rules]]\nrecord = \"all:rate1m\"\nexpr = \"{TOTAL}\"\ninterval = \"10s\"\n\
         [[prometheus.rules]]\nrecord = \"all:twice\"\nexpr = \"2 * all:rate1m\"\ninterval = \"10s\"\n\
         labels = {{ by = \"rule\" }}\n"
    );
    let (_, storage) = simulate_with_series(&drill(&rules, None));
    let samples = recorded(&storage, "all:rate1m");
    assert!(samples.len() > 100, "{} samples", samples.len());
    for pair in samples.windows(2) {
        assert_eq!(pair[1].0 - pair[0].0, Span::from_secs(10));
    }
    for (at, value) in &samples {
        assert_eq!(*value, answer(&storage, TOTAL, *at), "at {at:?}");
    }
    let doubled: Vec<_> = samples
        .iter()
        .map(|(at, value)| (*at, 2.0 * value))
        .collect();
    assert_eq!(recorded(&storage, "all:twice"), doubled);
    let at = samples[50].0;
    assert_eq!(
        answer(&storage, "all:twice{by=\"rule\"}", at),
        doubled[50].1
    );
}

#[test]
fn a_check_reads_what_was_recorded_last() {
    let scenario = drill("", None);
    let templates = &scenario.manifests.metric_templates;
    let success = templates
        .iter()
        .find(|t| t.metadata.name.ends_with("success-rate"));
    let expr = success
        .unwrap()
        .spec
        .query
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let manifest = format!(
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: drill\nspec:\n  groups:\n\
         \x20   - name: success\n      interval: 15s\n      rules:\n        - alert: Down\n          expr: up == 0\n\
         \x20       - record: canary:success:rate1m\n          expr: '{expr}'\n"
    );
    let reads =
        "\n[metric_templates.nginx-request-success-rate.spec]\nquery = \"canary:success:rate1m\"\n";
    let scenario = drill(reads, Some(&manifest));
    assert_eq!(scenario.prometheus.rule_groups[0].name, "drill/success");
    let (record, storage) = simulate_with_series(&scenario);
    let samples = recorded(&storage, "canary:success:rate1m");
    let checks = check_values(&record);
    assert!(!checks.is_empty());
    for (at, value) in checks {
        let last = samples.iter().rfind(|(recorded, _)| *recorded <= at);
        assert_eq!(last.map(|(_, value)| *value), Some(value), "at {at:?}");
    }
}

#[test]
fn a_rule_that_fails_is_told_and_the_run_goes_on() {
    let rules = "\n[[prometheus.rules]]\nrecord = \"text\"\nexpr = \"'no vector'\"\n";
    let record = simulate(&drill(rules, None));
    let told = record
        .findings
        .iter()
        .find(|finding| finding.code == "recording-rule-failed");
    let text = &told.expect("a finding").text;
    assert!(text.contains("recording rule \"text\""), "{text}");
    assert_eq!(record.outcome.as_str(), "rolled-back");
}

#[test]
fn rules_change_nothing_that_does_not_read_them() {
    let rules = format!("\n[[prometheus.rules]]\nrecord = \"all:rate1m\"\nexpr = \"{TOTAL}\"\n");
    let with = simulate(&drill(&rules, None));
    let without = simulate(&drill("", None));
    assert_eq!(check_values(&with), check_values(&without));
    assert_eq!(with.requests, without.requests);
}
