//! Annotations of GitHub's: workflow commands that put a message beside a line of a pull request's files
//! (docs.github.com, "Workflow commands for GitHub Actions").

use super::sentences::{change, deciding, figure, level, unmet};
use super::{Found, Position, Ran, Report};

/// A line for each expectation that failed, each scenario that differs from the baseline and each that could not be run.
pub fn annotations(report: &Report) -> String {
    let mut out = String::new();
    for checked in &report.scenarios {
        let title = format!("rollcast: {}", checked.name);
        let top = Position {
            file: checked.file.clone(),
            line: 1,
            column: 1,
        };
        match &checked.found {
            Found::Broken(diagnostic) => {
                let place = diagnostic.place.as_ref().map(Position::of);
                let mut said = diagnostic.message.clone();
                if let Some(help) = &diagnostic.help {
                    said += &format!("\n{help}");
                }
                out += &error(&place.unwrap_or(top), &title, &said);
            }
            Found::Ran(ran) => {
                for (result, position) in ran.unmet() {
                    let mut said = unmet(result);
                    if let Some(check) = deciding(ran) {
                        said += &format!("\nwhat decided it: {check}");
                    }
                    out += &error(position, &title, &said);
                }
                if ran.shifted() {
                    let place = ran.change_places.iter().flatten().next();
                    out += &error(place.unwrap_or(&top), &title, &shifted(ran));
                }
            }
        }
    }
    out
}

fn shifted(ran: &Ran) -> String {
    let mut lines = vec!["differs from the baseline:".to_owned()];
    if let Some(compared) = &ran.compared {
        for shift in compared.counting() {
            let [before, after] =
                [shift.before, shift.after].map(|value| level(shift.figure, value));
            lines.push(format!("{}: {before} → {after}", figure(shift.figure)));
        }
        lines.extend(compared.changes.iter().map(change));
    }
    lines.join("\n")
}

fn error(position: &Position, title: &str, message: &str) -> String {
    format!(
        "::error file={},line={},col={},title={}::{}\n",
        property(&position.file),
        position.line,
        position.column,
        property(title),
        data(message)
    )
}

fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_is_one_command() {
        let position = Position {
            file: "a,b.toml".to_owned(),
            line: 3,
            column: 7,
        };
        assert_eq!(
            error(&position, "rollcast: x", "30 %\nmore: less"),
            "::error file=a%2Cb.toml,line=3,col=7,title=rollcast%3A x::30 %25%0Amore: less\n"
        );
    }
}
