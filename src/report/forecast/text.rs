//! A forecast on the terminal: how sure each outcome is, when it is decided and by what, what users pay. 100 columns wide.

use crate::record::Outcome;
use crate::report::text::{Palette, WIDTH, paragraph};
use crate::report::verdict::headline;
use crate::report::words::{count, counted, latency, percent};
use crate::study::forecast::{self, Counted, Forecast, Objective, Spread, Tail};
use crate::time::Timestamp;

/// Columns of a row's name, and of each number.
const NAME: usize = 28;
const NUMBER: usize = 11;
/// Columns of a share's bar.
const BAR: usize = 24;

/// A forecast as text.
pub fn render(forecast: &Forecast, palette: Palette) -> String {
    let mut out = String::new();
    title(forecast, palette, &mut out);
    shares(forecast, palette, &mut out);
    times(forecast, &mut out);
    users(forecast, &mut out);
    tails(forecast, &mut out);
    out
}

fn title(forecast: &Forecast, palette: Palette, out: &mut String) {
    let subject = &forecast.subject;
    let name = if subject.title.is_empty() {
        subject.scenario.clone()
    } else {
        format!("{}: {}", subject.scenario, subject.title)
    };
    *out += &format!("{}\n", palette.bold(&name));
    let provider = subject.provider.map_or("unknown", |p| p.as_str());
    let runs = forecast.runs.len() as u64;
    *out += &paragraph(
        &format!(
            "{}, rules {}, provider {provider}, interval {}, {}, seeds {} to {}{}",
            subject.canary,
            subject.rules.as_str(),
            subject.interval,
            counted(runs, "run"),
            subject.first_seed,
            forecast
                .runs
                .last()
                .map_or(subject.first_seed, |run| run.seed),
            if runs < forecast.planned {
                format!("; ended early, of {} planned", count(forecast.planned))
            } else {
                String::new()
            }
        ),
        WIDTH,
    );
}

/// Each outcome with its share; those that never came only where they could be hoped for or feared.
fn shares(forecast: &Forecast, palette: Palette, out: &mut String) {
    *out += &format!(
        "\n{:NAME$}{:>NUMBER$}{:>NUMBER$}   95 % interval\n",
        "outcome", "runs", "% of all"
    );
    let outcomes = forecast::outcomes(&forecast.runs);
    for (i, (outcome, counted)) in outcomes.into_iter().enumerate() {
        if i < 2 || counted.count > 0 {
            let name = format!("{:NAME$}", headline(outcome));
            *out += &palette.outcome_name(outcome, &name);
            *out += &share(counted);
        }
    }
    let deciders = forecast::deciders(&forecast.runs);
    if deciders.is_empty() {
        return;
    }
    *out += &format!(
        "\n{:NAME$}{:>NUMBER$}{:>NUMBER$}   95 % interval\n",
        "rolled back by", "runs", "% of these"
    );
    for (metric, counted) in deciders {
        let name = metric.as_deref().unwrap_or("no failed check");
        *out += &format!("{name:NAME$}{}", share(counted));
    }
}

/// `      63.2 %  (60.1 to 66.2)  ██████`.
fn share(counted: Counted) -> String {
    let share = counted.share;
    let interval = format!("{} to {}", percent(share.lo), percent(share.hi));
    let full = (share.p * BAR as f64).round() as usize;
    let line = format!(
        "{:>NUMBER$}{:>NUMBER$}   {interval:<16} {}",
        count(counted.count),
        percent(share.p),
        "█".repeat(full),
    );
    format!("{}\n", line.trim_end())
}

fn times(forecast: &Forecast, out: &mut String) {
    let runs = &forecast.runs;
    let rows = [
        (
            "rollback decided",
            forecast::decided_at(runs, |outcome| outcome == Outcome::RolledBack),
        ),
        (
            "promotion decided",
            forecast::decided_at(runs, |outcome| outcome == Outcome::Promoted),
        ),
        ("promotion finished", forecast::promoted_at(runs)),
    ];
    let rows: Vec<(&str, Spread)> = rows
        .into_iter()
        .filter_map(|(name, spread)| Some((name, spread?)))
        .collect();
    if rows.is_empty() {
        return;
    }
    *out += &heads(
        "time since detection",
        ["5 %", "25 %", "median", "75 %", "95 %", "last"],
    );
    for (name, spread) in rows {
        *out += &format!("{name:NAME$}");
        let quantiles = spread.quantiles.map(|quantile| quantile.value);
        for seconds in quantiles.into_iter().chain([spread.max]) {
            *out += &format!("{:>NUMBER$}", clock(seconds));
        }
        *out += "\n";
    }
}

