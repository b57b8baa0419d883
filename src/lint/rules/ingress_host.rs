//! `ingress-host`: an Ingress whose requests nobody counts.

use crate::canary::Provider;
use crate::lint::case::Case;
use crate::lint::{Rule, Said, Severity};

pub(super) const RULE: Rule = Rule {
    code: "ingress-host",
    severity: Severity::Error,
    about: "ingress-nginx counts requests only for hosts that stand literally in a rule. Under a rule without a host, or with a wildcard, \
            requests are served and not counted: every query about them has no values.",
    check,
};

fn check(case: &Case<'_>) -> Vec<Said> {
    let apex = case.canary.spec.apex_service();
    let reference = case.canary.spec.ingress_ref.as_ref();
    let relevant = matches!(case.provider, Provider::Nginx | Provider::PodScaling);
    let ingresses = case.scenario.manifests.ingresses.iter();
    ingresses
        .filter(|ingress| {
            relevant
                && match reference {
                    Some(reference) => reference.name == ingress.metadata.name,
                    None => ingress.backends().contains(&apex),
                }
        })
        .filter_map(|ingress| {
            let hosts = ingress.hosts();
            let index = hosts.iter().position(|host| host.is_none_or(|host| host.contains('*')))?;
            let name = &ingress.metadata.name;
            let what = match hosts[index] {
                None => "has no host".to_owned(),
                Some(host) => format!("has the wildcard host {host}"),
            };
            Some(
                Said::new(
                    case.at_object("Ingress", name, &format!("/spec/rules/{index}")),
                    format!("a rule of the Ingress `{name}` {what}: its requests are served, and none is counted"),
                )
                .why("the controller records only hosts that stand literally in a rule (--metrics-per-host)")
                .change("name the host, or start the controller with --metrics-per-host=false")
                .patch(format!("    - host: {name}.example.com")),
            )
        })
        .collect()
}
