//! The Gateway API's data plane: what an HTTPRoute makes of a request.
//!
//! A rule is chosen by its matches, the most specific first, and a backend of it by weight, request by request and
//! independently of all others (Gateway API v1, `HTTPRouteRule` and `HTTPBackendRef.weight`). Unlike ingress-nginx a
//! gateway does not fall back: the share of a backend without a ready endpoint is answered with 503.
//!
//! A model: one proxy that takes a new route over at one moment, `gateway.programming_delay` after it was written, and goes
//! round the pods of a backend. Left out: filters (rewrites, mirrors), timeouts of a rule, several listeners and hostnames,
//! clients that come back with the cookie of a session affinity.

use regex::Regex;
use serde_json::{Value, json};

use crate::sim::routing::Entry;

/// Share of the requests, in millionths.
pub(super) type Millionths = u32;

/// All requests.
pub(super) const ALL: Millionths = 1_000_000;

/// A request as a route sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// Names and values; names in any case.
    pub(super) headers: &'a [(String, String)],
    pub(super) query: &'a [(String, String)],
}

/// Share of the requests like this one that go to a Service, as a route's spec says; `None` if no rule is for them, or the
/// rule sends them nowhere.
pub(super) fn share(spec: &Value, request: &Request<'_>, service: &str) -> Option<Millionths> {
    let rule = rule(spec, request)?;
    let backends = list(rule, "backendRefs");
    // A weight that is not given is 1.
    let weight = |backend: &Value| backend["weight"].as_u64().unwrap_or(1);
    let total: u64 = backends.clone().map(weight).sum();
    let part: u64 = backends
        .filter(|backend| backend["name"] == *service)
        .map(weight)
        .sum();
    (total > 0).then(|| (part * u64::from(ALL) / total) as Millionths)
}

/// A request that meets the first match of the first rule, where that asks for headers, query parameters or a method:
/// what an A/B analysis calls its users. Its headers and its query parameters.
pub(super) type Pairs = Vec<(String, String)>;

/// Headers and query parameters of a request for the first rule's first match, those that are given exactly.
pub(super) fn insider(spec: &Value) -> (Pairs, Pairs) {
    let first = spec.pointer("/rules/0/matches/0").unwrap_or(&Value::Null);
    let exact = |field: &str| {
        let conditions = list(first, field).filter(|c| c["type"] != "RegularExpression");
        conditions
            .filter_map(|c| {
                Some((
                    c["name"].as_str()?.to_owned(),
                    c["value"].as_str()?.to_owned(),
                ))
            })
            .collect()
    };
    (exact("headers"), exact("queryParams"))
}

/// The status of a route whose parents all take this generation of it.
pub(super) fn accepted(spec: &Value, generation: i64) -> Value {
    let parents = list(spec, "parentRefs").map(|parent| {
        json!({
            "parentRef": parent,
            "controllerName": "example.com/gateway-controller",
            "conditions": [{ "type": "Accepted", "status": "True", "reason": "Accepted", "observedGeneration": generation }],
        })
    });
    json!({ "parents": parents.collect::<Vec<_>>() })
}

/// How requests enter: only those whose host the route is for.
pub(super) fn entry(hosts: &[String], host: Option<&str>) -> Entry {
    let Some(host) = host.filter(|_| !hosts.is_empty()) else {
        return Entry::Recorded;
    };
    let fits = |pattern: &String| match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    };
    if hosts.iter().any(fits) {
        Entry::Recorded
    } else {
        Entry::NoRule
    }
}

/// The rule for a request: that of the most specific match, the first among equals.
fn rule<'a>(spec: &'a Value, request: &Request<'_>) -> Option<&'a Value> {
    let mut best: Option<(Precedence, &Value)> = None;
    for rule in list(spec, "rules") {
        let mut matches: Vec<&Value> = list(rule, "matches").collect();
        if matches.is_empty() {
            matches.push(&Value::Null);
        }
        for wanted in matches {
            if let Some(precedence) = precedence(wanted, request)
                && best.is_none_or(|(before, _)| precedence > before)
            {
                best = Some((precedence, rule));
            }
        }
    }
    best.map(|(_, rule)| rule)
}

/// Exact path, length of the path, method, number of headers, number of query parameters.
type Precedence = (bool, usize, bool, usize, usize);

