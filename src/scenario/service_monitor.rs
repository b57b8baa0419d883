//! The ServiceMonitor of the ingress controller: how often Prometheus scrapes it, and whose labels win.
//!
//! Follows `monitoring.coreos.com/v1` of the Prometheus operator. Left out: relabelling, TLS and credentials, `namespaceSelector`,
//! and every endpoint but the first that has an interval or honorLabels.

use serde::Deserialize;
use serde_json::Value;

use super::objects::typed;
use crate::diagnostic::Diagnostic;
use crate::k8s::manifest::Document;
use crate::time::Span;

/// What a ServiceMonitor says of the scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Monitor {
    /// `interval`; Prometheus' own default where there is none.
    pub(super) interval: Option<Span>,
    /// `honorLabels`.
    pub(super) honor_labels: bool,
}

#[derive(Deserialize)]
struct ServiceMonitor {
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    selector: Value,
    endpoints: Vec<Endpoint>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Endpoint {
    interval: Option<String>,
    honor_labels: bool,
}

/// What it says, if it is the ingress controller's: its name or selector speaks of ingress-nginx or nginx-ingress.
pub(super) fn of_ingress(document: &Document) -> Result<Option<Monitor>, Diagnostic> {
    let monitor: ServiceMonitor = typed(document)?;
    let words = format!("{} {}", document.name, monitor.spec.selector);
    if !["ingress-nginx", "nginx-ingress"]
        .iter()
        .any(|name| words.contains(name))
    {
        return Ok(None);
    }
    let mut read = Monitor::default();
    for (index, endpoint) in monitor.spec.endpoints.iter().enumerate() {
        read.honor_labels |= endpoint.honor_labels;
        let Some(text) = endpoint.interval.as_ref().filter(|text| !text.is_empty()) else {
            continue;
        };
        let interval = Span::parse_go(text)
            .filter(|i| (Span::from_millis(10)..=Span::from_secs(3600)).contains(i));
        let Some(interval) = interval else {
            return Err(Diagnostic::new(format!(
                "ServiceMonitor `{}`: `spec.endpoints[{index}].interval` is no interval from 10ms to 1h: \"{}\"",
                document.name,
                text.escape_debug()
            ))
            .at_place(&document.place_of(&format!("/spec/endpoints/{index}/interval")))
            .help("write numbers with the units h, m, s, ms: \"15s\""));
        };
        read.interval.get_or_insert(interval);
    }
    Ok(Some(read))
}
