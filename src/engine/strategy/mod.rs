//! The three strategies and the ways a run ends.
//!
//! Follows `DeploymentStrategy` in `pkg/apis/flagger/v1beta1/canary.go`, and `runCanary`, `runAB`, `runBlueGreen` and
//! `rollback` in `pkg/controller/scheduler.go`.

mod ab_testing;
mod blue_green;
mod canary;
pub(crate) mod promotion;
pub(crate) mod rollback;

use super::Decision;
use super::context::{Context, Failure};
use super::dialect::Provider;
use super::router::{Router, Routes};
use crate::canary::Analysis;

/// How a Canary is analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// By weights.
    Canary,
    /// By conditions on requests, for a number of iterations.
    AbTesting,
    /// For a number of iterations, then all at once.
    BlueGreen,
}

impl Strategy {
    pub(crate) fn of(analysis: &Analysis) -> Strategy {
        match (analysis.iterations > 0, analysis.matches.is_empty()) {
            (false, _) => Strategy::Canary,
            (true, false) => Strategy::AbTesting,
            (true, true) => Strategy::BlueGreen,
        }
    }

    /// As Flagger's metrics label it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Strategy::Canary => "canary",
            Strategy::AbTesting => "ab-testing",
            Strategy::BlueGreen => "blue-green",
        }
    }
}

/// What a strategy's step needs to know besides the tick.
#[derive(Clone, Copy)]
pub(crate) struct Step<'r> {
    pub(crate) provider: Provider,
    pub(crate) router: &'r dyn Router,
    /// The routes as this tick read them.
    pub(crate) routes: Routes,
    /// The analysis ran in this tick, and passed.
    pub(crate) checked: bool,
}

/// Takes the next step of an analysis that has passed so far.
pub(crate) fn advance(cx: &mut Context<'_>, step: Step<'_>) -> Result<Decision, Failure> {
    match Strategy::of(&cx.analysis) {
        Strategy::AbTesting => ab_testing::advance(cx, step),
        Strategy::BlueGreen => blue_green::advance(cx, step),
        Strategy::Canary => canary::advance(cx, step),
    }
}

/// Iterations to go through; the runbook's reading asks for as many passed checks at least.
fn iterations_wanted(cx: &Context<'_>) -> i64 {
    cx.analysis.iterations.max(cx.rules.passes_needed)
}
