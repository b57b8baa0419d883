//! What another provider changes: in when weights act, in what the checks ask, and in the values they read.

use crate::canary::Provider;
use crate::engine::QuerySource;
use crate::record::{CheckRow, Record};

use super::words::value;

/// The provider's name.
pub fn name(record: &Record) -> &'static str {
    record.provider.map_or("unknown", Provider::as_str)
}

/// Sentences on how the two providers work, where that sets them apart.
pub(super) fn readings(first: &Record, second: &Record) -> Vec<String> {
    let (Some(a), Some(b)) = (first.provider, second.provider) else {
        return Vec::new();
    };
    let mut sentences: Vec<String> = [a, b].map(|p| capitalised(weights(p))).into();
    let (asked_a, asked_b) = (asked(first), asked(second));
    if asked_a != asked_b {
        sentences.push(format!(
            "The checks ask {asked_a} under {}, {asked_b} under {}.",
            a.as_str(),
            b.as_str()
        ));
    }
    if [a, b].contains(&Provider::Nginx) && [a, b].contains(&Provider::GatewayApiV1) {
        sentences.push(
            "A canary Service without a ready pod gets its share answered with 503 by a Gateway, where NGINX sends it to \
             the primary."
                .to_owned(),
        );
        if [first, second]
            .iter()
            .any(|record| asks_builtin_duration(record))
        {
            sentences.push(
                "Flagger's builtin request-duration is a mean under nginx and a 99th percentile under gatewayapi:v1: the \
                 same bound is a stricter one."
                    .to_owned(),
            );
        }
    }
    sentences
}

/// How a provider makes a weight true.
fn weights(provider: Provider) -> &'static str {
    match provider {
        Provider::Nginx => {
            "ingress-nginx tosses a coin for every request, and its workers learn of a weight one by one, up to 4.5 s after \
             Flagger wrote it."
        }
        Provider::GatewayApiV1 => {
            "a Gateway chooses by the HTTPRoute's weights for every request, whatever the number of pods, and goes by a new \
             weight at one moment soon after Flagger wrote it; the canary keeps all its replicas at every weight."
        }
        Provider::PodScaling => {
            "pod scaling makes a weight true by the number of pods: a step acts when the canary's new pods are ready, and \
             the share is what they make it."
        }
        Provider::Kubernetes => {
            "the provider kubernetes routes no user to the canary and counts iterations instead of weights."
        }
    }
}

/// Whom the checks of a run ask.
fn asked(record: &Record) -> &'static str {
    let queries = record.ticks.iter().flat_map(|tick| &tick.queries);
    let mut texts = queries.map(|query| query.text.as_str());
    let (mut ingress, mut pods) = (false, false);
    for text in &mut texts {
        ingress |= text.contains("nginx_ingress_controller_");
        pods |= !text.contains("nginx_ingress_controller_") && text.contains("http_request");
    }
    match (ingress, pods) {
        (true, false) => "the ingress controller, which counts for users",
        (false, true) => {
            "the canary's pods, each scraped at its own moment, which count what they answered and nothing of the way there"
        }
        (true, true) => "the ingress controller and the pods",
        (false, false) => "neither the ingress controller nor the pods",
    }
}

fn asks_builtin_duration(record: &Record) -> bool {
    let mut queries = record.ticks.iter().flat_map(|tick| &tick.queries);
    queries.any(|query| query.source == QuerySource::Builtin && query.metric == "request-duration")
}

/// What the first check of each metric read under both, at the same time.
pub(super) fn values(first: &Record, second: &Record) -> Option<String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut pairs = Vec::new();
    for a in checks(first) {
        if seen.contains(&a.metric.as_str()) {
            continue;
        }
        let Some(b) = checks(second).find(|b| b.metric == a.metric && b.at == a.at) else {
            continue;
        };
        seen.push(&a.metric);
        pairs.push(format!(
            "{} read {} and {}",
            a.metric,
            read(a.value),
            read(b.value)
        ));
    }
    let at = checks(first)
        .find(|check| seen.contains(&check.metric.as_str()))?
        .at;
    Some(format!(
        "At {} {}, under {} and {}.",
        at.clock(),
        pairs.join(", "),
        name(first),
        name(second)
    ))
}

fn checks(record: &Record) -> impl Iterator<Item = &CheckRow> {
    record.timeline.iter().flat_map(|row| &row.checks)
}

fn read(found: Option<f64>) -> String {
    found.map_or_else(|| "no values".to_owned(), value)
}

/// What is assumed of the second run alone.
pub(in crate::report) fn assumed<'a>(first: &Record, second: &'a Record) -> Vec<&'a str> {
    let list = |record: &'a Record| record.scenario["assumptions"].as_array();
    let known: Vec<&str> = (first.scenario["assumptions"]
        .as_array()
        .into_iter()
        .flatten())
    .filter_map(|sentence| sentence.as_str())
    .collect();
    let all = list(second).into_iter().flatten();
    all.filter_map(|sentence| sentence.as_str())
        .filter(|sentence| !known.contains(sentence))
        .collect()
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    // The name of a program keeps its own spelling.
    if sentence.starts_with("ingress-nginx") {
        return sentence.to_owned();
    }
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
