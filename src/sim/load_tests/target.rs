//! Where the requests of a load test go: to a Service of the cluster, through the ingress, or nowhere that is simulated.
//!
//! A host is a Service's if cluster DNS would say so: `app-canary.test`, `app-canary.test.svc.cluster.local`, and without a
//! namespace in that of the load tester. Any other is the ingress' if an Ingress rule has it, or if a rule has the Host
//! header and the URL leads to an ingress controller by its name.

use crate::engine::{Kind, ObjectRef};
use crate::sim::routing::{Entry, entry_at};

use super::hey::Hey;

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Target {
    /// Through the ingress, which may count them or not.
    Ingress {
        /// The Host header.
        host: String,
        /// Whether an Ingress rule has it literally.
        recorded: bool,
    },
    /// Straight to a Service.
    Service(ObjectRef),
    /// Past all that is simulated.
    Elsewhere,
}

/// Where the load tester's `hey` goes. `services` tells what Services there can be; `url` is that of the hook.
pub(in crate::sim) fn target(
    hey: &Hey,
    url: &str,
    namespace: &str,
    services: impl Fn(&ObjectRef) -> bool,
    ingress_hosts: &[Option<&str>],
) -> Target {
    let own = namespace_of(url).unwrap_or(namespace);
    if let Some(service) = service(&hey.url_host, own).filter(services) {
        return Target::Service(service);
    }
    let entry = entry_at(hey.host(), ingress_hosts);
    let named: Vec<Option<&str>> = ingress_hosts
        .iter()
        .copied()
        .filter(Option::is_some)
        .collect();
    let leads_there = hey.url_host.contains("ingress")
        || hey.url_host.contains("nginx")
        || entry_at(&hey.url_host, &named) != Entry::NoRule;
    // A Host header that stands literally in a rule would hardly be sent anywhere else.
    if entry == Entry::Recorded || entry == Entry::Unrecorded && leads_there {
        return Target::Ingress {
            host: hey.host().to_owned(),
            recorded: entry == Entry::Recorded,
        };
    }
    Target::Elsewhere
}

/// The Service that cluster DNS would find under a name.
fn service(host: &str, own_namespace: &str) -> Option<ObjectRef> {
    let mut parts = host.splitn(3, '.');
    let name = parts.next()?;
    let namespace = parts.next().unwrap_or(own_namespace);
    let rest = parts.next().unwrap_or("svc");
    matches!(rest, "svc" | "svc.cluster.local" | "svc.cluster.local.")
        .then(|| ObjectRef::new(Kind::Service, namespace, name))
}

/// The namespace in a URL such as `http://flagger-loadtester.test/`.
fn namespace_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', ':', '?']).next()?;
    let namespace = host.split('.').nth(1)?;
    (!namespace.is_empty()).then_some(namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lead_where_dns_and_the_ingress_would_lead_them() {
        let services = |service: &ObjectRef| {
            service.namespace == "test" && ["app", "app-canary"].contains(&service.name.as_str())
        };
        let service = |name: &str| Target::Service(ObjectRef::new(Kind::Service, "test", name));
        let ingress = |host: &str, recorded| Target::Ingress {
            host: host.to_owned(),
            recorded,
        };
        let rules = [Some("app.example.com"), Some("*.wild.example.com")];
        for (arguments, expected) in [
            ("http://app-canary.test:9898/", service("app-canary")),
            ("http://app.test.svc.cluster.local", service("app")),
            ("http://app-canary", service("app-canary")),
            ("http://app-canary.other", Target::Elsewhere),
            ("http://app.example.com/", ingress("app.example.com", true)),
            (
                "-host app.example.com http://ingress-nginx-controller.ingress-nginx",
                ingress("app.example.com", true),
            ),
            (
                "-host app.example.com http://10.0.0.1/",
                ingress("app.example.com", true),
            ),
            (
                "http://a.wild.example.com/",
                ingress("a.wild.example.com", false),
            ),
            (
                "-host a.wild.example.com http://my-ingress.infra/",
                ingress("a.wild.example.com", false),
            ),
            (
                "-H 'Host: app.example.com' http://my-ingress.infra/",
                Target::Elsewhere,
            ),
            ("http://example.org/", Target::Elsewhere),
        ] {
            let hey = Hey::parse(&format!("hey {arguments}")).unwrap();
            let url = "http://flagger-loadtester.test/";
            let found = target(&hey, url, "other", services, &rules);
            assert_eq!(found, expected, "{arguments}");
        }
    }
}
