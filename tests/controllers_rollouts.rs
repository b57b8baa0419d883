//! What a rolling update promises, over random rollouts: never too many pods, never too few available ones, and an end.

use rand_xoshiro::rand_core::Rng;
use rollcast::k8s::{Deployment, Strategy};
use rollcast::seed::{Purpose, RunSeed, Stream};
use rollcast::sim::deployment::{Bounds, DeploymentController, PodAction, Synced};
use rollcast::sim::pods::{NodeId, Pod, PodId, PodPhase, PodSet, Revision};
use rollcast::time::{Span, Timestamp};
use serde_json::json;

/// A Deployment, its pods, and a kubelet that does everything sooner or later, in random order, and loses nothing.
struct Cluster {
    seed: u64,
    random: Stream,
    deployment: Deployment,
    controller: DeploymentController,
    pods: PodSet,
    now: Timestamp,
    /// All pods have been available once.
    has_been_available: bool,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let mut random = RunSeed(seed).stream(Purpose::Chaos, 0);
        let bound = |random: &mut Stream| match random.next_u64() % 3 {
            0 => json!(random.next_u64() % 4),
            1 => json!(format!("{}%", random.next_u64() % 101)),
            _ => json!("25%"),
        };
        let mut deployment = Deployment::default();
        deployment.metadata.name = "app".to_owned();
        deployment.metadata.generation = 1;
        deployment.spec.replicas = Some((random.next_u64() % 12) as i32 + 1);
        deployment.spec.min_ready_seconds = [0, 0, 7][(random.next_u64() % 3) as usize];
        *deployment.spec.template.json_mut() =
            json!({ "spec": { "containers": [{ "image": "v0" }] } });
        deployment.spec.strategy = json!({ "type": "RollingUpdate", "rollingUpdate": {
            "maxSurge": bound(&mut random), "maxUnavailable": bound(&mut random),
        }});
        Cluster {
            seed,
            random,
            deployment,
            controller: DeploymentController::new(),
            pods: PodSet::new(),
            now: Timestamp::ZERO,
            has_been_available: false,
        }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random.next_u64() % n
    }

    /// Runs the controllers, holding the promises against every state in between.
    fn settle(&mut self) {
        let mut synced = Synced::default();
        loop {
            let (deployment, pods) = (&mut self.deployment, &mut self.pods);
            if !self
                .controller
                .step(deployment, pods, self.now, &mut synced)
            {
                break;
            }
            self.check();
        }
        for action in synced.pods {
            if let PodAction::Created { pod, .. } = action {
                self.pods.scheduled(pod, NodeId(pod.0 % 3), self.now);
            }
        }
    }

    /// Kubernetes keeps the lower bound only without `minReadySeconds`: with it, a scale-down meant for pods that are
    /// ready and not yet available may take available ones instead, since a crowded node comes before a shorter time.
    fn check(&mut self) {
        let replicas = self.deployment.spec.replicas.unwrap();
        let strategy = Strategy::read(&self.deployment.spec.strategy);
        let bounds = Bounds::of(strategy, replicas);
        let count = |test: &dyn Fn(&Pod) -> bool| {
            let active = self.pods.iter().filter(|p| p.is_active());
            active.filter(|p| test(p)).count() as i32
        };
        let (active, available) = (count(&|_| true), count(&Pod::is_ready));
        let context = format!(
            "seed {}, {}: {active} pods, {available} available, of {replicas} with {bounds:?}",
            self.seed,
            self.now.clock()
        );
        assert!(active <= replicas + bounds.surge, "{context}");
        self.has_been_available |= self.deployment.status.available_replicas >= replicas;
        if self.has_been_available && self.deployment.spec.min_ready_seconds == 0 {
            assert!(available >= replicas - bounds.unavailable, "{context}");
        }
    }

    /// Some time passes; then one pod, at random, moves on. False where none has anywhere to go.
    fn advance(&mut self) -> bool {
        let later = self.now + Span::from_millis(self.below(3000) as i64);
        let wake = self.controller.next_wake();
        self.now = wake.map_or(later, |at| at.min(later));
        let restless: Vec<PodId> = self
            .pods
            .iter()
            .filter(|p| p.is_terminating() || !p.is_ready())
            .map(|p| p.id)
            .collect();
        if !restless.is_empty() {
            let id = restless[self.below(restless.len() as u64) as usize];
            let pod = self.pods.get(id).unwrap();
            if pod.is_terminating() {
                self.pods.gone(id);
            } else if pod.phase == PodPhase::Pending {
                self.pods.running(id, self.now);
            } else {
                self.pods.ready(id, self.now);
            }
        }
        self.settle();
        !restless.is_empty() || wake.is_some()
    }

    fn push(&mut self) {
        let image = format!("v{}", self.below(4));
        let before = self.deployment.spec.clone();
        self.deployment.spec.template.set_image(&image);
        if self.deployment.spec != before {
            self.deployment.metadata.generation += 1;
        }
        self.settle();
    }
}

