//! Every state that a small Canary can reach in nine ticks, whatever its checks, hooks, pods and pushes do, and what
//! must hold in each.
//!
//! A breadth-first walk: from every state, one tick under every combination of outcomes; states that differ in nothing the
//! engine reads are one. The exceptions are those of Flagger's own: each is named where it is made.

mod engine_support;

use std::collections::BTreeSet;

use engine_support::{NAME, NAMESPACE, Story};
use rollcast::canary::Phase;
use rollcast::engine::revision::template_hash;
use rollcast::engine::{Decision, Kind, Object, ObjectRef, Settings, Ticked};
use serde_json::{Value, json};

/// Ticks from Initialized on.
const DEPTH: usize = 9;
const THRESHOLD: i64 = 2;
const PRIMARY: &str = "load-harness-primary";
const WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";

/// Pods of one Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pods {
    Ready,
    /// Not available yet.
    Starting,
    /// Not within the progress deadline.
    Dead,
}

/// What one tick meets.
#[derive(Clone, Copy, Debug)]
struct Outcomes {
    push: Option<&'static str>,
    healthy: bool,
    gates_open: bool,
    rollback_hook: bool,
    target: Pods,
    primary: Pods,
}

/// Every combination that makes a difference: the analysis and the rollback hook are reached with ready pods alone.
fn all_outcomes() -> Vec<Outcomes> {
    let mut all = Vec::new();
    for push in [None, Some("v1"), Some("v2"), Some("v3")] {
        for gates_open in [true, false] {
            let quiet = Outcomes {
                push,
                healthy: true,
                gates_open,
                rollback_hook: false,
                target: Pods::Ready,
                primary: Pods::Ready,
            };
            for healthy in [true, false] {
                for rollback_hook in [true, false] {
                    all.push(Outcomes {
                        healthy,
                        rollback_hook,
                        ..quiet
                    });
                }
            }
            for pods in [Pods::Starting, Pods::Dead] {
                all.push(Outcomes {
                    target: pods,
                    ..quiet
                });
                all.push(Outcomes {
                    primary: pods,
                    ..quiet
                });
            }
        }
    }
    all
}

/// A world on its way, with what the invariants need to remember.
#[derive(Clone)]
struct State {
    story: Story,
    /// Image that was copied to the primary last.
    copied: Option<String>,
    /// What was copied is not what the run is noted for: the revert quirk (2.8).
    reverted: bool,
    /// Phase Failed came from a promotion that failed, which leaves the traffic on the canary (2.6).
    promotion_failed: bool,
}

impl State {
    fn new(provider: &str, analysis: Value) -> State {
        let ingress: rollcast::k8s::Ingress = serde_json::from_value(json!({
            "metadata": { "name": NAME, "namespace": NAMESPACE },
            "spec": { "rules": [{ "http": { "paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": NAME, "port": { "number": 80 } } },
            }] } }] },
        }))
        .unwrap();
        let mut spec = json!({
            "provider": provider,
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": NAME },
            "ingressRef": { "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": NAME },
            "service": { "port": 80 },
            "analysis": {
                "interval": "30s", "threshold": THRESHOLD,
                "metrics": [{ "name": "errors", "query": "errors", "threshold": 1 }],
                "webhooks": [
                    { "name": "start", "type": "confirm-rollout", "url": "http://hooks/" },
                    { "name": "gate", "type": "confirm-promotion", "url": "http://hooks/" },
                    { "name": "stop", "type": "rollback", "url": "http://hooks/" },
                ],
            },
        });
        for (key, value) in analysis.as_object().unwrap() {
            spec["analysis"][key] = value.clone();
        }
        let canary = json!({
            "metadata": { "name": NAME, "namespace": NAMESPACE },
            "spec": spec,
            "status": { "phase": "Initializing" },
        });
        let mut story = Story::new(Settings::default(), canary, 2, vec![ingress.into()]);
        story.closed.insert("stop".to_owned(), String::new());
        State {
            story: story.initialized(),
            copied: None,
            reverted: false,
            promotion_failed: false,
        }
    }

    /// One tick under these outcomes.
    fn tick(&mut self, outcomes: Outcomes) -> Ticked {
        let story = &mut self.story;
        if let Some(image) = outcomes.push {
            story.push(image);
        }
        let errors = if outcomes.healthy { 0.0 } else { 5.0 };
        story.metrics.insert("errors".to_owned(), errors);
        story.closed.clear();
        if !outcomes.gates_open {
            for gate in ["start", "gate"] {
                story.closed.insert(gate.to_owned(), String::new());
            }
        }
        if !outcomes.rollback_hook {
            story.closed.insert("stop".to_owned(), String::new());
        }
        for (name, pods) in [(NAME, outcomes.target), (PRIMARY, outcomes.primary)] {
            match pods {
                Pods::Ready => story.become_ready(name),
                Pods::Starting => story.lose_pods(name),
                Pods::Dead => story.exceed_deadline(name),
            }
        }
        story.queries.clear();
        story.weights.clear();
        let ticked = story.tick_without_progress(&[NAME, PRIMARY]);
        match ticked.decision {
            Decision::Promoting => {
                self.copied = Some(self.image(NAME));
                let status = self.story.status();
                self.reverted = status.last_applied_spec != self.template();
                // The one way to copy another template than the run's.
                assert!(!self.reverted || status.last_promoted_spec == self.template());
            }
            Decision::PromotionFailed => self.promotion_failed = true,
            _ if ticked.phase_after != Phase::Failed => self.promotion_failed = false,
            Decision::RolledBack => self.promotion_failed = false,
            _ => {}
        }
        ticked
    }

    /// Hash of the target's template.
    fn template(&self) -> String {
        template_hash(&self.story.deployment(NAME).spec.template)
    }

    fn image(&self, deployment: &str) -> String {
        let deployment = self.story.deployment(deployment);
        deployment
            .spec
            .template
            .image()
            .unwrap_or_default()
            .to_owned()
    }

    /// Percent that the canary Ingress asks for.
    fn weight(&self) -> Option<i64> {
        let reference = ObjectRef::new(Kind::Ingress, NAMESPACE, format!("{NAME}-canary"));
        match self.story.cluster.get(&reference) {
            Some(Object::Ingress(ingress)) => ingress.metadata.annotations[WEIGHT].parse().ok(),
            _ => None,
        }
    }

    /// Everything that the next tick can depend on; pods are as the next tick's outcomes say.
    fn key(&self) -> String {
        let mut status = self.story.status();
        status.last_transition_time = None;
        status.conditions.clear();
        format!(
            "{status:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            (self.image(NAME), self.image(PRIMARY)),
            self.story.replicas(),
            self.weight(),
            self.copied,
            self.reverted,
            self.promotion_failed,
        )
    }
}

