//! Request matches: from Istio's vocabulary, in which Canaries are written, to the Gateway API's.
//!
//! Follows `mapRouteMatches` and `mergeMatchConditions` in `pkg/router/gateway_api.go`. Where Flagger takes map entries in Go's
//! random order, they come sorted here.

use serde_json::{Map, Value, json};

/// Maps a list of matches; the error is Flagger's.
pub(super) fn map(matches: &Value) -> Result<Vec<Value>, String> {
    let mut mapped = Vec::new();
    for source in matches.as_array().into_iter().flatten() {
        let wanted = map_one(source)?;
        if !wanted.is_empty() {
            mapped.push(Value::Object(wanted));
        }
    }
    Ok(mapped)
}

fn map_one(source: &Value) -> Result<Map<String, Value>, String> {
    let mut wanted = Map::new();
    if let Some(uri) = present(source, "uri") {
        let path = [
            ("regex", "RegularExpression"),
            ("exact", "Exact"),
            ("prefix", "PathPrefix"),
        ]
        .into_iter()
        .find_map(|(form, kind)| Some(json!({ "type": kind, "value": text(uri, form)? })));
        let unsupported = || unsupported("path", &format!("&{}", go_struct(uri)));
        wanted.insert("path".to_owned(), path.ok_or_else(unsupported)?);
    }
    let headers = source.get("headers").and_then(Value::as_object);
    if let Some(method) = present(source, "method") {
        // Flagger's message speaks of the headers here.
        let exact = text(method, "exact").ok_or_else(|| unsupported("header", &go_map(headers)))?;
        wanted.insert("method".to_owned(), exact.into());
    }
    let query = source.get("queryParams").and_then(Value::as_object);
    for (field, conditions, what) in [
        ("headers", headers, "header"),
        ("queryParams", query, "query"),
    ] {
        let mut mapped = Vec::new();
        for (name, condition) in conditions.into_iter().flatten() {
            let found = [("exact", "Exact"), ("regex", "RegularExpression")]
                .into_iter()
                .find_map(|(form, kind)| Some((kind, text(condition, form)?)));
            let (kind, value) = found.ok_or_else(|| unsupported(what, &go_map(conditions)))?;
            mapped.push(json!({ "type": kind, "name": name, "value": value }));
        }
        if !mapped.is_empty() {
            wanted.insert(field.to_owned(), mapped.into());
        }
    }
    Ok(wanted)
}

/// Every service match under every condition of the analysis, whose headers and query parameters win.
pub(super) fn merge(conditions: &[Value], service: &[Value]) -> Vec<Value> {
    if conditions.is_empty() {
        return service.to_vec();
    }
    if service.is_empty() {
        return conditions.to_vec();
    }
    let mut merged = Vec::with_capacity(conditions.len() * service.len());
    for condition in conditions {
        for wanted in service {
            let mut wanted = wanted.clone();
            for field in ["headers", "queryParams"] {
                if let Some(override_) = condition.get(field) {
                    wanted[field] = override_.clone();
                }
            }
            merged.push(wanted);
        }
    }
    merged
}

fn present<'a>(holder: &'a Value, field: &str) -> Option<&'a Value> {
    holder.get(field).filter(|value| !value.is_null())
}

fn text<'a>(condition: &'a Value, form: &str) -> Option<&'a str> {
    condition
        .get(form)?
        .as_str()
        .filter(|text| !text.is_empty())
}

fn unsupported(what: &str, selector: &str) -> String {
    format!("Gateway API doesn't support the specified {what} matching selector: {selector}\n")
}

/// `%+v` of Istio's StringMatch.
fn go_struct(condition: &Value) -> String {
    let form = |name| text(condition, name).unwrap_or_default();
    format!(
        "{{Exact:{} Prefix:{} Suffix:{} Regex:{}}}",
        form("exact"),
        form("prefix"),
        form("suffix"),
        form("regex")
    )
}

/// `%+v` of a map of them.
fn go_map(conditions: Option<&Map<String, Value>>) -> String {
    let entries: Vec<String> = conditions
        .into_iter()
        .flatten()
        .map(|(name, condition)| format!("{name}:{}", go_struct(condition)))
        .collect();
    format!("map[{}]", entries.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_translated_and_empty_ones_dropped() {
        let source = json!([
            { "uri": { "prefix": "/api" }, "headers": { "x": { "regex": "a.*" } } },
            {},
            { "method": { "exact": "GET" }, "queryParams": { "q": { "exact": "1" } } },
        ]);
        assert_eq!(
            map(&source).unwrap(),
            [
                json!({
                    "path": { "type": "PathPrefix", "value": "/api" },
                    "headers": [{ "type": "RegularExpression", "name": "x", "value": "a.*" }],
                }),
                json!({
                    "method": "GET",
                    "queryParams": [{ "type": "Exact", "name": "q", "value": "1" }],
                }),
            ]
        );
        assert_eq!(
            map(&json!([{ "headers": { "x": { "prefix": "a" } } }])),
            Err("Gateway API doesn't support the specified header matching selector: map[x:{Exact: Prefix:a Suffix: Regex:}]\n".to_owned())
        );
    }

    #[test]
    fn conditions_of_the_analysis_win_over_the_services() {
        let service = [
            json!({ "path": "/a", "headers": ["own"] }),
            json!({ "path": "/b" }),
        ];
        let conditions = [json!({ "path": "/ignored", "headers": ["x"] })];
        assert_eq!(
            merge(&conditions, &service),
            [
                json!({ "path": "/a", "headers": ["x"] }),
                json!({ "path": "/b", "headers": ["x"] }),
            ]
        );
        assert_eq!(merge(&[], &service), service);
    }
}
