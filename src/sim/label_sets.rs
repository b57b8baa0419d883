//! The labels that tell kinds of requests apart in the ingress' metrics: method, host and the Ingress' path.

use serde_json::Value;

use super::routing::{Entry, entry_of};
use crate::k8s::Ingress;
use crate::scenario::{RequestClass, Scenario};

/// Labels of a kind of request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabelSet {
    pub(super) method: String,
    pub(super) host: String,
    /// The path in the Ingress, not the URL's.
    pub(super) path: String,
}

/// All sets of labels, and for each class of the scenario the number of its own; `None`: the ingress does not count it.
///
/// Without classes there is one set, that of a plain GET.
pub(super) fn label_sets(
    scenario: &Scenario,
    ingress: Option<&Ingress>,
) -> (Vec<LabelSet>, Vec<Option<u8>>) {
    let classes = &scenario.traffic.classes;
    if classes.is_empty() {
        let rules = ingress.and_then(|ingress| ingress.spec.pointer("/rules/0"));
        return (vec![labels("GET", rules, None)], Vec::new());
    }
    let mut sets: Vec<LabelSet> = Vec::new();
    let mut set_of = |class: &RequestClass| {
        let host = class.host.as_deref().or(scenario.traffic.host.as_deref());
        if entry_of(scenario, host) != Entry::Recorded {
            return None;
        }
        let rules = ingress.and_then(|ingress| rule_of(ingress, host));
        let set = labels(&class.method, rules, Some(&class.path));
        let known = sets.iter().position(|known| *known == set);
        let number = known.unwrap_or_else(|| {
            sets.push(set);
            sets.len() - 1
        });
        Some(number as u8)
    };
    let numbers = classes.iter().map(&mut set_of).collect();
    if sets.is_empty() {
        sets.push(labels("GET", None, None));
    }
    (sets, numbers)
}

fn labels(method: &str, rule: Option<&Value>, path: Option<&str>) -> LabelSet {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let host = text(rule.and_then(|rule| rule.get("host"))).unwrap_or_default();
    let paths = rule.and_then(|rule| rule.pointer("/http/paths")?.as_array());
    let mut paths = paths.into_iter().flatten();
    let path = match path {
        None => paths.next().and_then(|first| text(first.get("path"))),
        // Of the Ingress' paths the longest that the URL's begins with.
        Some(url) => paths
            .filter_map(|path| text(path.get("path")))
            .filter(|prefix| url.starts_with(prefix.as_str()))
            .max_by_key(String::len),
    };
    LabelSet {
        method: method.to_owned(),
        host,
        path: path.unwrap_or_else(|| "/".to_owned()),
    }
}

/// The rule of a host; the first where none is named.
fn rule_of<'a>(ingress: &'a Ingress, host: Option<&str>) -> Option<&'a Value> {
    let rules = ingress.spec.get("rules")?.as_array()?;
    let named = host.and_then(|host| {
        let mut rules = rules.iter();
        rules.find(|rule| rule.get("host").and_then(Value::as_str) == Some(host))
    });
    named.or_else(|| rules.first())
}
