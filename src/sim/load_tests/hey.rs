//! Reads a `hey` command as the load tester's shell and hey itself would (rakyll/hey 0.1.5, `hey.go`).
//!
//! Flags are those of Go's `flag` package: `-z 1m`, `-z=1m` and `--z 1m` are one, and what follows the URL is ignored. Of the
//! shell only words, quotes and backslashes are understood; pipes, lists of commands and variables are not.

use crate::sim::clock::{MILLISECOND, Nanos, SECOND};
use crate::sim::requests::LoadLength;
use crate::time::Span;

/// A `hey` command.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim) struct Hey {
    /// `-c`.
    pub(in crate::sim) workers: u32,
    /// `-q`: requests a second of each worker, where it bounds them.
    pub(in crate::sim) per_worker: Option<f64>,
    /// `-z`, else `-n`.
    pub(in crate::sim) lasts: LoadLength,
    /// `-t`.
    pub(in crate::sim) timeout: Option<Nanos>,
    /// Without `-disable-keepalive`.
    pub(in crate::sim) keep_alive: bool,
    /// The URL's host, without its port.
    pub(in crate::sim) url_host: String,
    /// `-host`: the Host header, where it is not the URL's host.
    pub(in crate::sim) host: Option<String>,
    /// A Host given by `-H`, which Go's client does not send (`net/http/request.go`, `reqWriteExcludeHeader`).
    pub(in crate::sim) ignored_host: Option<String>,
}

/// Why a command makes no traffic here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) enum NotHey {
    /// It is another program, or asks more of the shell than words.
    Other,
    /// hey says this and exits.
    Usage(String),
}

/// More are not simulated.
const MOST_WORKERS: u32 = 10_000;

/// Flags that take no value.
const SWITCHES: [&str; 4] = [
    "h2",
    "disable-compression",
    "disable-keepalive",
    "disable-redirects",
];

/// Flags with a value that changes nothing here.
const IGNORED: [&str; 11] = ["m", "h", "d", "D", "A", "T", "a", "U", "o", "cpus", "x"];

impl Hey {
    /// Reads a command.
    pub(in crate::sim) fn parse(command: &str) -> Result<Hey, NotHey> {
        let words = words(command).ok_or(NotHey::Other)?;
        let mut words = words.into_iter();
        words
            .next()
            .filter(|program| program.rsplit('/').next() == Some("hey"))
            .ok_or(NotHey::Other)?;
        // hey's own defaults.
        let (mut workers, mut requests, mut rate, mut timeout_s) = (50i64, 200i64, 0.0, 20i64);
        let (mut lasts, mut keep_alive) = (Span::ZERO, true);
        let (mut host, mut ignored_host, mut url) = (None, None, None);
        while let Some(word) = words.next() {
            let Some(flag) = flag_of(&word) else {
                url = Some(word);
                break;
            };
            let (name, attached) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (flag, None),
            };
            if SWITCHES.contains(&name) {
                let off = attached.is_some_and(|value| value == "false");
                keep_alive &= off || name != "disable-keepalive";
                continue;
            }
            let known = ["c", "n", "q", "z", "t", "host", "H"];
            if !known.contains(&name) && !IGNORED.contains(&name) {
                return Err(NotHey::Usage(format!(
                    "flag provided but not defined: -{name}"
                )));
            }
            let value = attached
                .or_else(|| words.next())
                .ok_or_else(|| NotHey::Usage(format!("flag needs an argument: -{name}")))?;
            let wrong = || NotHey::Usage(format!("invalid value {value:?} for flag -{name}"));
            match name {
                "c" => workers = value.parse().map_err(|_| wrong())?,
                "n" => requests = value.parse().map_err(|_| wrong())?,
                "t" => timeout_s = value.parse().map_err(|_| wrong())?,
                "q" => {
                    let read = value.parse::<f64>().ok().filter(|rate| rate.is_finite());
                    rate = read.ok_or_else(wrong)?;
                }
                "z" => lasts = Span::parse_go(&value).ok_or_else(wrong)?,
                "host" => host = Some(value).filter(|host| !host.is_empty()),
                "H" => ignored_host = host_header(&value).or(ignored_host),
                _ => {}
            }
        }
        let usage = |text: &str| Err(NotHey::Usage(text.to_owned()));
        let Some(url) = url else {
            return usage("no URL");
        };
        if workers < 1 || lasts <= Span::ZERO && requests < 1 {
            return usage("-n and -c cannot be smaller than 1.");
        }
        if lasts <= Span::ZERO && requests < workers {
            return usage("-n cannot be less than -c.");
        }
        let Some(url_host) = host_of(&url) else {
            return usage("the URL has no host");
        };
        let workers = u32::try_from(workers).unwrap_or(u32::MAX);
        if workers > MOST_WORKERS {
            return usage("more than 10,000 workers are not simulated");
        }
        Ok(Hey {
            workers,
            per_worker: (rate > 0.0).then_some(rate),
            lasts: if lasts > Span::ZERO {
                LoadLength::For(lasts.as_millis() * MILLISECOND)
            } else {
                LoadLength::Requests((requests / i64::from(workers)) as u64)
            },
            timeout: (timeout_s > 0).then(|| timeout_s.saturating_mul(SECOND)),
            keep_alive,
            url_host,
            host,
            ignored_host,
        })
    }

    /// Time between two requests of a worker: hey counts whole microseconds.
    pub(in crate::sim) fn period(&self) -> Option<Nanos> {
        let rate = self.per_worker?;
        let micros = (1e6 / rate).clamp(1.0, 1e12) as i64;
        Some(micros * 1000)
    }

    /// What the server reads as the host.
    pub(in crate::sim) fn host(&self) -> &str {
        self.host.as_deref().unwrap_or(&self.url_host)
    }

    /// How much and for how long, in words.
    pub(in crate::sim) fn in_words(&self) -> String {
        let rate = match self.per_worker {
            Some(rate) => format!("{} requests/s", rate * f64::from(self.workers)),
            None => format!(
                "as much as {} workers can that wait for each answer",
                self.workers
            ),
        };
        match self.lasts {
            LoadLength::For(span) => {
                format!("{rate} for {}", Span::from_millis(span / MILLISECOND))
            }
            LoadLength::Requests(each) => {
                format!("{rate}, {} in all", each * u64::from(self.workers))
            }
        }
    }
}

