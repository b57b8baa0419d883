//! Why a candidate is recommended, or is not: its settings, how far it got, each target with its interval, who beats it.

use crate::report::text::{Palette, WIDTH, paragraph};
use crate::report::words::{count, percent};
use crate::study::tune::{Evidence, Fate, Kind, Tuned, score};

use super::words::{budget, confirmation, found, prefer, runs, seconds, settings, target};

/// A candidate's story; its number must be one of the search's.
pub fn render(tuned: &Tuned, number: usize, palette: Palette) -> String {
    let candidate = &tuned.candidates[number];
    let name = match number {
        0 => "Candidate 0: the scenario as it stands".to_owned(),
        number => format!("Candidate {number} of {}", tuned.candidates.len() - 1),
    };
    let mut out = format!("{}\n", palette.bold(&name));
    for set in &candidate.settings {
        out += &format!(
            "  {:<28}{:<12}{}\n",
            set.knob,
            set.value,
            set.keys.join(", ")
        );
    }
    out += "\n";
    out += &paragraph(&fate(tuned, number), WIDTH);

    out += &format!(
        "\n{:<52}{:>24}{:>12}\n",
        "target",
        format!("{} runs", count(runs(candidate))),
        "met"
    );
    for (of, verdict) in tuned.targets.iter().zip(&candidate.verdicts) {
        let met = if verdict.met { "yes" } else { "no" };
        out += &format!(
            "{:<52}{:>24}{met:>12}\n",
            target(tuned, *of),
            found(*of, verdict)
        );
    }
    if let Some(again) = confirmation(tuned, number) {
        out += &format!(
            "\non {} fresh seeds, from {}:\n",
            count(again.runs),
            again.first_seed
        );
        for (of, verdict) in tuned.targets.iter().zip(&again.verdicts) {
            let met = if verdict.met { "yes" } else { "no" };
            out += &format!(
                "{:<52}{:>24}{met:>12}\n",
                target(tuned, *of),
                found(*of, verdict)
            );
        }
    }
    out += "\n";
    for (release, evidence) in tuned.releases.iter().zip(&candidate.evidence) {
        let kind = match release.kind {
            Kind::Good => "good",
            Kind::Bad => "bad",
        };
        out += &paragraph(
            &format!("{} ({kind}): {}", release.name, told(evidence)),
            WIDTH,
        );
    }
    out += &format!("\none run of it: {}\n", command(tuned, number));
    out
}

fn fate(tuned: &Tuned, number: usize) -> String {
    let candidate = &tuned.candidates[number];
    match candidate.fate {
        Fate::Hopeless { round, target: at } => format!(
            "Dropped in round {round}: it surely misses a target, {}; after {} runs it was {}.",
            target(tuned, tuned.targets[at]),
            count(runs(candidate)),
            found(tuned.targets[at], &candidate.verdicts[at]),
        ),
        Fate::Outranked { round, place, of } => format!(
            "Dropped in round {round}, after {} runs on each release: in the order of what is likely to meet all targets, \
             and then has the {}, it was number {place} of {of}.",
            count(runs(candidate)),
            prefer(tuned.prefer),
        ),
        Fate::Finalist => finalist(tuned, number),
    }
}

fn finalist(tuned: &Tuned, number: usize) -> String {
    let candidate = &tuned.candidates[number];
    let mut text = format!(
        "Run to the end: {} runs on each release. ",
        count(runs(candidate))
    );
    if tuned.recommended == Some(number) {
        text += &format!(
            "Recommended: it meets all targets, and of those that do it has the {}, differences below 5 % left aside.",
            prefer(tuned.prefer)
        );
    } else if tuned.targets.is_empty() {
        text += "No targets are given, so nothing is recommended.";
    } else if !candidate.meets_all() {
        text += "Not recommended: it does not meet all targets.";
    } else if let Some(again) = confirmation(tuned, number)
        && !again.holds()
    {
        text += "Not recommended: it met all targets on the seeds that chose it, and not on fresh ones.";
    } else if let Some(other) = tuned.recommended {
        text += &format!(
            "It meets all targets; candidate {other}, which does so too, has the {}, differences below 5 % left aside.",
            prefer(tuned.prefer)
        );
    }
    let beats = |other: &usize| {
        let (other, this) = (&tuned.candidates[*other], candidate);
        other.is_finalist() && score::dominates(&other.merits, &this.merits)
    };
    match (0..tuned.candidates.len()).find(beats) {
        Some(other) => {
            text += &format!(
                " Candidate {other} ({}) is better in one respect and worse in none.",
                settings(tuned, other)
            );
        }
        None => {
            text += " It is on the Pareto front: no other finalist is better in one respect and worse in none."
        }
    }
    text
}

/// Runs with one release, in a sentence.
fn told(evidence: &Evidence) -> String {
    let mut parts = Vec::new();
    let share = |n: u64| percent(n as f64 / evidence.runs.max(1) as f64);
    if let Some(times) = evidence.promoted_s {
        parts.push(format!(
            "promoted in {} %, median at {}, 95 % by {}",
            share(evidence.promoted),
            seconds(Some(times.p50)),
            seconds(Some(times.p95)),
        ));
    }
    if let Some(times) = evidence.rolled_back_s {
        parts.push(format!(
            "rolled back in {} %, median at {}, 95 % by {}",
            share(evidence.rolled_back),
            seconds(Some(times.p50)),
            seconds(Some(times.p95)),
        ));
    }
    let others = evidence.runs - evidence.promoted - evidence.rolled_back;
    if others > 0 {
        parts.push(format!("neither in {} %", share(others)));
    }
    if let Some(failed) = evidence.failed_requests {
        parts.push(format!(
            "{} failed requests of users in the mean, in 95 % at most {}",
            count(failed.mean.round() as u64),
            count(failed.p95.round() as u64)
        ));
    }
    if let Some(used) = evidence.error_budget {
        parts.push(format!(
            "{} % of the error budget in the mean",
            budget(used.mean)
        ));
    }
    parts.join("; ")
}

/// What simulates the candidate with the first release, under the first seed.
fn command(tuned: &Tuned, number: usize) -> String {
    let mut command = tuned.command.clone();
    for set in &tuned.base {
        command += &format!(" --set '{set}'");
    }
    let settings = tuned.candidates[number].settings.iter();
    let settings = settings.flat_map(|set| set.keys.iter().map(move |key| (key, &set.value)));
    for (key, value) in settings {
        command += &format!(" --set '{key}={value}'");
    }
    for set in &tuned.releases[0].set {
        command += &format!(" --set '{set}'");
    }
    format!("{command} --seed {}", tuned.first_seed)
}
