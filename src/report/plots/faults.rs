//! The faults that a scenario puts in, as bands with their names: in lanes, so that none covers another.

use plotters::style::text_anchor::HPos;
use serde_json::Value;

use crate::record::Record;

use super::canvas::{LEFT, RIGHT};
use super::theme::{TEXT, width};

/// Free pixels between a band and a name, and between neighbours in a lane.
const GAP: i32 = 8;

/// A fault in the shown part of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    /// Its beginning, in milliseconds from the run's zero.
    pub(super) start_ms: i64,
    /// Its end; its beginning where it is over at once.
    pub(super) end_ms: i64,
    /// What it does, and to whom.
    pub(super) name: String,
}

/// A fault as it is drawn, in pixels.
pub(super) struct Band {
    pub(super) from: i32,
    pub(super) to: i32,
    pub(super) name: String,
    /// Where the name is anchored.
    pub(super) name_at: (i32, HPos),
    /// From where to where band and name need room.
    taken: (i32, i32),
}

/// The faults that go on before `end_ms`, in order of their start.
pub(super) fn faults(record: &Record, end_ms: i64) -> Vec<Fault> {
    // A fault's times count from the scenario's zero, a record's from the tick that detected the new revision.
    let horizon = record.scenario["run"]["horizon"].as_i64();
    let zero = horizon.map_or(0, |horizon| horizon - record.ended_at.as_millis());
    let list = record.scenario["chaos"].as_array();
    let faults = list.into_iter().flatten().filter_map(|fault| {
        let start_ms = fault["start"].as_i64()? - zero;
        let name = name(fault)?;
        let until = match name.as_str() {
            // Done at once.
            "pod-kill" | "reload" => start_ms,
            _ => fault["end"].as_i64().map_or(end_ms, |end| end - zero),
        };
        Some(Fault {
            start_ms,
            end_ms: until.min(end_ms),
            name: [
                Some(name.as_str()),
                fault["version"].as_str(),
                fault["workload"].as_str(),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
        })
    });
    faults
        .filter(|fault| fault.start_ms < end_ms && fault.end_ms >= 0)
        .collect()
}

/// What a fault does: `latency`, `pod-kill`.
fn name(fault: &Value) -> Option<String> {
    match &fault["kind"] {
        Value::String(name) => Some(name.clone()),
        Value::Object(kind) => kind.keys().next().cloned(),
        _ => None,
    }
}

/// Bands of faults, each in the first lane that has room for it and its name; `x` is where a moment lies.
pub(super) fn lanes(faults: Vec<Fault>, x: impl Fn(i64) -> i32) -> Vec<Vec<Band>> {
    let mut lanes: Vec<Vec<Band>> = Vec::new();
    for fault in faults {
        let band = Band::of(fault, &x);
        match lanes.iter_mut().find(|lane| band.fits(lane)) {
            Some(lane) => lane.push(band),
            None => lanes.push(vec![band]),
        }
    }
    lanes
}

impl Band {
    fn of(fault: Fault, x: impl Fn(i64) -> i32) -> Self {
        let from = x(fault.start_ms);
        // What is over at once shows all the same.
        let to = x(fault.end_ms).max(from + 4);
        let room = width(&fault.name, TEXT);
        let (name_at, taken) = if room + GAP <= to - from {
            (((from + to) / 2, HPos::Center), (from, to))
        } else if to + GAP + room <= RIGHT {
            ((to + GAP, HPos::Left), (from, to + GAP + room))
        } else {
            let left = (from - GAP - room).max(LEFT);
            ((from - GAP, HPos::Right), (left, to))
        };
        Band {
            from,
            to,
            name: fault.name,
            name_at,
            taken,
        }
    }

    fn fits(&self, lane: &[Band]) -> bool {
        lane.iter()
            .all(|other| self.taken.1 + GAP <= other.taken.0 || other.taken.1 + GAP <= self.taken.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(start_ms: i64, end_ms: i64) -> Fault {
        Fault {
            start_ms,
            end_ms,
            name: "latency".to_owned(),
        }
    }

    #[test]
    fn faults_that_overlap_lie_in_lanes_of_their_own_and_others_share_one() {
        let faults = vec![fault(200, 400), fault(300, 500), fault(600, 800)];
        let lanes = lanes(faults, |ms| ms as i32);
        let starts: Vec<Vec<i32>> = lanes
            .iter()
            .map(|lane| lane.iter().map(|band| band.from).collect())
            .collect();
        assert_eq!(starts, [vec![200, 600], vec![300]]);
    }

    #[test]
    fn a_name_stands_in_its_band_or_beside_it_inside_the_picture() {
        let at = |start, end| Band::of(fault(start, end), |ms| ms as i32).name_at;
        assert!(matches!(at(200, 400), (300, HPos::Center)));
        assert!(matches!(at(200, 210), (218, HPos::Left)));
        let edge = i64::from(RIGHT);
        let (x, anchor) = at(edge - 20, edge);
        assert!(x == RIGHT - 28 && matches!(anchor, HPos::Right));
    }
}
