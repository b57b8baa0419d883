//! What a user sees for each mistake, word for word.
//!
//! The cases are in `scenario_errors.txt`: a sentence, the texts, and the message they must give. With `BLESS=1` in the
//! environment the messages are written instead of compared; read the difference before committing it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rollcast::diagnostic::SourceText;
use rollcast::scenario::{Files, Override, assemble};

/// The runbook's manifests, and what a case adds to them.
struct Texts(BTreeMap<String, String>);

impl Files for Texts {
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let matches = |name: &str| match pattern.split_once('*') {
            Some((before, after)) => name.starts_with(before) && name.ends_with(after),
            None => name == pattern,
        };
        let found = self.0.iter().filter(|(name, _)| matches(name));
        Ok(found
            .map(|(name, text)| SourceText::new(name, text))
            .collect())
    }
}

struct Case {
    sentence: String,
    texts: Vec<(String, String)>,
    says: String,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(sentence) = line.strip_prefix("=== ") {
            cases.push(Case {
                sentence: sentence.trim().to_owned(),
                texts: Vec::new(),
                says: String::new(),
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            continue;
        };
        match line.strip_prefix("--- ") {
            Some(name) => case.texts.push((name.trim().to_owned(), String::new())),
            None => {
                let (_, text) = case.texts.last_mut().expect("a text has a name above it");
                text.push_str(line);
            }
        }
    }
    for case in &mut cases {
        if case.texts.last().is_some_and(|(name, _)| name == "says") {
            case.says = case.texts.pop().expect("just seen").1.trim_end().to_owned();
        }
    }
    cases
}

/// The message for a case. A text called `--set` holds one override a line; without manifests of its own a case has the
/// runbook's.
fn says(case: &Case) -> String {
    let mut scenario = String::new();
    let mut overrides = Vec::new();
    let mut files = BTreeMap::new();
    for (name, text) in &case.texts {
        match name.as_str() {
            "scenario.toml" => scenario = text.clone(),
            "--set" => overrides.extend(text.lines().filter(|line| !line.is_empty()).map(|line| {
                let (key, value) = line.split_once('=').expect("key=value");
                Override {
                    key: key.to_owned(),
                    value: value.to_owned(),
                }
            })),
            _ => {
                files.insert(name.clone(), text.trim_end_matches('\n').to_owned() + "\n");
            }
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/load-harness");
    for entry in std::fs::read_dir(folder).expect("the runbook's manifests") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let text = std::fs::read_to_string(&path).expect("a text");
        files.entry(format!("load-harness/{name}")).or_insert(text);
    }
    let source = SourceText::new(
        "scenario.toml",
        scenario.trim_end_matches('\n').to_owned() + "\n",
    );
    match assemble("case", &source, &overrides, &Texts(files)) {
        Ok(_) => "nothing".to_owned(),
        Err(diagnostic) => {
            let shown = diagnostic.render();
            let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
            lines.join("\n")
        }
    }
}

#[test]
fn each_mistake_is_answered_with_its_place_and_what_to_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario_errors.txt");
    let text = std::fs::read_to_string(&path).expect("the cases");
    let cases = cases(&text);
    if std::env::var_os("BLESS").is_some() {
        let preamble = text.split("=== ").next().unwrap_or("");
        let mut out = preamble.trim_end().to_owned() + "\n";
        for case in &cases {
            out.push_str(&format!("\n=== {}\n", case.sentence));
            for (name, text) in &case.texts {
                out.push_str(&format!("--- {name}\n{}\n", text.trim_end()));
            }
            out.push_str(&format!("--- says\n{}\n", says(case)));
        }
        std::fs::write(&path, out).expect("the cases can be written");
        return;
    }
    assert!(cases.len() > 50, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let shown = says(case);
        if shown != case.says {
            wrong.push(format!(
                "=== {}\nexpected\n{}\nfound\n{shown}\n",
                case.sentence, case.says
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
