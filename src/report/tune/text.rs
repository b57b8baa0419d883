//! A search on the terminal: what was tried, what was dropped and why, the finalists, the recommendation with its evidence.
//! 100 columns wide.

use std::path::Path;

use crate::report::text::{Palette, WIDTH, indented, paragraph};
use crate::report::words::{count, counted, percent};
use crate::study::tune::{Fate, Kind, Tuned};

use super::words::{
    budget, confirmation, found, prefer, releases, runs, seconds, settings, target,
};

/// Finalists shown at the most.
const FINALISTS: usize = 12;

/// A search as text; `directory` is where its files are.
pub fn render(tuned: &Tuned, directory: Option<&Path>, palette: Palette) -> String {
    let mut out = String::new();
    title(tuned, palette, &mut out);
    rounds(tuned, &mut out);
    finalists(tuned, palette, &mut out);
    sensitivity(tuned, &mut out);
    recommendation(tuned, directory, palette, &mut out);
    out
}

fn title(tuned: &Tuned, palette: Palette, out: &mut String) {
    let name = if tuned.title.is_empty() {
        format!("{}: settings that would do better", tuned.scenario)
    } else {
        format!("{}: {}", tuned.scenario, tuned.title)
    };
    *out += &format!("{}\n", palette.bold(&name));
    let candidates = tuned.candidates.len() as u64 - 1;
    let of = if candidates < tuned.combinations {
        format!(" of {} combinations", count(tuned.combinations))
    } else {
        String::new()
    };
    let model = |model: &str| match model {
        "aggregate" => "as counts between scrapes (aggregate)",
        _ => "one by one",
    };
    let traffic = &tuned.traffic;
    let mut how = format!("requests {}", model(&traffic.screening));
    if traffic.finals != traffic.screening {
        how += &format!(
            " while candidates are dropped, the finalists' {}",
            model(&traffic.finals)
        );
    }
    if let Some(reason) = &traffic.reason {
        how += &format!(", since {reason}");
    }
    *out += &paragraph(
        &format!(
            "{}: {}{of} ({}) and the scenario as it stands, each with {}; good: {}; bad: {}. The same seeds for all, from \
             {}; {how}.",
            tuned.canary,
            counted(candidates, "candidate"),
            tuned.method,
            counted(tuned.releases.len() as u64, "release"),
            releases(tuned, Kind::Good),
            releases(tuned, Kind::Bad),
            tuned.first_seed,
        ),
        WIDTH,
    );
}

fn rounds(tuned: &Tuned, out: &mut String) {
    *out += "\nSuccessive halving: what surely misses a target is dropped, then the less promising half.\n";
    *out += &format!(
        "{:<10}{:>14}{:>24}{:>12}{:>14}\n",
        "round", "candidates", "runs on each release", "hopeless", "went on"
    );
    let last = tuned.rounds.len();
    for (at, round) in tuned.rounds.iter().enumerate() {
        let hopeless = tuned
            .candidates
            .iter()
            .filter(|one| matches!(one.fate, Fate::Hopeless { round, .. } if round == at + 1));
        let (name, hopeless, kept) = if at + 1 == last {
            ("finals".to_owned(), String::new(), String::new())
        } else {
            (
                (at + 1).to_string(),
                hopeless.count().to_string(),
                round.kept.to_string(),
            )
        };
        let line = format!(
            "{name:<10}{:>14}{:>24}{hopeless:>12}{kept:>14}",
            round.candidates,
            count(round.runs),
        );
        *out += &format!("{}\n", line.trim_end());
    }
}

fn finalists(tuned: &Tuned, palette: Palette, out: &mut String) {
    let mut finalists: Vec<usize> = (0..tuned.candidates.len())
        .filter(|one| tuned.candidates[*one].is_finalist())
        .collect();
    let rank = |one: &usize| {
        let able = tuned.candidates[*one].meets_all();
        (Some(*one) != tuned.recommended, !able, *one)
    };
    finalists.sort_by_key(rank);
    *out += &format!(
        "\n{}\n{:<6}{:<10}{:>12}{:>12}{:>12}{:>14}{:>12}{:>14}\n",
        palette.bold("Finalists, in the worst release of each kind"),
        "no.",
        "targets",
        "false",
        "missed",
        "rollout",
        "detection",
        "failed",
        "error budget"
    );
    *out += &format!(
        "{:<6}{:<10}{:>12}{:>12}{:>12}{:>14}{:>12}{:>14}\n",
        "", "met", "rollback %", "regr. %", "median", "median", "requests", "used %"
    );
    for one in finalists.iter().take(FINALISTS) {
        let candidate = &tuned.candidates[*one];
        let merits = &candidate.merits;
        let met = candidate.verdicts.iter().filter(|verdict| verdict.met);
        let front = if tuned.front.contains(one) { "*" } else { "" };
        *out += &format!(
            "{:<6}{:<10}{:>12}{:>12}{:>12}{:>14}{:>12}{:>14}\n",
            format!("{one}{front}"),
            format!("{} of {}", met.count(), tuned.targets.len()),
            percent(merits.false_rollback),
            percent(merits.missed_regression),
            seconds(merits.rollout_s),
            seconds(merits.detection_s),
            count(merits.failed_requests.round() as u64),
            budget(merits.error_budget),
        );
        *out += &indented(&settings(tuned, *one), WIDTH, "      ");
    }
    if finalists.len() > FINALISTS {
        *out += &format!("and {} more\n", finalists.len() - FINALISTS);
    }
    *out += "* on the Pareto front: no other finalist is better in one respect and worse in none (false\n  rollback, missed \
             regression, failed requests, rollout time)\n";
}

