//! The rules, one a file.

mod ab_promotion_steps;
mod alert_severity;
mod builtin_name;
mod evaluates_nothing;
mod ignores_canary;
mod ingress_host;
mod kubernetes_weights;
mod late_series;
mod load_test_late;
mod low_power;
mod match_without_iterations;
mod max_weight_out_of_reach;
mod mirror_with_weights;
mod namespace_label;
mod no_source;
mod no_step;
mod primary_shrinks;
mod query_fault;
mod step_overshoots;
mod template_interval;
mod threshold_direction;
mod threshold_meaning;
mod too_few_pods;
mod unknown_label;
mod webhook_204;
mod webhook_timeout;
mod window_too_long;
mod window_too_short;

use super::Rule;

/// In the order in which findings are told: what ends a rollout first, what is only worth knowing last.
pub(super) const ALL: &[Rule] = &[
    kubernetes_weights::RULE,
    no_step::RULE,
    max_weight_out_of_reach::RULE,
    mirror_with_weights::RULE,
    match_without_iterations::RULE,
    ab_promotion_steps::RULE,
    step_overshoots::RULE,
    builtin_name::RULE,
    evaluates_nothing::RULE,
    threshold_direction::RULE,
    query_fault::RULE,
    template_interval::RULE,
    no_source::RULE,
    unknown_label::RULE,
    namespace_label::RULE,
    ingress_host::RULE,
    window_too_short::RULE,
    late_series::RULE,
    window_too_long::RULE,
    ignores_canary::RULE,
    low_power::RULE,
    primary_shrinks::RULE,
    too_few_pods::RULE,
    load_test_late::RULE,
    webhook_timeout::RULE,
    webhook_204::RULE,
    alert_severity::RULE,
    threshold_meaning::RULE,
];