/// Everything is well, nothing is pushed.
const WELL: Outcomes = Outcomes {
    push: None,
    healthy: true,
    gates_open: true,
    rollback_hook: false,
    target: Pods::Ready,
    primary: Pods::Ready,
};

/// What must hold after every tick; the text says what does not.
fn violated(before: &State, outcomes: Outcomes, ticked: &Ticked, after: &State) -> Option<String> {
    let (old, new) = (before.story.status(), after.story.status());
    let (phase, decision) = (ticked.phase_after, &ticked.decision);
    if new.phase != phase {
        return Some(format!(
            "the tick says {phase:?}, the status {:?}",
            new.phase
        ));
    }
    if let Some((primary, canary)) = after.story.weights.iter().find(|(p, c)| p + c != 100) {
        return Some(format!("weights {primary}/{canary} do not sum to 100"));
    }
    if !(0..=100).contains(&new.canary_weight)
        || after.weight().is_some_and(|w| !(0..=100).contains(&w))
    {
        return Some("a weight outside of 0..=100".to_owned());
    }
    if !allowed(ticked.phase_before, phase, decision) {
        return Some(format!(
            "{:?} became {phase:?} by {decision:?}",
            ticked.phase_before
        ));
    }

    if *decision == Decision::Succeeded {
        let (primary, copied) = (after.image(PRIMARY), after.copied.clone());
        if Some(&primary) != copied.as_ref() {
            return Some(format!("the primary runs {primary}, copied was {copied:?}"));
        }
        // Except the revert quirk (2.8): going back to the promoted template is no change to Flagger, so the run goes on,
        // copies the old template and notes the abandoned one as promoted.
        let noted = new.last_promoted_spec == after.template();
        if after.image(NAME) == primary && noted == after.reverted {
            return Some(format!("lastPromotedSpec, reverted {}", after.reverted));
        }
    }
    if phase == Phase::Failed {
        // Except the failed promotion (2.6): the canary is the only healthy copy.
        let routed = after.weight().unwrap_or(0);
        let (_, canary_pods) = after.story.replicas();
        if !after.promotion_failed && (routed != 0 || canary_pods != 0 || new.canary_weight != 0) {
            return Some(format!(
                "Failed with {routed} % and {canary_pods} pods on the canary"
            ));
        }
    }

    let in_analysis = matches!(old.phase, Phase::Progressing | Phase::WaitingPromotion);
    let reaches_the_test = in_analysis
        && outcomes.target == Pods::Ready
        && outcomes.primary == Pods::Ready
        && *decision != Decision::Restarted;
    if reaches_the_test && old.failed_checks >= THRESHOLD && *decision != Decision::RolledBack {
        return Some(format!(
            "{} failed checks and {decision:?}",
            old.failed_checks
        ));
    }
    match decision {
        Decision::Halted if new.failed_checks != old.failed_checks + 1 => {
            return Some("a halt that does not count".to_owned());
        }
        Decision::Halted if before.weight() != after.weight() => {
            return Some("a halt that moves traffic".to_owned());
        }
        Decision::Detected | Decision::Restarted | Decision::RolledBack
            if new.failed_checks != 0 =>
        {
            return Some(format!(
                "{decision:?} keeps {} failed checks",
                new.failed_checks
            ));
        }
        Decision::Advanced
        | Decision::Promoting
        | Decision::Waiting
        | Decision::Idle
        | Decision::Blocked
            if new.failed_checks != old.failed_checks =>
        {
            return Some(format!("{decision:?} changes the failed checks"));
        }
        _ => {}
    }
    // Pods that are not ready only delay.
    let delayed =
        in_analysis && outcomes.target == Pods::Starting && *decision != Decision::Restarted;
    if delayed && (*decision != Decision::Blocked || !after.story.queries.is_empty()) {
        return Some(format!("{decision:?} with pods that are not ready"));
    }
    None
}

