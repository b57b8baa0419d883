//! What a person should know about how a run ended: causes that the record alone does not name, most important first.
//!
//! Each finding is a plain function of the effective scenario and the finished record; none changes anything. They speak of
//! what the simulated world knows and a cluster's logs do not say: who really got what, and why a query saw nothing.

mod faults;
mod load_tests;
mod no_values;
mod outcome;
mod pods;
mod shares;
mod traffic;

use crate::canary::Provider;
use crate::record::{Finding, QueryRecord, Record};
use crate::scenario::Scenario;
use crate::time::Timestamp;

use super::kubelets::Trouble;
use super::routing::Entry;
use super::rules::Rules;

/// What findings are drawn from.
pub(super) struct Case<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) record: &'a Record,
    pub(super) provider: Provider,
    pub(super) entry: Entry,
    /// What went wrong with pods, by version.
    pub(super) troubles: &'a [Trouble],
    pub(super) rules: &'a Rules,
}

/// All findings of a run.
pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let rules: [fn(&Case<'_>) -> Option<Finding>; 21] = [
        outcome::not_started,
        pods::image_pull,
        pods::out_of_memory,
        pods::crash_loop,
        pods::no_room,
        pods::slow_start,
        shares::shrunken_primary,
        shares::not_to_be_had,
        no_values::cause,
        outcome::promoted_unseen,
        traffic::diluted,
        traffic::born_with_failures,
        traffic::too_few_requests,
        outcome::reverted,
        outcome::weights_not_routed,
        outcome::rules_failed,
        faults::injected,
        outcome::hooks_assumed,
        load_tests::host_header,
        load_tests::not_run,
        load_tests::ran,
    ];
    rules.iter().filter_map(|rule| rule(case)).collect()
}

impl Case<'_> {
    /// Queries of checks, with the time of their tick, from the detecting tick on.
    fn queries(&self) -> impl Iterator<Item = (Timestamp, &QueryRecord)> {
        let ticks = self
            .record
            .ticks
            .iter()
            .filter(|tick| tick.at >= Timestamp::ZERO);
        ticks.flat_map(|tick| tick.queries.iter().map(|query| (tick.at, query)))
    }

    /// The first failed check.
    fn first_failed(&self) -> Option<(Timestamp, &QueryRecord)> {
        self.queries().find(|(_, query)| !query.passed)
    }

    /// Whether pods export anything of the requests they answer.
    fn pods_export(&self) -> bool {
        self.scenario.prometheus.pod_discovery.is_some() && !self.scenario.metrics.is_empty()
    }

    /// Canary requests, and all requests, that arrived in the window.
    fn requests_in(&self, from: Timestamp, to: Timestamp) -> Window {
        let seconds = from.as_millis().div_euclid(1000)..to.as_millis().div_euclid(1000);
        let inside = self
            .record
            .traffic
            .iter()
            .filter(|second| seconds.contains(&second.at_s));
        inside.fold(Window::default(), |sum, second| Window {
            requests: sum.requests + second.requests,
            failed: sum.failed + second.failed,
            canary: sum.canary + second.canary,
        })
    }
}

/// Requests of some seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    requests: u64,
    failed: u64,
    canary: u64,
}

fn finding(code: &str, text: String) -> Option<Finding> {
    Some(Finding {
        code: code.to_owned(),
        text,
    })
}

/// A share in percent, as people write it.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
