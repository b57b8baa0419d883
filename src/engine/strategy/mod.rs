//! The three strategies and the ways a run ends.
//!
//! Follows `runCanary`, `runAB`, `runBlueGreen` and `rollback` in `pkg/controller/scheduler.go`.

mod ab_testing;
mod blue_green;
mod canary;
pub(crate) mod promotion;
pub(crate) mod rollback;

use super::Decision;
use super::context::{Context, Failure};
use super::dialect::Provider;
use super::router::{Router, Routes};
pub(crate) use crate::canary::course::Strategy;

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