/// How specific a match is, if the request meets it.
fn precedence(wanted: &Value, request: &Request<'_>) -> Option<Precedence> {
    let path = &wanted["path"];
    let value = path["value"].as_str().unwrap_or("/");
    let kind = path["type"].as_str().unwrap_or("PathPrefix");
    let fits = match kind {
        "Exact" => request.path == value,
        "RegularExpression" => whole(value, request.path),
        // Prefixes are of whole path elements.
        _ => {
            let prefix = value.trim_end_matches('/');
            let rest = request.path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    };
    let method = wanted["method"].as_str();
    if !fits || method.is_some_and(|method| method != request.method) {
        return None;
    }
    let all = |field: &str, given: &[(String, String)], any_case: bool| {
        let mut conditions = list(wanted, field);
        conditions.all(|condition| meets(condition, given, any_case))
    };
    (all("headers", request.headers, true) && all("queryParams", request.query, false)).then(|| {
        (
            kind == "Exact",
            value.len(),
            method.is_some(),
            list(wanted, "headers").count(),
            list(wanted, "queryParams").count(),
        )
    })
}

fn meets(condition: &Value, given: &[(String, String)], any_case: bool) -> bool {
    let name = condition["name"].as_str().unwrap_or_default();
    let wanted = condition["value"].as_str().unwrap_or_default();
    let named = |other: &str| match any_case {
        true => other.eq_ignore_ascii_case(name),
        false => other == name,
    };
    let mut values = given.iter().filter(|(other, _)| named(other));
    values.any(|(_, value)| match condition["type"].as_str() {
        Some("RegularExpression") => whole(wanted, value),
        _ => wanted == value,
    })
}

/// Whether an expression matches all of a text, as Envoy does it; one that is none matches nothing.
fn whole(expression: &str, text: &str) -> bool {
    Regex::new(&format!("^(?:{expression})$")).is_ok_and(|regex| regex.is_match(text))
}

/// The elements of a list field; none if it is absent.
fn list<'a>(holder: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + Clone + use<'a> {
    let items = holder.get(field).and_then(Value::as_array);
    items.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Pairs {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        list.iter().map(owned).collect()
    }

    fn backends(primary: u64, canary: u64) -> Value {
        json!([{ "name": "app-primary", "weight": primary }, { "name": "app-canary", "weight": canary }])
    }

    #[test]
    fn weights_are_shares_of_their_sum() {
        let get = Request {
            method: "GET",
            path: "/",
            ..Request::default()
        };
        for (primary, canary, expected) in [
            (100, 0, Some(0)),
            (90, 10, Some(100_000)),
            (1, 2, Some(666_666)),
            (0, 100, Some(ALL)),
            (0, 0, None),
        ] {
            let spec = json!({ "rules": [{ "backendRefs": backends(primary, canary) }] });
            assert_eq!(
                share(&spec, &get, "app-canary"),
                expected,
                "{primary}/{canary}"
            );
        }
        let spec = json!({ "rules": [{ "backendRefs": [{ "name": "app-primary" }, { "name": "app-canary" }] }] });
        assert_eq!(
            share(&spec, &get, "app-canary"),
            Some(ALL / 2),
            "no weight is one"
        );
    }

    #[test]
    fn the_rule_with_the_most_specific_match_decides() {
        // What Flagger writes for an A/B analysis, and a rule of somebody's own.
        let spec = json!({ "rules": [
            { "matches": [
                { "path": { "type": "PathPrefix", "value": "/" },
                  "headers": [{ "type": "Exact", "name": "X-Canary", "value": "insider" }] },
                { "path": { "type": "PathPrefix", "value": "/" },
                  "headers": [{ "type": "RegularExpression", "name": "Cookie", "value": "^(.*?;)?(canary=always)(;.*)?$" }] },
              ], "backendRefs": backends(0, 100) },
            { "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }], "backendRefs": [{ "name": "app-primary", "weight": 100 }] },
            { "matches": [{ "path": { "type": "Exact", "value": "/beta" } }], "backendRefs": backends(0, 1) },
            { "matches": [{ "path": { "type": "PathPrefix", "value": "/api/" }, "method": "POST" }], "backendRefs": backends(50, 50) },
        ] });
        for (method, path, headers, expected) in [
            ("GET", "/", &[][..], 0),
            ("GET", "/", &[("x-canary", "insider")][..], ALL),
            ("GET", "/", &[("x-canary", "Insider")][..], 0),
            ("GET", "/", &[("cookie", "a=b; canary=always")][..], 0),
            ("GET", "/", &[("cookie", "a=b;canary=always;c=d")][..], ALL),
            ("GET", "/beta", &[][..], ALL),
            ("GET", "/beta/x", &[][..], 0),
            ("POST", "/api/x", &[][..], ALL / 2),
            ("GET", "/api/x", &[][..], 0),
            ("POST", "/apis", &[][..], 0),
        ] {
            let headers = pairs(headers);
            let request = Request {
                method,
                path,
                headers: &headers,
                query: &[],
            };
            let found = share(&spec, &request, "app-canary");
            assert_eq!(found, Some(expected), "{method} {path} {headers:?}");
        }
        let (headers, _) = insider(&spec);
        assert_eq!(headers, pairs(&[("X-Canary", "insider")]));
    }

    #[test]
    fn a_session_cookie_leads_back_to_the_canary() {
        let sticky = json!([{ "path": { "type": "PathPrefix", "value": "/" },
            "headers": [{ "type": "RegularExpression", "name": "Cookie", "value": ".*flagger.*abcdefghij.*" }] }]);
        let spec = json!({ "rules": [
            { "matches": sticky, "backendRefs": backends(0, 100) },
            { "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }], "backendRefs": backends(90, 10) },
        ] });
        for (cookie, expected) in [("flagger=abcdefghij", ALL), ("flagger=older", ALL / 10)] {
            let headers = pairs(&[("Cookie", cookie)]);
            let request = Request {
                method: "GET",
                path: "/",
                headers: &headers,
                query: &[],
            };
            assert_eq!(
                share(&spec, &request, "app-canary"),
                Some(expected),
                "{cookie}"
            );
        }
    }

    #[test]
    fn a_route_is_for_its_hosts() {
        let hosts = ["shop.example.com".to_owned(), "*.example.org".to_owned()];
        for (host, expected) in [
            (None, Entry::Recorded),
            (Some("shop.example.com"), Entry::Recorded),
            (Some("a.b.example.org"), Entry::Recorded),
            (Some("example.org"), Entry::NoRule),
            (Some("other.example.com"), Entry::NoRule),
        ] {
            assert_eq!(entry(&hosts, host), expected, "{host:?}");
        }
        assert_eq!(entry(&[], Some("any")), Entry::Recorded);
    }
}