/// The phases that a tick can lead to, and by which decision.
fn allowed(from: Phase, to: Phase, by: &Decision) -> bool {
    use {Decision as D, Phase as P};
    if from == to {
        let ends = matches!(by, D::Succeeded | D::PromotionFailed | D::Initialized);
        return !ends || from == P::Failed;
    }
    match (from, to) {
        (P::Initialized | P::Succeeded | P::Failed | P::Waiting, P::Progressing) => {
            *by == D::Detected
        }
        (P::Initialized | P::Succeeded | P::Failed, P::Waiting) => *by == D::Waiting,
        (P::Progressing, P::WaitingPromotion) => *by == D::Waiting,
        (P::WaitingPromotion, P::Progressing) => *by == D::Restarted,
        (P::Progressing | P::WaitingPromotion, P::Promoting) => *by == D::Promoting,
        (P::Promoting, P::Finalising) => *by == D::ShiftedToPrimary,
        (P::Finalising, P::Succeeded) => *by == D::Succeeded,
        (P::Promoting | P::Finalising, P::Failed) => {
            matches!(by, D::PromotionFailed | D::RolledBack)
        }
        (_, P::Failed) => *by == D::RolledBack,
        _ => false,
    }
}

/// Whether the state comes to rest when everything is well from here on.
fn comes_to_rest(state: &State) -> bool {
    let mut state = state.clone();
    // A revert brings one more run (2.8), a gate of iterations is asked every second tick.
    for _ in 0..24 {
        let ticked = state.tick(WELL);
        let resting = matches!(
            ticked.phase_after,
            Phase::Initialized | Phase::Succeeded | Phase::Failed
        );
        if resting && ticked.decision == Decision::Idle {
            return true;
        }
    }
    false
}

/// Walks everything there is and says how many states that was, and which phases and decisions were seen.
fn walk(provider: &str, analysis: Value) -> (usize, BTreeSet<String>, BTreeSet<&'static str>) {
    let outcomes = all_outcomes();
    let first = State::new(provider, analysis);
    let mut seen = BTreeSet::from([first.key()]);
    let (mut phases, mut decisions) = (BTreeSet::new(), BTreeSet::new());
    let mut edge = vec![first];
    for depth in 0..DEPTH {
        let mut next = Vec::new();
        for state in &edge {
            assert!(comes_to_rest(state), "never comes to rest: {}", state.key());
            for &outcome in &outcomes {
                if outcome.push.is_some_and(|image| image == state.image(NAME)) {
                    continue;
                }
                let mut after = state.clone();
                let ticked = after.tick(outcome);
                if let Some(what) = violated(state, outcome, &ticked, &after) {
                    panic!(
                        "{provider}, tick {depth}, {outcome:?}: {what}\nfrom {}\nto   {}",
                        state.key(),
                        after.key()
                    );
                }
                phases.insert(ticked.phase_after.as_str().to_owned());
                decisions.insert(ticked.decision.as_str());
                if seen.insert(after.key()) {
                    next.push(after);
                }
            }
        }
        edge = next;
    }
    (seen.len(), phases, decisions)
}

#[test]
fn every_state_of_an_analysis_by_weights_keeps_the_rules() {
    let (states, phases, decisions) = walk("nginx", json!({ "stepWeight": 50, "maxWeight": 50 }));
    assert!(states > 200, "{states}");
    let expected = [
        "Failed",
        "Finalising",
        "Initialized",
        "Progressing",
        "Promoting",
        "Succeeded",
        "Waiting",
        "WaitingPromotion",
    ];
    assert_eq!(phases, expected.map(str::to_owned).into());
    let expected = [
        "advanced",
        "blocked",
        "detected",
        "halted",
        "idle",
        "promoting",
        "promotion-failed",
        "restarted",
        "rolled-back",
        "shifted-to-primary",
        "succeeded",
        "waiting",
    ];
    assert_eq!(decisions, expected.into());
}

#[test]
fn every_state_of_a_promotion_in_steps_keeps_the_rules() {
    walk(
        "nginx",
        json!({ "stepWeights": [30, 80], "stepWeightPromotion": 50 }),
    );
}

#[test]
fn every_state_of_a_blue_green_analysis_keeps_the_rules() {
    walk("nginx", json!({ "iterations": 2 }));
}

#[test]
fn every_state_of_an_ab_test_keeps_the_rules() {
    let header = json!([{ "headers": { "x-canary": { "exact": "always" } } }]);
    walk("nginx", json!({ "iterations": 2, "match": header }));
}

#[test]
fn every_state_without_a_router_keeps_the_rules() {
    walk("kubernetes", json!({ "iterations": 2 }));
}
