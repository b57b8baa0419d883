//! Which of two backends a request goes to: the conditions of a canary Ingress, in the order in which nginx looks at them.
//!
//! Follows `route_to_alternative_balancer` in `rootfs/etc/nginx/lua/balancer.lua` (kubernetes/ingress-nginx). Left out:
//! `canary-weight-total`, which Flagger does not set: a weight is of 100.

use std::collections::BTreeMap;

use regex::Regex;

use super::Backend;

/// What a canary Ingress says of requests besides its weight (`canary-by-header`, `-value`, `-pattern`, `canary-by-cookie`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Name of the header, in lower case.
    pub header: Option<String>,
    /// The value that means the canary; `always` and `never` then mean nothing.
    pub header_value: Option<String>,
    /// A pattern for the value that means the canary, where no value is given.
    pub header_pattern: Option<String>,
    /// Name of the cookie.
    pub cookie: Option<String>,
}

/// [`Conditions`] as a worker has read them.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    conditions: Conditions,
    pattern: Option<Result<Regex, ()>>,
}

impl Rule {
    /// Reads conditions; a pattern that is none is remembered as such.
    pub fn new(conditions: Conditions) -> Self {
        let pattern = conditions.header_pattern.as_deref();
        Rule {
            pattern: pattern.map(|pattern| Regex::new(pattern).map_err(|_| ())),
            conditions,
        }
    }

    /// Where a request without a weight's help goes; `None` leaves it to the weight.
    fn decides(
        &self,
        headers: &BTreeMap<String, String>,
        cookies: &BTreeMap<String, String>,
    ) -> Option<Backend> {
        let said = |value: &str| match value {
            "always" => Some(Backend::Alternative),
            "never" => Some(Backend::Main),
            _ => None,
        };
        let header = self.conditions.header.as_ref().and_then(|h| headers.get(h));
        if let Some(value) = header {
            match (&self.conditions.header_value, &self.pattern) {
                (Some(wanted), _) if wanted == value => return Some(Backend::Alternative),
                (Some(_), _) => {}
                (None, Some(Ok(pattern))) if pattern.is_match(value) => {
                    return Some(Backend::Alternative);
                }
                (None, Some(Ok(_))) => {}
                // The worker logs the error and stays with the primary.
                (None, Some(Err(()))) => return Some(Backend::Main),
                (None, None) => {
                    if let Some(backend) = said(value) {
                        return Some(backend);
                    }
                }
            }
        }
        let cookie = self.conditions.cookie.as_ref().and_then(|c| cookies.get(c));
        cookie.and_then(|value| said(value))
    }
}

/// What nginx knows of a request when it chooses.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Headers by name in lower case.
    pub headers: &'a BTreeMap<String, String>,
    /// Cookies by name.
    pub cookies: &'a BTreeMap<String, String>,
    /// The backend that the affinity cookie is bound to.
    pub bound: Option<Backend>,
}

/// The backend of a request. `by_weight` is where the coin that was tossed for it alone would send it.
pub fn backend(
    rule: &Rule,
    alternative_answers: bool,
    asked: Asked<'_>,
    by_weight: Backend,
) -> Backend {
    if asked.bound == Some(Backend::Main) || !alternative_answers {
        return Backend::Main;
    }
    if asked.bound == Some(Backend::Alternative) {
        return Backend::Alternative;
    }
    rule.decides(asked.headers, asked.cookies)
        .unwrap_or(by_weight)
}
