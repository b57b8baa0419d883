//! Whatever text a scenario, a manifest or `--set` holds, the answer is a scenario or a message: never a panic.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use rollcast::diagnostic::SourceText;
use rollcast::scenario::{Files, Override, assemble};

type Texts = BTreeMap<String, String>;

/// The repository's scenarios and the runbook's manifests, by path below `scenarios/`.
static TEXTS: LazyLock<(Texts, Texts)> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    (
        read(&folder, "toml"),
        read(&folder.join("load-harness"), "yaml"),
    )
});

fn read(folder: &Path, extension: &str) -> Texts {
    let mut texts = Texts::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == extension) {
            let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
            let text = std::fs::read_to_string(&path).expect("a text");
            texts.insert(name.to_owned(), text);
        }
    }
    texts
}

struct Given(Texts);

impl Files for Given {
    /// Whatever is asked for, everything is there; a file that is asked for by its name comes alone.
    fn matching(&self, pattern: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let named = pattern
            .rsplit('/')
            .next()
            .filter(|name| self.0.contains_key(*name));
        Ok(self
            .0
            .iter()
            .filter(|(name, _)| named.is_none_or(|named| named == *name))
            .map(|(name, text)| SourceText::new(name, text))
            .collect())
    }
}

/// Reads, and renders the message where there is one.
fn answer(scenario: &str, overrides: &[Override], manifests: Texts) -> Result<(), String> {
    let source = SourceText::new("scenario.toml", scenario);
    match assemble("any", &source, overrides, &Given(manifests)) {
        Ok(_) => Ok(()),
        Err(diagnostic) => {
            let shown = diagnostic.render();
            assert!(shown.starts_with("error: "), "{shown}");
            Err(shown)
        }
    }
}

/// One change to a text.
#[derive(Clone, Debug)]
enum Edit {
    Delete {
        at: usize,
        length: usize,
    },
    Insert {
        at: usize,
        text: String,
    },
    Repeat {
        at: usize,
        length: usize,
        times: usize,
    },
}

fn edit() -> impl Strategy<Value = Edit> {
    let snippet = prop_oneof![
        "\\PC{0,6}",
        "[\\[\\]{}=:.,\"'#&*!|>\n\t \r-]{1,4}",
        Just("\u{feff}".to_owned()),
        Just("\0".to_owned()),
        Just("-1".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("1e999".to_owned()),
        Just("nan".to_owned()),
        Just("\"99999999999h\"".to_owned()),
        Just("[[events]]\n".to_owned()),
        Just("[versions.v1]\n".to_owned()),
        Just("&a [*a]".to_owned()),
        Just("<<: *a\n".to_owned()),
        Just("\n---\n".to_owned()),
        Just("null".to_owned()),
    ];
    prop_oneof![
        (any::<usize>(), 0usize..40).prop_map(|(at, length)| Edit::Delete { at, length }),
        (any::<usize>(), snippet).prop_map(|(at, text)| Edit::Insert { at, text }),
        (any::<usize>(), 0usize..80, 1usize..4).prop_map(|(at, length, times)| Edit::Repeat {
            at,
            length,
            times
        }),
    ]
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for edit in edits {
        let place = |at: &usize| at % (chars.len() + 1);
        match edit {
            Edit::Delete { at, length } => {
                let start = place(at);
                let end = (start + length).min(chars.len());
                chars.drain(start..end);
            }
            Edit::Insert { at, text } => {
                let start = place(at);
                chars.splice(start..start, text.chars());
            }
            Edit::Repeat { at, length, times } => {
                let start = place(at);
                let end = (start + length).min(chars.len());
                let piece = chars[start..end].repeat(*times);
                chars.splice(start..start, piece);
            }
        }
    }
    chars.into_iter().collect()
}

fn config() -> Config {
    Config {
        cases: 2_000,
        rng_seed: RngSeed::Fixed(44),
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_as_a_scenario_is_answered(text in "\\PC{0,200}") {
        let _ = answer(&text, &[], TEXTS.1.clone());
    }

    #[test]
    fn any_text_as_a_manifest_is_answered(text in "\\PC{0,200}") {
        let manifests = Texts::from([("any.yaml".to_owned(), text)]);
        let _ = answer("manifests = [\"*\"]", &[], manifests);
    }

    #[test]
    fn an_edited_scenario_is_answered(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(edit(), 1..4),
    ) {
        let texts: Vec<&String> = TEXTS.0.values().collect();
        let text = edited(which.get::<&String>(&texts), &edits);
        let _ = answer(&text, &[], TEXTS.1.clone());
    }

    #[test]
    fn an_edited_manifest_is_answered(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(edit(), 1..4),
    ) {
        let mut manifests = TEXTS.1.clone();
        let name = which.get(&manifests.keys().cloned().collect::<Vec<_>>()).clone();
        let text = edited(&manifests[&name], &edits);
        manifests.insert(name, text);
        let _ = answer(&TEXTS.0["chaos30.toml"], &[], manifests);
    }

    #[test]
    fn any_override_is_answered(
        key in prop_oneof![
            "[a-z_.0-9\"\\[ ]{0,30}",
            prop::sample::select(vec![
                "traffic.rate", "run.seed", "run.horizon", "run.warm_up", "events.0.at", "versions.v2", "canary",
                "versions.v1.service_time", "canary.spec.analysis.metrics", "hpa.spec.maxReplicas", "manifests",
                "metric_templates.x", "deployment.spec.template.spec.containers.0.env.0.value",
            ]).prop_map(str::to_owned),
        ],
        value in prop_oneof!["\\PC{0,20}", "[0-9]{1,20}(s|m|h|/s|%)?", "[\\[{\"]{1,100}"],
    ) {
        let change = Override { key, value };
        let _ = answer(&TEXTS.0["chaos30.toml"], &[change], TEXTS.1.clone());
    }
}

#[test]
fn the_unedited_texts_are_scenarios() {
    for (name, text) in &TEXTS.0 {
        answer(text, &[], TEXTS.1.clone()).unwrap_or_else(|shown| panic!("{name}: {shown}"));
    }
}

#[test]
fn nesting_of_any_depth_is_answered() {
    for depth in [60, 79, 100, 1_000, 100_000] {
        let dotted = vec!["a"; depth].join(".");
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        for text in [
            format!("{dotted} = 1"),
            format!("[{dotted}]"),
            format!("[canary.{dotted}]"),
            format!("title = {open}{close}"),
        ] {
            let _ = answer(&text, &[], TEXTS.1.clone());
        }
        let change = Override {
            key: format!("canary.{dotted}"),
            value: format!("{open}{close}"),
        };
        let _ = answer(&TEXTS.0["chaos30.toml"], &[change], TEXTS.1.clone());
        let block: String = (0..depth.min(2_000))
            .map(|i| format!("{}a:\n", " ".repeat(i)))
            .collect();
        for text in [format!("kind: {open}{close}"), block] {
            let manifests = Texts::from([("any.yaml".to_owned(), text)]);
            let _ = answer("manifests = [\"*\"]", &[], manifests);
        }
    }
}
