//! Nodes and what fits on them: the scheduler, reduced to requests.
//!
//! A pod goes where its CPU and memory requests fit and the node has room for one more pod. Among those the node with
//! the fewest pods of the same Deployment is taken, then the one with the largest share of CPU left, then the first:
//! a model of `PodTopologySpread` (its soft default constraints) and `NodeResourcesFit` (`LeastAllocated`) in
//! `pkg/scheduler/framework/plugins` of Kubernetes v1.36, which weigh these and more against each other. Left out: taints,
//! affinity, preemption, images. A terminating pod holds its place until it is gone.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::requests::PodRequests;
use super::{NodeId, Pod, PodId};

/// What a node offers to pods (`status.allocatable`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocatable {
    /// CPU in millicores.
    pub cpu_millis: i64,
    /// Memory in bytes.
    pub memory_bytes: i64,
    /// Pods.
    pub pods: u32,
}

/// The nodes and the pods on them.
#[derive(Clone, Debug)]
pub struct Nodes {
    nodes: Vec<Node>,
    placed: BTreeMap<PodId, Placed>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    total: Allocatable,
    free: Allocatable,
}

#[derive(Clone, Debug)]
struct Placed {
    node: usize,
    deployment: String,
    asked: Allocatable,
}

impl Nodes {
    /// Empty nodes, numbered in this order.
    pub fn new(nodes: impl IntoIterator<Item = Allocatable>) -> Self {
        let nodes = nodes.into_iter();
        Nodes {
            nodes: nodes.map(|total| Node { total, free: total }).collect(),
            placed: BTreeMap::new(),
        }
    }

    /// Finds a node for a pod with these requests and reserves its place; `None` while it fits nowhere.
    pub fn place(&mut self, pod: &Pod, requests: &PodRequests) -> Option<NodeId> {
        let asked = Allocatable {
            cpu_millis: requests.scheduled("cpu"),
            memory_bytes: requests.scheduled("memory") / 1000,
            pods: 1,
        };
        let deployment = &pod.revision.deployment;
        let index = (0..self.nodes.len())
            .filter(|i| self.nodes[*i].free.covers(asked))
            .min_by_key(|i| {
                let siblings = self.placed.values();
                let siblings = siblings.filter(|p| p.node == *i && p.deployment == *deployment);
                (
                    siblings.count(),
                    Reverse(self.nodes[*i].cpu_share_left(asked)),
                )
            })?;
        let placed = Placed {
            node: index,
            deployment: deployment.clone(),
            asked,
        };
        self.nodes[index].free.take(asked);
        self.placed.insert(pod.id, placed);
        Some(NodeId(index as u32))
    }

    /// A pod is gone: its place is free. Says whether it had one.
    pub fn release(&mut self, pod: PodId) -> bool {
        let placed = self.placed.remove(&pod);
        if let Some(placed) = &placed {
            self.nodes[placed.node].free.give_back(placed.asked);
        }
        placed.is_some()
    }
}

impl Node {
    /// Share of CPU left after placing a pod, in millionths.
    fn cpu_share_left(&self, asked: Allocatable) -> i128 {
        let left = i128::from(self.free.cpu_millis) - i128::from(asked.cpu_millis);
        left * 1_000_000 / i128::from(self.total.cpu_millis.max(1))
    }
}

impl Allocatable {
    fn covers(self, asked: Allocatable) -> bool {
        self.cpu_millis >= asked.cpu_millis
            && self.memory_bytes >= asked.memory_bytes
            && self.pods >= asked.pods
    }

    fn take(&mut self, asked: Allocatable) {
        self.cpu_millis -= asked.cpu_millis;
        self.memory_bytes -= asked.memory_bytes;
        self.pods -= asked.pods;
    }

    fn give_back(&mut self, asked: Allocatable) {
        self.cpu_millis += asked.cpu_millis;
        self.memory_bytes += asked.memory_bytes;
        self.pods += asked.pods;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::PodTemplate;
    use crate::sim::pods::{PodSet, Revision};
    use crate::time::Timestamp;
    use serde_json::json;
    use std::sync::Arc;

    const SMALL: Allocatable = Allocatable {
        cpu_millis: 1000,
        memory_bytes: 1 << 30,
        pods: 10,
    };

    fn pods(n: usize) -> (PodSet, Vec<PodId>) {
        let revision = Arc::new(Revision::new("test", "app", PodTemplate::default(), "1"));
        let mut pods = PodSet::new();
        let ids = (0..n).map(|_| pods.create(&revision, Timestamp::ZERO));
        let ids = ids.collect();
        (pods, ids)
    }

    fn requests(cpu: &str) -> PodRequests {
        PodRequests::of_template(&PodTemplate::from(json!({ "spec": { "containers": [
            { "name": "app", "resources": { "requests": { "cpu": cpu } } },
        ]}})))
    }

    #[test]
    fn pods_spread_and_wait_where_nothing_fits() {
        let (pods, ids) = pods(5);
        let mut nodes = Nodes::new([SMALL, SMALL]);
        let asked = requests("500m");
        let place = |nodes: &mut Nodes, id: PodId| nodes.place(pods.get(id).unwrap(), &asked);
        let placed: Vec<Option<u32>> = ids
            .iter()
            .map(|id| place(&mut nodes, *id).map(|n| n.0))
            .collect();
        assert_eq!(placed, [Some(0), Some(1), Some(0), Some(1), None]);
        assert!(nodes.release(ids[1]));
        assert!(!nodes.release(ids[1]));
        assert_eq!(place(&mut nodes, ids[4]), Some(NodeId(1)));
    }

    #[test]
    fn a_node_takes_so_many_pods_and_no_more() {
        let (pods, ids) = pods(2);
        let mut nodes = Nodes::new([Allocatable { pods: 1, ..SMALL }]);
        let asked = requests("1m");
        assert!(nodes.place(pods.get(ids[0]).unwrap(), &asked).is_some());
        assert!(nodes.place(pods.get(ids[1]).unwrap(), &asked).is_none());
    }
}
