//! JUnit's XML, as Jenkins' xUnit plugin describes it (`junit-10.xsd`) and, what that leaves open, as the older schema that
//! goes by Windy Road's name does: one suite, a test case a scenario.

use super::sentences::{change, deciding, figure, level, unmet};
use super::{Checked, Found, Ran, Report};

/// The report as XML. `at` is when it was made, as `2026-01-31T12:00:00`.
pub fn render(report: &Report, at: &str) -> String {
    let [_, failed, broken] = report.counts();
    let tests = report.scenarios.len();
    let seconds: f64 = report.scenarios.iter().map(|checked| checked.seconds).sum();
    let counts = format!("tests=\"{tests}\" failures=\"{failed}\" errors=\"{broken}\"");
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out += "<testsuites>\n";
    out += &format!(
        "  <testsuite id=\"0\" package=\"rollcast\" name=\"{}\" timestamp=\"{at}\" hostname=\"localhost\" {counts} time=\"{seconds:.3}\">\n    <properties/>\n",
        escaped(&format!("rollcast check {}", report.paths))
    );
    for checked in &report.scenarios {
        case(checked, &mut out);
    }
    out += "    <system-out/>\n    <system-err/>\n  </testsuite>\n</testsuites>\n";
    out
}

fn case(checked: &Checked, out: &mut String) {
    let Checked {
        name,
        file,
        seconds,
        found,
    } = checked;
    *out += &format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.3}\"",
        escaped(file),
        escaped(name)
    );
    let problem = match found {
        Found::Broken(diagnostic) => Some((
            "error",
            "scenario",
            diagnostic.message.clone(),
            diagnostic.to_string(),
        )),
        Found::Ran(ran) => failure(ran),
    };
    match problem {
        None => *out += "/>\n",
        Some((element, kind, message, body)) => {
            *out += &format!(
                ">\n      <{element} message=\"{}\" type=\"{kind}\">{}</{element}>\n    </testcase>\n",
                escaped(&message),
                escaped(&body)
            );
        }
    }
}

fn failure(ran: &Ran) -> Option<(&'static str, &'static str, String, String)> {
    let mut lines: Vec<String> = ran
        .unmet()
        .map(|(result, place)| format!("{} [{}:{}]", unmet(result), place.file, place.line))
        .collect();
    let kind = if lines.is_empty() {
        "baseline"
    } else {
        "expectation"
    };
    let compared = ran.compared.as_ref();
    for shift in compared
        .into_iter()
        .flat_map(|compared| compared.counting())
    {
        let [before, after] = [shift.before, shift.after].map(|value| level(shift.figure, value));
        lines.push(format!("{}: {before} → {after}", figure(shift.figure)));
    }
    let message = lines.first()?.clone();
    lines.extend(deciding(ran).map(|check| format!("what decided it: {check}")));
    let changes = compared.into_iter().flat_map(|compared| &compared.changes);
    lines.extend(changes.map(|changed| format!("changed: {}", change(changed))));
    Some(("failure", kind, message, lines.join("\n")))
}

/// Text as XML takes it; what XML 1.0 cannot hold becomes a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_told_breaks_the_xml() {
        assert_eq!(
            escaped("a < b && \"c\"\u{1b}[0m"),
            "a &lt; b &amp;&amp; &quot;c&quot;?[0m"
        );
    }
}
