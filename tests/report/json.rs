//! The JSON summary and the record's JSON: their keys are contracts.

use std::collections::BTreeSet;
use std::path::Path;

use rollcast::engine::Bound;
use rollcast::record::Record;
use rollcast::report::json::{render, render_both, schema};
use serde_json::{Value, json};

use crate::fixture::{self, SUCCESS};

#[test]
fn the_summary_has_exactly_the_keys_of_the_contract() {
    let summary = parsed(&render(&fixture::chaos30()).unwrap());
    assert_eq!(
        keys(&summary),
        BTreeSet::from([
            "scenario",
            "seed",
            "rules",
            "outcome",
            "phase",
            "decided_at_s",
            "finished_at_s",
            "timeline",
            "events",
            "requests",
            "latency_p99_ms"
        ])
    );
    assert_eq!(
        keys(&summary["timeline"][1]),
        BTreeSet::from([
            "at_s",
            "phase",
            "primary_weight",
            "canary_weight",
            "canary_share",
            "checks"
        ])
    );
    assert_eq!(
        keys(&summary["timeline"][1]["checks"][0]),
        BTreeSet::from(["at_s", "metric", "value", "bound", "bound_type", "passed"])
    );
    assert_eq!(
        keys(&summary["events"][0]),
        BTreeSet::from(["at_s", "type", "message"])
    );
    assert_eq!(
        keys(&summary["requests"]),
        BTreeSet::from(["total", "failed", "canary", "canary_failed"])
    );
}

#[test]
fn the_summary_of_the_drill_says_what_happened() {
    let summary = parsed(&render(&fixture::chaos30()).unwrap());
    assert_eq!(summary["scenario"], "chaos30");
    assert_eq!(summary["rules"], "runbook");
    assert_eq!(summary["outcome"], "rolled-back");
    assert_eq!(summary["phase"], "Failed");
    assert_eq!(summary["decided_at_s"], 60);
    assert_eq!(
        summary["timeline"][1]["checks"],
        json!([{
            "at_s": 60, "metric": SUCCESS, "value": 70.2074, "bound": 99.0, "bound_type": "min", "passed": false
        }])
    );
    assert_eq!(
        summary["events"][0],
        json!({
            "at_s": -90, "type": "Normal", "message": "Initialization done! load-harness.applications"
        })
    );
}

#[test]
fn what_json_has_no_number_for_is_null() {
    let mut record = fixture::chaos30();
    let checks = &mut record.timeline[1].checks;
    for value in [
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
    ] {
        let mut check = checks[0].clone();
        (check.value, check.bound) = (value, Some(Bound::Max(500.0)));
        checks.push(check);
    }
    let summary = parsed(&render(&record).unwrap());
    for i in 1..=4 {
        assert_eq!(summary["timeline"][1]["checks"][i]["value"], Value::Null);
        assert_eq!(summary["timeline"][1]["checks"][i]["bound"], 500.0);
    }
    parsed(&record.to_json().unwrap());
}

#[test]
fn a_run_without_requests_has_no_latency_and_no_share() {
    let mut record = fixture::not_started();
    record.requests.total = 0;
    let summary = parsed(&render(&record).unwrap());
    assert_eq!(summary["latency_p99_ms"], Value::Null);
    assert_eq!(summary["decided_at_s"], Value::Null);
}

#[test]
fn two_summaries_are_an_array() {
    let both = render_both(&fixture::chaos30_flagger(), &fixture::chaos30()).unwrap();
    let both = parsed(&both);
    assert_eq!(both[0]["rules"], "flagger");
    assert_eq!(both[1]["rules"], "runbook");
}

#[test]
fn every_time_in_a_record_is_in_seconds_under_a_key_that_says_so() {
    let record = parsed(&fixture::chaos30().to_json().unwrap());
    assert_eq!(record["decided_at_s"], 60);
    assert_eq!(record["ended_at_s"], 900);
    assert_eq!(record["interval_s"], 30);
    assert_eq!(record["timeline"][1]["at_s"], 30);
    let query = &record["ticks"][2]["queries"][0];
    assert_eq!(query["evaluated_at_s"], 60.012);
    assert_eq!(
        query["selectors"][0]["series"][0]["samples"],
        json!([[56.5, 41.0]])
    );
    assert_eq!(query["bound"], json!({ "min": 99.0 }));
    assert_eq!(query["truth"], 70.0);
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    for (a, b) in fixture::all().iter().zip(&fixture::all()) {
        assert_eq!(a.to_json().unwrap(), b.to_json().unwrap());
    }
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    is_committed("summary.schema.json", &schema());
    is_committed("run.schema.json", &schemars::schema_for!(Record));
    is_committed(
        "forecast.schema.json",
        &rollcast::report::forecast::json::schema(),
    );
    is_committed("tune.schema.json", &rollcast::report::tune::schema());
    is_committed("power.schema.json", &rollcast::report::power::schema());
}

/// The schemas cannot drift from what is written: every key is known to them, and all they require is there.
#[test]
fn summaries_and_records_hold_to_their_schemas() {
    let run = schemars::schema_for!(Record);
    for record in fixture::all() {
        let summary = parsed(&render(&record).unwrap());
        holds(
            schema().as_value(),
            schema().as_value(),
            &summary,
            "summary",
        );
        let record = parsed(&record.to_json().unwrap());
        holds(run.as_value(), run.as_value(), &record, "run");
    }
}

/// As far as these schemas go: references, alternatives, types, properties, required keys, items, constants.
fn holds(root: &Value, schema: &Value, value: &Value, path: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        return holds(root, target, value, path);
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(alternatives) = schema[word].as_array() {
            let fits = |schema: &&Value| {
                std::panic::catch_unwind(|| holds(root, schema, value, path)).is_ok()
            };
            assert!(
                alternatives.iter().any(|schema| fits(&schema)),
                "{path}: {value}"
            );
            return;
        }
    }
    if let Some(constant) = schema.get("const") {
        assert_eq!(constant, value, "{path}");
    }
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(value), "{path}: {value}");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_a = |wanted: &str| wanted == kind || (wanted == "number" && kind == "integer");
    assert!(
        types.is_empty() || types.iter().any(|wanted| is_a(wanted)),
        "{path}: {value} is no {types:?}"
    );
    if let (Value::Object(object), Some(properties)) = (value, schema["properties"].as_object()) {
        for (key, value) in object {
            let known = properties.get(key);
            let known = known.unwrap_or_else(|| panic!("{path}.{key} is not in the schema"));
            holds(root, known, value, &format!("{path}.{key}"));
        }
        for key in schema["required"].as_array().into_iter().flatten() {
            assert!(object.contains_key(key.as_str().unwrap()), "{path}: {key}");
        }
    }
    if let Value::Array(items) = value {
        for (i, item) in items.iter().enumerate() {
            let of = schema["prefixItems"].get(i).unwrap_or(&schema["items"]);
            holds(root, of, item, &format!("{path}[{i}]"));
        }
    }
}

/// `UPDATE_SCHEMAS=1 cargo test --test report` writes them anew.
fn is_committed(name: &str, schema: &schemars::Schema) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("schema")
        .join(name);
    let mut text = serde_json::to_string_pretty(schema).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "schema/{name} is not that of the types; run UPDATE_SCHEMAS=1 cargo test --test report"
    );
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}
