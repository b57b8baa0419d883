//! What the request path is built from.

use super::{ClassPlan, ClientPlan};
use crate::scenario::{IngressController, Traffic, Version};
use crate::sim::aggregate::{Laws, laws};
use crate::sim::clock::{MILLISECOND, Nanos};
use crate::sim::ingress::{IngressPlan, ScrapeGrid};
use crate::sim::service::ServicePlan;
use crate::sim::traffic::ArrivalPlan;

/// A scenario's traffic, workloads and ingress, compiled.
///
/// Compiling takes a fraction of a millisecond; a clone shares the tables, so many runs of a scenario pay once.
#[derive(Clone, Debug)]
pub struct PathPlan {
    /// When requests arrive.
    pub arrivals: ArrivalPlan,
    /// What pods do with them.
    pub service: ServicePlan,
    /// The ingress controller.
    pub ingress: IngressPlan,
    /// When each controller is scraped; empty if nobody scrapes them.
    pub scrapes: Vec<ScrapeGrid>,
    /// For how many of the last seconds [`window_truth`](super::RequestPath::window_truth) knows latencies.
    pub truth_seconds: usize,
    /// After how long a user goes away; `None` is never.
    pub patience: Option<Nanos>,
    /// Whether pods may be [killed](super::RequestPath::kill_pod). Costs memory and some time.
    pub kills: bool,
    /// Kinds of requests.
    pub classes: ClassPlan,
    /// Users who wait for their answers.
    pub clients: Option<ClientPlan>,
    /// Whether the ingress counts load tests, though it may not count users.
    pub counts_loads: bool,
    /// How likely which answers are, where requests are not followed one by one but [counted](Self::aggregated).
    pub(super) laws: Option<Laws>,
}

impl PathPlan {
    /// Compiles a scenario's parts. Pods name their version by its place in `versions`; `records` says whether the
    /// ingress counts the requests. Nobody scrapes yet.
    pub fn new<'a>(
        traffic: &Traffic,
        versions: impl IntoIterator<Item = &'a Version>,
        ingress: &IngressController,
        records: bool,
    ) -> Self {
        PathPlan {
            arrivals: ArrivalPlan::new(traffic),
            service: ServicePlan::new(versions, &traffic.classes, &[]),
            ingress: IngressPlan::new(ingress, traffic.via, records),
            scrapes: Vec::new(),
            truth_seconds: 900,
            patience: traffic.timeout.map(|t| t.as_millis() * MILLISECOND),
            kills: false,
            classes: ClassPlan::default(),
            clients: traffic.clients.as_ref().map(ClientPlan::new),
            counts_loads: false,
            laws: None,
        }
    }

    /// The same, its requests drawn as counts instead of one by one. For requests that neither wait nor are tried again.
    pub(in crate::sim) fn aggregated(mut self) -> Self {
        let (tables, versions) = self.service.tables();
        self.laws = Some(laws(tables, &versions));
        self
    }
}
