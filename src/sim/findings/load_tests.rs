//! Webhooks that ask Flagger's load tester to run something (`cmd/loadtester`, `pkg/loadtester` of Flagger).
//!
//! The load tester runs `metadata.cmd` in a shell. What `hey` would send is read from its flags and told, since checks that
//! live on that traffic see none of it here; anything else is told as it is written.

use super::{Case, finding};
use crate::canary::Webhook;
use crate::record::Finding;

/// Requests of one `hey` command.
#[derive(Clone, Debug, PartialEq)]
struct Hey {
    /// Requests a second, where `-q` bounds them.
    per_second: Option<f64>,
    /// `-z`, else so many requests (`-n`).
    lasts: String,
    /// The host that is asked: `-host`, else that of the URL.
    host: String,
}

/// Load tests and other commands, none of which is run.
pub(super) fn load_tests(case: &Case<'_>) -> Option<Finding> {
    let analysis = case.scenario.manifests.canary.spec.analysis.as_ref()?;
    let hooks = analysis
        .webhooks
        .iter()
        .filter_map(|hook| Some((hook, command(hook)?)));
    let told: Vec<String> = hooks
        .map(|(hook, command)| match hey(command) {
            Some(hey) => {
                let rate = hey
                    .per_second
                    .map_or("as fast as it can".to_owned(), |rate| {
                        format!("{rate} requests/s")
                    });
                format!(
                    "`{}` would send {rate} for {} to {}",
                    hook.name, hey.lasts, hey.host
                )
            }
            None => format!("`{}` would run `{}`", hook.name, command.escape_debug()),
        })
        .collect();
    if told.is_empty() {
        return None;
    }
    finding(
        "load-test-not-run",
        format!(
            "Commands of the load tester are not run: {}. Checks see the scenario's own traffic alone; `[traffic]` can stand for it.",
            told.join("; ")
        ),
    )
}

/// The command of a hook that runs before or during the analysis, for the load tester's shell.
fn command(hook: &Webhook) -> Option<&str> {
    if !matches!(hook.kind.as_str(), "" | "rollout" | "pre-rollout") {
        return None;
    }
    let metadata = hook.metadata.as_ref()?;
    Some(metadata.get("cmd")?.trim())
}

/// Reads a `hey` command; `None` for any other.
fn hey(command: &str) -> Option<Hey> {
    let mut words = command.split_whitespace();
    words
        .next()
        .filter(|program| program.rsplit('/').next() == Some("hey"))?;
    // hey's own defaults.
    let (mut workers, mut requests) = (50.0, "200");
    let (mut per_worker, mut duration, mut host, mut url) = (None, None, None, None);
    while let Some(word) = words.next() {
        match word {
            "-z" => duration = words.next(),
            "-n" => requests = words.next()?,
            "-q" => per_worker = words.next()?.parse::<f64>().ok(),
            "-c" => workers = words.next()?.parse::<f64>().ok()?,
            "-host" | "--host" => host = words.next(),
            "-disable-compression" | "-disable-keepalive" | "-disable-redirects" | "-h2" => {}
            flag if flag.starts_with('-') => _ = words.next(),
            word => url = Some(word),
        }
    }
    let unquoted = |text: &str| text.trim_matches(['"', '\'']).to_owned();
    Some(Hey {
        per_second: per_worker
            .filter(|rate| *rate > 0.0)
            .map(|rate| rate * workers),
        lasts: duration.map_or_else(|| format!("{requests} requests"), unquoted),
        host: host.map_or_else(|| host_of(&unquoted(url?)), |host| Some(unquoted(host)))?,
    })
}

/// The host of a URL, without its port.
fn host_of(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next()?;
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hey_is_read_with_its_own_defaults() {
        let read = |command: &str| hey(command).map(|hey| (hey.per_second, hey.lasts, hey.host));
        for (command, expected) in [
            (
                "hey -z 1m -q 10 -c 2 http://podinfo-canary.test:9898/",
                Some((Some(20.0), "1m", "podinfo-canary.test")),
            ),
            (
                "hey -z 2m -q 5 -c 2 -host app.example.com http://nginx-ingress-controller.ingress",
                Some((Some(10.0), "2m", "app.example.com")),
            ),
            (
                "/usr/bin/hey -q 1 -m POST -d '{}' 'http://app/'",
                Some((Some(50.0), "200 requests", "app")),
            ),
            (
                "hey -z 10s -disable-keepalive http://app",
                Some((None, "10s", "app")),
            ),
            ("hey -z 10s", None),
            ("ghz --insecure podinfo:9999", None),
            ("curl http://hey/", None),
            ("", None),
        ] {
            let expected =
                expected.map(|(rate, lasts, host)| (rate, lasts.to_owned(), host.to_owned()));
            assert_eq!(read(command), expected, "{command}");
        }
    }
}