/// `replicas` ready pods of v1, and v2 just pushed.
fn pushed(replicas: i32) -> (Deployment, DeploymentController, PodSet) {
    let mut deployment = Deployment::default();
    deployment.metadata.name = "app".to_owned();
    deployment.metadata.generation = 1;
    deployment.spec.replicas = Some(replicas);
    *deployment.spec.template.json_mut() = json!({ "spec": { "containers": [{ "image": "v1" }] } });
    let (mut controller, mut pods) = (DeploymentController::new(), PodSet::new());
    controller.sync(&mut deployment, &mut pods, Timestamp::ZERO);
    make_ready(&mut pods, usize::MAX, Timestamp::from_secs(1));
    controller.sync(&mut deployment, &mut pods, Timestamp::from_secs(1));
    deployment.spec.template.set_image("v2");
    deployment.metadata.generation = 2;
    (deployment, controller, pods)
}

/// Makes so many pods ready, oldest first.
fn make_ready(pods: &mut PodSet, n: usize, now: Timestamp) {
    let waiting = pods.iter().filter(|p| p.is_active() && !p.is_ready());
    let ids: Vec<PodId> = waiting.map(|p| p.id).take(n).collect();
    for id in ids {
        pods.scheduled(id, NodeId(0), now);
        pods.running(id, now);
        pods.ready(id, now);
    }
}

#[test]
fn four_replicas_at_25_percent_are_replaced_one_ready_pod_at_a_time() {
    let (mut deployment, mut controller, mut pods) = pushed(4);
    let mut steps = Vec::new();
    for second in 2..6 {
        let now = Timestamp::from_secs(second);
        let synced = controller.sync(&mut deployment, &mut pods, now);
        let hash = |r: &Revision| format!("app-{}", r.template.image().unwrap());
        let messages = synced.sizes.iter().filter_map(|size| {
            let message = size.message()?;
            Some(message.replace(&size.revision.replica_set, &hash(&size.revision)))
        });
        steps.push(messages.collect::<Vec<_>>());
        make_ready(&mut pods, 1, now);
    }
    assert_eq!(
        steps,
        [
            vec![
                "Scaled up replica set app-v2 from 0 to 1",
                "Scaled down replica set app-v1 from 4 to 3",
                "Scaled up replica set app-v2 from 1 to 2",
            ],
            vec![
                "Scaled down replica set app-v1 from 3 to 2",
                "Scaled up replica set app-v2 from 2 to 3",
            ],
            vec![
                "Scaled down replica set app-v1 from 2 to 1",
                "Scaled up replica set app-v2 from 3 to 4",
            ],
            vec!["Scaled down replica set app-v1 from 1 to 0"],
        ]
    );
}

#[test]
fn a_stuck_rollout_asks_to_be_woken_a_second_after_its_deadline() {
    let (mut deployment, mut controller, mut pods) = pushed(1);
    deployment.spec.progress_deadline_seconds = Some(60);
    let pushed_at = Timestamp::from_millis(2700);
    controller.sync(&mut deployment, &mut pods, pushed_at);
    let wake = controller.next_wake().expect("there is a deadline");
    assert_eq!(wake, Timestamp::from_secs(2 + 60 + 1));
    controller.sync(&mut deployment, &mut pods, wake);
    let conditions = &deployment.status.conditions;
    let progressing = conditions.iter().find(|c| c.kind == "Progressing").unwrap();
    assert_eq!(progressing.reason, "ProgressDeadlineExceeded");
    assert_eq!(progressing.last_update_time, Some(wake));
    assert_eq!(
        controller.next_wake(),
        None,
        "there is nothing more to wait for"
    );
}

#[test]
fn a_rolling_update_keeps_its_promises_and_ends() {
    for seed in 0..400 {
        let mut cluster = Cluster::new(seed);
        cluster.settle();
        for _ in 0..120 {
            if cluster.below(12) == 0 {
                cluster.push();
            }
            cluster.advance();
        }
        let mut rest = 0..2000;
        while cluster.advance() {
            assert!(
                rest.next().is_some(),
                "seed {seed}: the rollout does not end"
            );
        }
        let (status, replicas) = (&cluster.deployment.status, cluster.deployment.spec.replicas);
        assert_eq!(Some(status.updated_replicas), replicas, "seed {seed}");
        assert_eq!(Some(status.available_replicas), replicas, "seed {seed}");
        assert_eq!(Some(status.replicas), replicas, "seed {seed}");
        let progressing = status.conditions.iter().find(|c| c.kind == "Progressing");
        let reason = progressing.map(|c| c.reason.as_str());
        assert_eq!(reason, Some("NewReplicaSetAvailable"), "seed {seed}");
    }
}

#[test]
fn the_same_seed_makes_the_same_pods() {
    let run = |seed| {
        let mut cluster = Cluster::new(seed);
        cluster.settle();
        for _ in 0..100 {
            if cluster.below(10) == 0 {
                cluster.push();
            }
            cluster.advance();
        }
        let names: Vec<_> = cluster.pods.iter().map(|p| p.name.clone()).collect();
        (names, cluster.deployment.status)
    };
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
