//! The settings of Flagger's NGINX tutorial: the corners of the table in `docs/nginx-tutorial.md`, and each file's own word.

use std::path::Path;
use std::sync::Arc;

use rollcast::record::Outcome;
use rollcast::scenario::{self, Override, Scenario};
use rollcast::sim::{Brief, Compiled};

const FILES: [&str; 4] = ["healthy", "half-percent", "two-percent", "thirty-percent"];

fn load(name: &str, set: &[(&str, &str)]) -> Scenario {
    let path = format!("scenarios/nginx-tutorial/{name}.toml");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let set = set.iter().map(|(key, value)| Override {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
    });
    scenario::load(&path, &set.collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{error}"))
}

fn runs(name: &str, rate: &str, runs: u64) -> Vec<Brief> {
    let compiled = Compiled::new(Arc::new(load(name, &[("traffic.rate", rate)])));
    let one = |seed| compiled.warmed_up(seed).run_to_end();
    (1..=runs).map(one).collect()
}

fn rolled_back(runs: &[Brief]) -> usize {
    let back = runs.iter().filter(|run| run.outcome == Outcome::RolledBack);
    back.count()
}

#[test]
fn each_file_ends_as_it_expects_and_opens_with_what_it_shows() {
    for name in FILES {
        let scenario = load(name, &[]);
        assert_eq!(scenario.name, format!("nginx-tutorial/{name}"));
        let expected = scenario
            .expect
            .as_ref()
            .and_then(|expect| expect.outcome.clone());
        let record = rollcast::sim::simulate(&scenario);
        assert_eq!(
            Some(record.outcome.as_str()),
            expected.as_deref(),
            "{name}, seed 1"
        );
        let path = format!("scenarios/nginx-tutorial/{name}.toml");
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
        assert!(text.unwrap().starts_with("# "), "{name}");
    }
}

#[test]
fn the_more_requests_the_surer_and_the_sooner() {
    let n = 40;
    assert_eq!(rolled_back(&runs("healthy", "20/s", n)), 0);
    assert_eq!(rolled_back(&runs("healthy", "100/s", n)), 0);
    let certain = runs("thirty-percent", "20/s", n);
    assert_eq!(rolled_back(&certain), n as usize);
    // Ten failed checks, ten seconds apart: never before 1:40 after the first weight.
    for run in &certain {
        let at = run.decided_at.unwrap().as_secs_f64();
        assert!((110.0..=180.0).contains(&at), "decided at {at}");
    }
    let (few, many) = (
        rolled_back(&runs("two-percent", "1/s", n)),
        rolled_back(&runs("two-percent", "20/s", n)),
    );
    // 12 and 95 % of the releases in a model of the checks alone.
    assert!(few <= n as usize / 2, "{few} of {n} at 1/s, seeds 1 to {n}");
    assert!(
        many >= n as usize * 3 / 4,
        "{many} of {n} at 20/s, seeds 1 to {n}"
    );
}
