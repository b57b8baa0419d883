//! The canary's weight over time as a line of blocks, one above the other for two runs: a picture that any terminal and any
//! Markdown shows.

use crate::record::Outcome;
use crate::report::verdict::headline;
use crate::study::check::Story;
use crate::time::Timestamp;

/// Most steps of time that are drawn.
const STEPS: i64 = 36;
/// Columns of a step.
const STEP: usize = 2;
/// Columns of the names.
const NAME: usize = 8;

/// Named runs, one a line, under an axis.
pub fn weights(stories: &[(&str, &Story)]) -> String {
    let end = stories
        .iter()
        .map(|(_, story)| end_ms(story))
        .max()
        .unwrap_or(0);
    let step = step_ms(stories, end);
    let steps = end / step + 1;
    let mut out = axis(step, steps);
    for (name, story) in stories {
        let last = end_ms(story) / step;
        let blocks: String = (0..steps)
            .map(|at| match at {
                at if at > last => ' '.to_string().repeat(STEP),
                at => block(weight_at(story, at * step)).to_string().repeat(STEP),
            })
            .collect();
        out += &format!("{name:NAME$} {blocks}  {}\n", ending(story));
    }
    out
}

/// How a run ended: `rolled back, decided at 1:00`.
pub fn ending(story: &Story) -> String {
    let outcome = headline(story.outcome).to_lowercase();
    match story.decided_at {
        Some(at) => format!("{outcome}, decided at {}", at.clock()),
        None => outcome,
    }
}

/// The decision, else the last change of the weight.
fn end_ms(story: &Story) -> i64 {
    let last = story.weights.last().map_or(0, |(at, _)| at.as_millis());
    match (story.outcome, story.decided_at) {
        (Outcome::NotStarted, _) => 0,
        (_, Some(at)) => at.as_millis().max(last),
        (_, None) => last,
    }
}

/// The shortest time between two changes, or more where the picture would get too wide.
fn step_ms(stories: &[(&str, &Story)], end: i64) -> i64 {
    let changes = stories
        .iter()
        .flat_map(|(_, story)| story.weights.windows(2));
    let shortest = changes
        .map(|pair| (pair[1].0 - pair[0].0).as_millis())
        .min();
    let shortest = shortest.unwrap_or(30_000).max(1000);
    shortest * (end / shortest / STEPS + 1)
}

fn weight_at(story: &Story, ms: i64) -> i64 {
    let before = story
        .weights
        .iter()
        .take_while(|(at, _)| at.as_millis() <= ms);
    before.last().map_or(0, |(_, weight)| *weight)
}

fn block(weight: i64) -> char {
    const BLOCKS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let eighths = (weight.clamp(0, 100) * 8 + 99) / 100;
    BLOCKS[usize::try_from(eighths).unwrap_or(0)]
}

/// A time every few steps.
fn axis(step: i64, steps: i64) -> String {
    const EVERY: i64 = 4;
    let mut line = format!("{:NAME$} ", "weight");
    for at in (0..steps).step_by(EVERY as usize) {
        let label = Timestamp::from_millis(at * step).clock();
        line += &format!("{label:width$}", width = EVERY as usize * STEP);
    }
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(outcome: Outcome, decided_s: i64, weights: &[(i64, i64)]) -> Story {
        let weights = weights.iter();
        Story {
            outcome,
            decided_at: Some(Timestamp::from_secs(decided_s)),
            weights: weights
                .map(|(at, weight)| (Timestamp::from_secs(*at), *weight))
                .collect(),
        }
    }

    #[test]
    fn two_runs_stand_one_above_the_other() {
        let promoted = [
            (0, 0),
            (30, 10),
            (60, 20),
            (90, 30),
            (120, 40),
            (150, 50),
            (180, 100),
        ];
        let before = story(Outcome::Promoted, 180, &promoted);
        let now = story(Outcome::RolledBack, 60, &[(0, 0), (30, 10), (60, 0)]);
        assert_eq!(
            weights(&[("before", &before), ("now", &now)]),
            "weight   0:00    2:00\n\
             before   ··▁▁▂▂▃▃▄▄▄▄██  promoted, decided at 3:00\n\
             now      ··▁▁··          rolled back, decided at 1:00\n"
        );
    }

    #[test]
    fn a_long_run_is_drawn_in_longer_steps() {
        let long = story(Outcome::Promoted, 7200, &[(0, 0), (10, 5), (7200, 100)]);
        let drawn = weights(&[("now", &long)]);
        assert!(
            drawn.lines().all(|line| line.chars().count() < 120),
            "{drawn}"
        );
    }
}
