//! Session affinity: cookies that keep users with the version that first served them.
//!
//! Follows `getSessionAffinityRouteRules` in `pkg/router/gateway_api.go` and `BuildCookie` in `pkg/apis/flagger/v1beta1/canary.go`. The ten
//! letters of a cookie's value, random in Flagger, follow from the Canary and the time.

use serde_json::{Value, json};

use super::{list, matches, rules};
use crate::engine::context::{Context, Failure};
use crate::engine::go;
use crate::engine::revision::Fnv;

/// The names of the canary's and the primary's cookie; the latter may be empty.
pub(super) fn cookie_names(affinity: &Value) -> [String; 2] {
    ["cookieName", "primaryCookieName"]
        .map(|field| affinity[field].as_str().unwrap_or_default().to_owned())
}

/// Whether a rule sends those with a cookie of this name their own way.
pub(super) fn matches_cookie(rule: &Value, name: &str) -> bool {
    let headers = list(rule, "matches").flat_map(|m| list(m, "headers"));
    headers
        .filter(|h| h["type"] == "RegularExpression" && h["name"] == "Cookie")
        .any(|h| {
            h["value"]
                .as_str()
                .is_some_and(|value| value.contains(name))
        })
}

/// The rules for cookies, and the weighted one behind them. While the canary has traffic its answers set a cookie, and
/// that cookie leads back to it; without traffic the last run's cookie is expired.
pub(super) fn rules(
    cx: &mut Context<'_>,
    canary_weight: i64,
    mut weighted: Value,
    service_matches: &[Value],
) -> Result<Vec<Value>, Failure> {
    let affinity = cx.analysis.session_affinity.clone();
    let [canary_name, primary_name] = cookie_names(&affinity);
    // The service's own matches, without the default that stands in for none.
    let own_matches = if cx.spec.service.matches.is_null() {
        &[]
    } else {
        service_matches
    };
    if canary_weight == 0 {
        return Ok(expire(cx, weighted, own_matches));
    }
    if cx.status.session_affinity_cookie.is_empty() {
        cx.status.session_affinity_cookie = format!("{canary_name}={}", letters(cx, "canary"));
    }
    if cx.status.primary_session_affinity_cookie.is_empty() {
        let value = letters(cx, "primary");
        cx.status.primary_session_affinity_cookie = format!("{primary_name}={value}");
    }
    let canary_cookie = &cx.status.session_affinity_cookie;
    let primary_cookie = &cx.status.primary_session_affinity_cookie;
    let sticky = |cookie: &str, primary_weight: i64, canary_weight: i64| {
        let mut rule = weighted.clone();
        rule["matches"] = matches::merge(&[cookie_match(cookie)], own_matches).into();
        rule["backendRefs"] = json!([
            rules::backend(&cx.spec, &cx.spec.primary_service(), primary_weight),
            rules::backend(&cx.spec, &cx.spec.canary_service(), canary_weight),
        ]);
        rule
    };
    let mut wanted = vec![sticky(canary_cookie, 0, 100)];
    if !primary_name.is_empty() {
        wanted.push(sticky(primary_cookie, 100, 0));
    }
    let max_age = match affinity["maxAge"].as_i64() {
        None | Some(0) => 86400,
        Some(seconds) => seconds,
    };
    let set = set_cookie(&build(&affinity, canary_cookie, max_age));
    weighted["backendRefs"][1]["filters"] = json!([set]);
    if !primary_name.is_empty() {
        let interval = go::parse_duration(&cx.analysis.interval)
            .map_err(|e| Failure::new(format!("failed to parse canary interval: {e}")))?;
        let set = set_cookie(&build(
            &affinity,
            primary_cookie,
            interval.as_millis() / 1000,
        ));
        weighted["backendRefs"][0]["filters"] = json!([set]);
    }
    wanted.push(weighted);
    Ok(wanted)
}

fn expire(cx: &mut Context<'_>, weighted: Value, own_matches: &[Value]) -> Vec<Value> {
    let status = &mut cx.status;
    let last = std::mem::take(&mut status.session_affinity_cookie);
    if !last.is_empty() {
        status.previous_session_affinity_cookie = last;
    }
    let previous = &status.previous_session_affinity_cookie;
    let mut sticky = weighted.clone();
    if !previous.is_empty() {
        sticky["matches"] = matches::merge(&[cookie_match(previous)], own_matches).into();
        let mut filters: Vec<Value> = list(&weighted, "filters").cloned().collect();
        filters.push(set_cookie(&format!("{previous}; Max-Age=-1")));
        sticky["filters"] = filters.into();
    }
    vec![sticky, weighted]
}

fn cookie_match(cookie: &str) -> Value {
    let (name, value) = cookie.split_once('=').unwrap_or((cookie, ""));
    json!({ "headers": [{
        "type": "RegularExpression", "name": "Cookie", "value": format!(".*{name}.*{value}.*"),
    }] })
}

fn set_cookie(cookie: &str) -> Value {
    json!({
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": { "add": [{ "name": "Set-Cookie", "value": cookie }] },
    })
}

/// A cookie with its attributes, in Flagger's order.
fn build(affinity: &Value, cookie: &str, max_age_seconds: i64) -> String {
    let mut built = format!("{cookie}; Max-Age={max_age_seconds}");
    let text = |field: &str| affinity[field].as_str().filter(|text| !text.is_empty());
    let flag = |field: &str| affinity[field] == true;
    for (set, attribute) in [
        (
            true,
            text("domain").map(|domain| format!("Domain={domain}")),
        ),
        (flag("httpOnly"), Some("HttpOnly".to_owned())),
        (flag("partitioned"), Some("Partitioned".to_owned())),
        (true, text("path").map(|path| format!("Path={path}"))),
        (
            true,
            text("sameSite").map(|site| format!("SameSite={site}")),
        ),
        (flag("secure"), Some("Secure".to_owned())),
    ] {
        if let Some(attribute) = attribute.filter(|_| set) {
            built = format!("{built}; {attribute}");
        }
    }
    built
}

/// Ten letters.
fn letters(cx: &Context<'_>, salt: &str) -> String {
    const ALPHABET: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut hasher = Fnv::new();
    hasher.string(salt);
    hasher.string(&cx.namespace);
    hasher.string(&cx.name);
    hasher.bytes(&cx.now.as_millis().to_le_bytes());
    let mut rest = hasher.sum();
    (0..10)
        .map(|_| {
            let letter = ALPHABET[(rest % 52) as usize];
            rest /= 52;
            char::from(letter)
        })
        .collect()
}