fn users(forecast: &Forecast, out: &mut String) {
    let runs = &forecast.runs;
    let requests = |value: fn(&crate::record::RequestTotals) -> u64| {
        forecast::each(runs, |run| Some(value(&run.requests) as f64))
    };
    let whole: fn(f64) -> String = |n| count(n.round() as u64);
    type Shown = fn(f64) -> String;
    let rows: [(&str, Option<Spread>, Shown); 5] = [
        ("requests", requests(|r| r.total), whole),
        ("failed", requests(|r| r.failed), whole),
        ("served by the canary", requests(|r| r.canary), whole),
        ("of these, failed", requests(|r| r.canary_failed), whole),
        (
            "latency, 99th percentile",
            forecast::each(runs, |run| run.latency_p99_us.map(|us| us as f64 / 1000.0)),
            latency,
        ),
    ];
    *out += &heads(
        "users, in one run",
        ["mean", "5 %", "median", "95 %", "most", ""],
    );
    for (name, spread, shown) in rows {
        if let Some(spread) = spread {
            *out += &row(name, &spread, shown);
        }
    }
    if let Some(objective) = forecast.subject.objective {
        let used = forecast::each(runs, |run| forecast::budget(run, objective));
        if let Some(used) = used {
            let shown = |share| format!("{} %", percent_over(share));
            *out += &row(&budget_name(objective), &used, shown);
        }
    }
}

fn row(name: &str, spread: &Spread, shown: fn(f64) -> String) -> String {
    let [p05, _, p50, _, p95] = spread.quantiles.map(|quantile| quantile.value);
    let mut line = format!("{name:NAME$}");
    for value in [spread.mean, p05, p50, p95, spread.max] {
        line += &format!("{:>NUMBER$}", shown(value));
    }
    line + "\n"
}

fn budget_name(objective: Objective) -> String {
    let days = objective.period.as_secs_f64() / 86_400.0;
    let percent = 100.0 - f64::from(objective.failures_per_million) / 1e4;
    format!("budget of {days:.0}d at {percent}%")
}

/// A share that may be above 1.
fn percent_over(share: f64) -> String {
    if share < 1.0 {
        percent(share)
    } else {
        format!("{:.0}", 100.0 * share)
    }
}

fn heads(name: &str, heads: [&str; 6]) -> String {
    let mut line = format!("\n{name:NAME$}");
    for head in heads {
        line += &format!("{head:>NUMBER$}");
    }
    format!("{}\n", line.trim_end())
}

fn tails(forecast: &Forecast, out: &mut String) {
    let decided = forecast.runs.iter().filter_map(|run| run.decided_at);
    let (first, last) = (decided.clone().min(), decided.max());
    let told = |tail: Tail| {
        let run = forecast::tail(&forecast.runs, tail)?;
        // An end that is no different from the other is not worth a look.
        let what = match tail {
            Tail::Worst if run.requests.failed > 0 => {
                format!("most failed requests ({})", count(run.requests.failed))
            }
            Tail::Slowest if first < last => format!("decided last ({})", run.decided_at?.clock()),
            Tail::Fastest if first < last => format!("decided first ({})", run.decided_at?.clock()),
            Tail::Rarest => format!("the rarest outcome ({})", run.outcome.as_str()),
            _ => return None,
        };
        Some(format!("seed {} {what}", run.seed))
    };
    let told: Vec<String> = Tail::ALL.into_iter().filter_map(told).collect();
    if told.is_empty() {
        return;
    }
    *out += "\n";
    *out += &paragraph(
        &format!(
            "Runs worth a second look: {}. `{} --seed N` tells the story of one.",
            told.join(", "),
            forecast.subject.command
        ),
        WIDTH,
    );
}

fn clock(seconds: f64) -> String {
    Timestamp::from_millis((seconds * 1000.0).round() as i64).clock()
}
