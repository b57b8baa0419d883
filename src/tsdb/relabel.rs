//! What a scrape does to the labels it reads (`mutateSampleLabels` in `scrape/scrape.go`, `FormatOpenMetricsFloat` in `model/labels/float.go`).

use super::{Labels, LabelsBuilder};

/// How the labels a target exposes become the labels of its series.
#[derive(Clone, Debug, Default)]
pub struct ScrapeLabels {
    /// The labels service discovery gave the target: `job`, `instance`, `namespace`, ...
    pub target: Labels,
    /// Prometheus' `honor_labels`: exposed labels win over the target's. By default the target's win, and an exposed label in
    /// their way becomes `exported_<name>`.
    pub honor_labels: bool,
    /// Whether the values of `le` and `quantile` are written as OpenMetrics writes floats (`1` becomes `1.0`), as
    /// Prometheus 3.x does on ingest.
    pub normalise_bounds: bool,
}

impl ScrapeLabels {
    /// The labels of the series that a target exposes as `exposed` (the metric's name included).
    ///
    /// Upstream normalises `le` for histograms and `quantile` for summaries alone, by declared type; here every such label is.
    pub fn resolve<'a>(&self, exposed: impl IntoIterator<Item = (&'a str, &'a str)>) -> Labels {
        let mut labels = LabelsBuilder::default();
        // An exposed label with an empty value still counts as exposed under honor_labels.
        let mut blanked = Vec::new();
        for (name, value) in exposed {
            if value.is_empty() {
                blanked.push(name);
            }
            if self.normalise_bounds && matches!(name, "le" | "quantile") {
                labels.set(name, &normalise_bound(value));
            } else {
                labels.set(name, value);
            }
        }
        let mut displaced = Vec::new();
        for (name, value) in self.target.iter() {
            let existing = labels.get(name).to_owned();
            if self.honor_labels {
                if existing.is_empty() && !blanked.contains(&name) {
                    labels.set(name, value);
                }
            } else {
                if !existing.is_empty() {
                    displaced.push((name, existing));
                }
                labels.set(name, value);
            }
        }
        displaced.sort_by_key(|(name, _)| name.len());
        for (name, value) in displaced {
            let mut renamed = format!("exported_{name}");
            while !labels.get(&renamed).is_empty() {
                renamed.insert_str(0, "exported_");
            }
            labels.set(&renamed, &value);
        }
        labels.build()
    }
}

/// A bound as Prometheus 3.x stores it: `1` becomes `1.0`, `5e-1` becomes `0.5`. What is no number stays.
pub fn normalise_bound(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(bound) => format_open_metrics(bound),
        Err(_) => text.to_owned(),
    }
}

/// A float as OpenMetrics writes it: Go's shortest form, with `.0` where it would read as an integer.
pub(crate) fn format_open_metrics(value: f64) -> String {
    let mut text = format_general(value);
    if value.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

/// A float as Go's `strconv.FormatFloat(value, 'g', -1, 64)` writes it.
pub(crate) fn format_general(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    // Rust's `{:e}` has the same shortest digits. Go writes the exponent with a sign and at least two digits, and uses it
    // from 1e6 on and below 1e-4 (`'g'` with the shortest precision decides as if the precision were 6).
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_labels_win_and_rename_what_they_displace() {
        let labels = ScrapeLabels {
            target: Labels::new([("namespace", "ingress-nginx"), ("service", "controller")]),
            ..ScrapeLabels::default()
        }
        .resolve([
            ("__name__", "requests"),
            ("namespace", "applications"),
            ("service", "web"),
            ("exported_service", "taken"),
            ("canary", ""),
        ]);
        let expected = Labels::new([
            ("__name__", "requests"),
            ("namespace", "ingress-nginx"),
            ("exported_namespace", "applications"),
            ("service", "controller"),
            ("exported_service", "taken"),
            ("exported_exported_service", "web"),
        ]);
        assert_eq!(labels, expected);
    }

    #[test]
    fn honored_labels_keep_their_names_even_when_empty() {
        let labels = ScrapeLabels {
            target: Labels::new([("namespace", "a"), ("job", "b"), ("pod", "c")]),
            honor_labels: true,
            ..ScrapeLabels::default()
        }
        .resolve([("namespace", "applications"), ("pod", "")]);
        let expected = Labels::new([("namespace", "applications"), ("job", "b")]);
        assert_eq!(labels, expected);
    }

    #[test]
    fn bounds_are_written_as_open_metrics_writes_floats() {
        for (given, stored) in [
            ("1", "1.0"),
            ("0.005", "0.005"),
            ("+Inf", "+Inf"),
            ("5e-1", "0.5"),
            ("10000000", "1e+07"),
            ("123456", "123456.0"),
            ("0.00001", "1e-05"),
            ("oops", "oops"),
        ] {
            assert_eq!(normalise_bound(given), stored);
        }
    }
}
