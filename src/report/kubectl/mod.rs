//! What `kubectl` would print of a run's Canary at some moment: `kubectl get canary` and `kubectl describe canary`.
//!
//! Columns are those of Flagger's CRD (`artifacts/flagger/crd.yaml`, `additionalPrinterColumns`), the description is that of
//! objects kubectl has no words of its own for (`pkg/describe/describe.go`, `printUnstructuredContent`, `DescribeEvents`). The
//! status is made again from the run's ticks. Left out: hashes, tracked configs, uid and resource version, which a record
//! does not hold. Where a cluster shows a date, the run's own time stands: nothing here reads a clock.

mod correlator;
mod describe;
mod status;

pub use correlator::{StoredEvent, stored};
pub use describe::describe;
pub use status::status_at;

use crate::record::Record;
use crate::time::Timestamp;

/// The table of `kubectl get canary NAME -n NAMESPACE -o wide` at a moment.
pub fn get(record: &Record, at: Timestamp) -> String {
    let status = status_at(record, at);
    let analysis = &record.scenario["manifests"]["canary"]["spec"]["analysis"];
    let text = |key: &str| match &analysis[key] {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) if number.as_i64() != Some(0) => number.to_string(),
        serde_json::Value::Array(list) if !list.is_empty() => {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            format!("[{}]", list.join(","))
        }
        _ => String::new(),
    };
    let name = record.canary.split('.').next().unwrap_or_default();
    let columns = [
        ("NAME", name.to_owned()),
        ("STATUS", status.phase.to_string()),
        ("WEIGHT", status.canary_weight.to_string()),
        ("FAILEDCHECKS", status.failed_checks.to_string()),
        ("INTERVAL", text("interval")),
        ("STEPWEIGHT", text("stepWeight")),
        ("STEPWEIGHTS", text("stepWeights")),
        ("MAXWEIGHT", text("maxWeight")),
        (
            "LASTTRANSITIONTIME",
            status
                .last_transition_time
                .map_or_else(String::new, Timestamp::clock),
        ),
    ];
    let (mut head, mut row) = (String::new(), String::new());
    for (title, value) in columns {
        let width = title.len().max(value.chars().count()) + 3;
        head += &format!("{title:width$}");
        row += &format!("{value:width$}");
    }
    format!("{}\n{}\n", head.trim_end(), row.trim_end())
}