fn sensitivity(tuned: &Tuned, out: &mut String) {
    *out += "\nWhat a knob alone decides, in % of the differences between all candidates\n";
    *out += &format!(
        "{:<28}{:>16}{:>20}{:>18}{:>14}\n",
        "knob", "false rollback", "missed regression", "failed requests", "rollout time"
    );
    let whole = |share: f64| format!("{:.0}", 100.0 * share);
    for knob in &tuned.sensitivity {
        *out += &format!(
            "{:<28}{:>16}{:>20}{:>18}{:>14}\n",
            knob.knob,
            whole(knob.false_rollback),
            whole(knob.missed_regression),
            whole(knob.failed_requests),
            whole(knob.rollout),
        );
    }
}

fn recommendation(tuned: &Tuned, directory: Option<&Path>, palette: Palette, out: &mut String) {
    *out += "\n";
    if tuned.targets.is_empty() {
        *out += "No targets are given, so nothing is recommended: add `[targets]` to the space.\n";
    } else if let Some(number) = tuned.recommended {
        recommended(tuned, number, palette, out);
    } else {
        *out += &none(tuned, palette);
    }
    let Some(directory) = directory else { return };
    *out += &format!("\nfiles: {}\n", directory.display());
    if let Some(number) = tuned.recommended.filter(|number| *number > 0) {
        let besides = tuned.besides.iter().map(|set| format!(" --set {set}"));
        *out += &format!(
            "try it: {} --patch {}/recommendation.yaml{}\nwhy: rollcast tune ... --explain {number}\n",
            tuned.command,
            directory.display(),
            besides.collect::<String>(),
        );
    }
}

fn recommended(tuned: &Tuned, number: usize, palette: Palette, out: &mut String) {
    let candidate = &tuned.candidates[number];
    let head = match number {
        0 => "Recommended: leave the scenario as it stands".to_owned(),
        number => format!("Recommended: candidate {number}"),
    };
    *out += &format!("{}\n", palette.bold(&head));
    *out += &paragraph(
        &format!(
            "{}. Of the candidates whose intervals meet all targets it has the {}, \
             differences below 5 % left aside.",
            settings(tuned, number),
            prefer(tuned.prefer)
        ),
        WIDTH,
    );
    let again = confirmation(tuned, number);
    *out += &format!(
        "\n{:<52}{:>24}",
        "target",
        format!("{} runs", count(runs(candidate)))
    );
    if let Some(again) = again {
        *out += &format!("{:>24}", format!("{} fresh seeds", count(again.runs)));
    }
    *out += "\n";
    for (at, of) in tuned.targets.iter().enumerate() {
        let verdict = &candidate.verdicts[at];
        *out += &format!("{:<52}{:>24}", target(tuned, *of), found(*of, verdict));
        if let Some(again) = again {
            *out += &format!("{:>24}", found(*of, &again.verdicts[at]));
        }
        *out += "\n";
    }
    *out += "shares of the runs, with 95 % intervals; a target is met where the far end of the interval meets it\n";
    if let Some(patch) = &tuned.patch
        && number > 0
    {
        *out += &format!("\n{patch}");
    }
    for besides in &tuned.besides {
        *out += &format!("besides, which no object holds: {besides}\n");
    }
}

fn none(tuned: &Tuned, palette: Palette) -> String {
    let mut out = format!("{}\n", palette.bold("No candidate meets all targets"));
    if !tuned.confirmations.is_empty() {
        let numbers: Vec<String> = tuned
            .confirmations
            .iter()
            .map(|confirmation| confirmation.candidate.to_string())
            .collect();
        out += &paragraph(
            &format!(
                "Candidate {} met them on the seeds that chose it, and not on fresh ones: targets and settings are too near \
                 to each other. Give the search more `runs`, or ease a target.",
                numbers.join(", ")
            ),
            WIDTH,
        );
        return out;
    }
    let met = |one: &usize| {
        let verdicts = tuned.candidates[*one].verdicts.iter();
        verdicts.filter(|verdict| verdict.met).count()
    };
    let finalists = (0..tuned.candidates.len()).filter(|one| tuned.candidates[*one].is_finalist());
    let Some(nearest) = finalists.rev().max_by_key(met) else {
        return out;
    };
    out += &paragraph(
        &format!(
            "Nearest comes candidate {nearest} ({}), which misses:",
            settings(tuned, nearest)
        ),
        WIDTH,
    );
    for (of, verdict) in tuned
        .targets
        .iter()
        .zip(&tuned.candidates[nearest].verdicts)
    {
        if !verdict.met {
            out += &format!("  {}: {}\n", target(tuned, *of), found(*of, verdict));
        }
    }
    out += "Widen the space, give the search more `runs`, or ease a target.\n";
    out
}
