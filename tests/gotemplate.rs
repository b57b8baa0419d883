//! Templates as Go's own text/template reads and fills them in, to the letter.
//!
//! `data/gotemplate/cases.jsonl` was written by a program around Go 1.26's text/template, set up as Flagger's
//! `RenderQuery` does. Where a case is outside of what is modelled, the error must say so by name.

use std::collections::BTreeMap;

use rollcast::gotemplate::{Model, render};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    template: String,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    output: Option<String>,
    #[serde(default)]
    error: String,
}

fn rendered(case: &Case) -> Result<String, String> {
    let model = Model {
        name: "podinfo",
        namespace: "test",
        target: "podinfo-app",
        service: "svc",
        ingress: "ing",
        route: "rt",
        interval: "1m",
        variables: &case.variables,
    };
    render(&case.template, &model).map_err(|e| e.to_string())
}

#[test]
fn templates_come_out_as_gos_own() {
    let file = std::env::var("GOTEMPLATE_CASES").ok();
    let cases = match &file {
        Some(file) => std::fs::read_to_string(file).unwrap(),
        None => include_str!("data/gotemplate/cases.jsonl").to_owned(),
    };
    let (mut count, mut refused, mut wrong) = (0, 0, Vec::new());
    for line in cases.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        count += 1;
        let expected = case.output.clone().ok_or_else(|| case.error.clone());
        let found = rendered(&case);
        if found == expected {
            continue;
        }
        if found.as_ref().is_err_and(|e| e.contains("not modelled")) {
            refused += 1;
            continue;
        }
        wrong.push(format!(
            "{:?}\n  Go   {expected:?}\n  ours {found:?}",
            case.template
        ));
    }
    eprintln!("{count} cases, {refused} refused, {} wrong", wrong.len());
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(60)].join("\n")
    );
}