/// The name of a flag, `=` and value included; `None` for anything else.
fn flag_of(word: &str) -> Option<&str> {
    let name = word.strip_prefix('-')?;
    let name = name.strip_prefix('-').unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

/// The host of a `Host: ...` header.
fn host_header(header: &str) -> Option<String> {
    let (name, value) = header.split_once(':')?;
    name.eq_ignore_ascii_case("host")
        .then(|| value.trim().to_owned())
}

/// The host of an absolute URL, without its port.
fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    (!host.is_empty()).then(|| host.to_owned())
}

/// The words of a command; `None` where it asks more of the shell.
fn words(command: &str) -> Option<Vec<String>> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut rest = command.trim().chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '"' => break,
                        '$' | '`' => return None,
                        '\\' => word.push(rest.next()?),
                        c => word.push(c),
                    }
                }
            }
            '\\' => match rest.next()? {
                '\n' => {}
                c => word.get_or_insert_default().push(c),
            },
            '\n' | ';' | '&' | '|' | '<' | '>' | '$' | '`' | '(' | ')' => return None,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hey_is_read_with_its_own_defaults() {
        let read =
            |command: &str| Hey::parse(command).map(|hey| (hey.in_words(), hey.host().to_owned()));
        for (command, rate, host) in [
            (
                "hey -z 1m -q 10 -c 2 http://podinfo-canary.test:9898/",
                "20 requests/s for 1m0s",
                "podinfo-canary.test",
            ),
            (
                "hey -z=2m --q 2.5 -c 2 -host app.example.com http://nginx.ingress/ -z 9m",
                "5 requests/s for 2m0s",
                "app.example.com",
            ),
            (
                "/usr/bin/hey -q 1 -m POST -d '{\"a\": 1}' \"http://app/\"",
                "50 requests/s, 200 in all",
                "app",
            ),
            (
                "hey -n 5 -c 2 -disable-keepalive \\\n http://app?x=1",
                "as much as 2 workers can that wait for each answer, 4 in all",
                "app",
            ),
        ] {
            let expected = Ok((rate.to_owned(), host.to_owned()));
            assert_eq!(read(command), expected, "{command}");
        }
    }

    #[test]
    fn what_hey_refuses_makes_no_traffic() {
        for (command, said) in [
            ("hey -z 10s", "no URL"),
            ("hey -n 1 -c 2 http://a/", "-n cannot be less than -c."),
            (
                "hey -c 0 -z 1m http://a/",
                "-n and -c cannot be smaller than 1.",
            ),
            ("hey -z 60 http://a/", "invalid value \"60\" for flag -z"),
            ("hey -x8 http://a/", "flag provided but not defined: -x8"),
            ("hey http://a/ -q", ""),
            ("hey -q", "flag needs an argument: -q"),
            ("hey app:80", "the URL has no host"),
        ] {
            let found = match Hey::parse(command) {
                Err(NotHey::Usage(text)) => text,
                Err(NotHey::Other) => panic!("{command}"),
                Ok(_) => String::new(),
            };
            assert_eq!(found, said, "{command}");
        }
    }

    #[test]
    fn other_programs_and_the_shell_s_own_words_are_not_read() {
        for command in [
            "ghz --insecure podinfo:9999",
            "curl http://hey/",
            "sleep 30; hey http://a/",
            "hey http://a/ && hey http://b/",
            "hey -H \"x: $TOKEN\" http://a/",
            "hey 'http://a/",
            "hey http://a/ > /dev/null",
            "",
        ] {
            assert_eq!(Hey::parse(command), Err(NotHey::Other), "{command}");
        }
    }

    #[test]
    fn a_host_given_as_a_header_is_not_sent() {
        let hey = Hey::parse("hey -H 'Host: app.example.com' -H 'x: y' http://10.0.0.1/").unwrap();
        assert_eq!(hey.host(), "10.0.0.1");
        assert_eq!(hey.ignored_host.as_deref(), Some("app.example.com"));
    }
}
