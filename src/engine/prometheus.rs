//! What Flagger makes of a Prometheus answer: status and body to samples, samples to one value.
//!
//! Follows `RunQuery` in `pkg/metrics/providers/prometheus.go`. Drivers that speak HTTP, and the trace verifier,
//! decode with [`decode`].

use serde_json::Value;

use super::{QueryError, Sample};
use super::{go, go_json};

/// The instant query API, below the metrics server's address.
pub const QUERY_PATH: &str = "api/v1/query";

/// Time for one query.
pub const QUERY_TIMEOUT_SECONDS: u64 = 5;

/// A query as it is sent: every run of white space is one space (`trimQuery`).
pub fn trim_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_space = false;
    for c in text.chars() {
        // Go's \s: no vertical tab, nothing beyond ASCII.
        let space = matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}');
        if space && !in_space {
            out.push(' ');
        } else if !space {
            out.push(c);
        }
        in_space = space;
    }
    out
}

/// Reads an answer to an instant query.
pub fn decode(status: u16, body: &str) -> Result<Vec<Sample>, QueryError> {
    if status >= 400 {
        return Err(QueryError(format!(
            "error response: Status {status} {}: {body}",
            status_text(status)
        )));
    }
    let malformed =
        |fault: String| QueryError(format!("error unmarshaling result: {fault}, '{body}'"));
    go_json::check(body).map_err(malformed)?;
    let answer: Value = serde_json::from_str(body).map_err(|e| malformed(e.to_string()))?;
    check_types(&answer).map_err(malformed)?;

    let data = field(&answer, "data").unwrap_or(&Value::Null);
    let result = field(data, "result").and_then(Value::as_array);
    let result = result.map_or(&[][..], Vec::as_slice);
    let mut samples = Vec::with_capacity(result.len());
    for element in result {
        if field(element, "values").is_some() {
            return Err(QueryError("query returned multiple values".to_owned()));
        }
        let Some(value) = field(element, "value").and_then(|pair| pair.get(1)) else {
            // Flagger itself would panic here.
            return Err(malformed("an element without a value".to_owned()));
        };
        // What is not text is passed over.
        if let Value::String(text) = value {
            let value = go::parse_float(text).map_err(QueryError)?;
            samples.push(Sample { value });
        }
    }
    Ok(samples)
}

/// The value Flagger goes by: that of the last element; none if there is none or it is NaN.
pub(crate) fn value_of(samples: &[Sample]) -> Option<f64> {
    samples.last().map(|s| s.value).filter(|v| !v.is_nan())
}

/// Go's type of an element of the result.
const ELEMENT: &str = r#"struct { Metric struct { Name string "json:\"name\"" }; Value []interface {} "json:\"value\""; Values []interface {} "json:\"values\"" }"#;

/// Whether an answer fits the Go struct that Flagger decodes it into; `null` fits everywhere. Go decodes the whole body before Flagger
/// looks at any of it, and tells the first thing that does not fit.
fn check_types(answer: &Value) -> Result<(), String> {
    let misfit = |value: &Value, place: String| {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        Err(format!("json: cannot unmarshal {kind} into Go {place}"))
    };
    if !answer.is_object() && !answer.is_null() {
        return misfit(
            answer,
            "value of type providers.prometheusResponse".to_owned(),
        );
    }
    let Some(data) = field(answer, "data") else {
        return Ok(());
    };
    if !data.is_object() {
        let place =
            format!("struct field prometheusResponse.Data of type struct {{ Result []{ELEMENT} }}");
        return misfit(data, place);
    }
    let Some(result) = field(data, "result") else {
        return Ok(());
    };
    let place = "struct field .Data.Result";
    let Some(elements) = result.as_array() else {
        return misfit(result, format!("{place} of type []{ELEMENT}"));
    };
    for element in elements.iter().filter(|element| !element.is_null()) {
        let Some(fields) = element.as_object() else {
            return misfit(element, format!("{place} of type {ELEMENT}"));
        };
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            match name.to_ascii_lowercase().as_str() {
                "metric" => match field(value, "name") {
                    _ if !value.is_object() => {
                        let name = r#"struct { Name string "json:\"name\"" }"#;
                        return misfit(value, format!("{place}.Metric of type {name}"));
                    }
                    Some(name) if !name.is_string() => {
                        return misfit(name, format!("{place}.Metric.name of type string"));
                    }
                    _ => {}
                },
                name @ ("value" | "values") if !value.is_array() => {
                    return misfit(value, format!("{place}.{name} of type []interface {{}}"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// A field by its name in any case, as Go's decoder looks it up; `null` is as good as absent.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = value.as_object()?;
    let found = fields.get(name).or_else(|| {
        fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    });
    found.filter(|value| !value.is_null())
}

/// `http.StatusText`, for the error statuses.
fn status_text(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Option<f64>, String> {
        decode(200, body)
            .map(|samples| value_of(&samples))
            .map_err(|e| e.0)
    }

    fn vector(values: &[&str]) -> String {
        let elements: Vec<String> = values
            .iter()
            .map(|v| format!(r#"{{"metric":{{}},"value":[1,"{v}"]}}"#))
            .collect();
        format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#,
            elements.join(",")
        )
    }

    #[test]
    fn the_last_element_counts_and_nan_is_no_value() {
        assert_eq!(read(&vector(&["70"])), Ok(Some(70.0)));
        assert_eq!(read(&vector(&["1", "2"])), Ok(Some(2.0)));
        assert_eq!(read(&vector(&["1", "NaN"])), Ok(None));
        assert_eq!(read(&vector(&["NaN", "1"])), Ok(Some(1.0)));
        assert_eq!(read(&vector(&[])), Ok(None));
        assert_eq!(read(&vector(&["+Inf"])), Ok(Some(f64::INFINITY)));
        assert_eq!(read(r#"{"status":"error"}"#), Ok(None));
        assert_eq!(
            read(&vector(&["bogus"])),
            Err(r#"strconv.ParseFloat: parsing "bogus": invalid syntax"#.to_owned())
        );
    }

    #[test]
    fn other_results_than_instant_vectors_are_errors() {
        let matrix = r#"{"data":{"result":[{"metric":{},"values":[[1,"2"]]}]}}"#;
        assert_eq!(
            read(matrix),
            Err("query returned multiple values".to_owned())
        );
        let scalar = read(r#"{"data":{"resultType":"scalar","result":[1,"2"]}}"#).unwrap_err();
        assert!(
            scalar.starts_with(
                "error unmarshaling result: json: cannot unmarshal number into Go struct field .Data.Result"
            ),
            "{scalar}"
        );
        assert!(read("nope").unwrap_err().ends_with(", 'nope'"));
        assert!(read(r#"{"data":{"result":[{"metric":{}}]}}"#).is_err());
    }

    #[test]
    fn error_statuses_are_told_with_their_text_and_body() {
        assert_eq!(
            decode(503, "starting"),
            Err(QueryError(
                "error response: Status 503 Service Unavailable: starting".to_owned()
            ))
        );
    }

    #[test]
    fn runs_of_white_space_become_one_space() {
        assert_eq!(trim_query("\n\tsum(\n  a b\u{b})\r\n"), " sum( a b\u{b}) ");
    }
}
