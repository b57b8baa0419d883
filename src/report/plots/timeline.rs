//! `timeline.svg`: one run in one picture. Traffic, success rate, latency and pods over one time axis, phases as bands behind
//! them, the decision as a line through all of them, the checks as marks where they were made, faults as bands above.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::canary::Phase;
use crate::record::{Outcome, Record, TrafficSecond};
use crate::report::checks::Round;
use crate::report::verdict::short;
use crate::report::words::comparison;
use crate::time::Timestamp;

use super::PlotError;
use super::axis::round_up;
use super::canvas::{
    Canvas, Checked, Drawn, Key, LEFT, PANEL_GAP, PANEL_TITLE, Panel, RIGHT, WIDTH, x_of,
};
use super::faults::{Band, faults, lanes};
use super::series::{
    Bucket, Measure, bounds, bucket_seconds, buckets, lines, measure, on_scale, phases, rounds,
    shown, shown_seconds, steps,
};
use super::theme::{self, CANARY, FAILED, INK, PASSED, PRIMARY, TEXT, bold, letters};

/// Height of the picture without faults, in pixels.
const HEIGHT: i32 = 1322;
/// The strip of phases and the row of checks.
const PHASES: (i32, i32) = (160, 194);
const CHECKS: (i32, i32) = (200, 230);
/// Upper edge of the lanes of faults; where there are none, of the first panel.
const FAULTS: i32 = 240;
/// Height of a lane of faults, and of the bands in it.
const LANE: (i32, i32) = (30, 24);
/// Failed checks whose values are written beside their marks; of more, only the last.
const FAILURES_NAMED: usize = 3;

/// The picture, as SVG.
pub fn render(record: &Record) -> Result<String, PlotError> {
    let mut svg = String::new();
    let end_ms = shown_seconds(record) * 1000;
    let lanes = lanes(faults(record, end_ms), |ms| x_of(ms, end_ms));
    let height = HEIGHT + lanes.len() as i32 * LANE.0;
    let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32));
    let figure = Figure::new(record, lanes, root);
    figure.draw()?;
    figure.canvas.root.present()?;
    drop(figure);
    Ok(svg)
}

struct Figure<'a, 'b> {
    record: &'a Record,
    canvas: Canvas<'b>,
    phases: Vec<(Phase, i64, i64)>,
    lanes: Vec<Vec<Band>>,
    bucket_s: i64,
    buckets: Vec<Bucket>,
}

impl<'a, 'b> Figure<'a, 'b> {
    fn new(record: &'a Record, lanes: Vec<Vec<Band>>, root: SVGBackend<'b>) -> Self {
        let shown_s = shown_seconds(record);
        let bucket_s = bucket_seconds(record, shown_s);
        let end_ms = shown_s * 1000;
        Figure {
            record,
            canvas: Canvas {
                root: root.into_drawing_area(),
                end_ms,
                marked: decision(record).map(|(_, at, colour)| (at.as_millis(), colour)),
            },
            phases: phases(record, end_ms),
            lanes,
            bucket_s,
            buckets: buckets(record, shown_s, bucket_s),
        }
    }

    fn draw(&self) -> Drawn {
        self.canvas.root.fill(&WHITE)?;
        self.titles()?;
        self.phase_strip()?;
        let traffic = FAULTS + self.lanes.len() as i32 * LANE.0;
        self.canvas.marked_line(PHASES.0 - 6, traffic)?;
        self.checks_row()?;
        self.faults()?;
        let success = self.traffic(traffic, 230)?;
        let latency = self.success(success, 270)?;
        let pods = self.latency(latency, 200)?;
        let bottom = self.pods(pods, 140)?;
        self.canvas.time_labels(bottom)
    }

    fn titles(&self) -> Drawn {
        let record = self.record;
        let title = record.scenario["title"]
            .as_str()
            .filter(|title| !title.is_empty());
        let title = title.map_or_else(
            || record.scenario_name.clone(),
            |title| format!("{}: {title}", record.scenario_name),
        );
        let setting = format!(
            "{}, rules {}, provider {}, interval {}, seed {}",
            record.canary,
            record.rules.as_str(),
            record
                .provider
                .map_or("unknown", |provider| provider.as_str()),
            record.interval,
            record.seed
        );
        self.canvas.head(&title, &short(record), &setting)
    }

    fn phase_strip(&self) -> Drawn {
        let middle = (PHASES.0 + PHASES.1) / 2;
        self.canvas.text(
            "phase",
            (LEFT - 12, middle),
            letters(TEXT, INK, HPos::Right),
        )?;
        for (phase, start, end) in &self.phases {
            let (x0, x1) = (self.canvas.x(*start), self.canvas.x(*end));
            let block = Rectangle::new(
                [(x0, PHASES.0), (x1, PHASES.1)],
                theme::phase(*phase).filled(),
            );
            self.canvas.root.draw(&block)?;
            self.canvas
                .stroke(&[(x0, PHASES.0), (x0, PHASES.1)], WHITE, 2)?;
            let name = phase.as_str();
            // A phase too short for its name shows its colour alone.
            if theme::width(name, TEXT) + 6 <= x1 - x0 {
                let place = ((x0 + x1) / 2, middle);
                self.canvas
                    .text(name, place, letters(TEXT, INK, HPos::Center))?;
            }
        }
        let Some((word, at, colour)) = decision(self.record) else {
            return Ok(());
        };
        let (x, middle) = (self.canvas.x(at.as_millis()), (LEFT + RIGHT) / 2);
        let anchor = if x < middle { HPos::Left } else { HPos::Right };
        let text = format!("{word} at {}", at.clock());
        self.canvas
            .text(&text, (x, PHASES.0 - 20), bold(TEXT, colour, anchor))
    }

    fn checks_row(&self) -> Drawn {
        let canvas = &self.canvas;
        let middle = (CHECKS.0 + CHECKS.1) / 2;
        canvas.text(
            "checks",
            (LEFT - 12, middle),
            letters(TEXT, INK, HPos::Right),
        )?;
        let rounds: Vec<Round> = rounds(self.record, canvas.end_ms).collect();
        let x = |round: &Round| canvas.x(round.at.as_millis());
        for (i, round) in rounds.iter().enumerate() {
            canvas.mark((x(round), middle), round.passed())?;
            // What is on no scale below is written here, where there is room before the next mark.
            let Some(check) = round.failure().filter(|check| on_scale(check).is_none()) else {
                continue;
            };
            let (text, left) = (comparison(check), x(round) + 16);
            let room = rounds.get(i + 1).map_or(RIGHT, x) - 12 - left;
            if theme::width(&text, TEXT) <= room {
                canvas.text(&text, (left, middle), bold(TEXT, FAILED, HPos::Left))?;
            }
        }
        canvas.mark((RIGHT + 32, middle), true)?;
        canvas.text(
            "passed",
            (RIGHT + 48, middle),
            letters(TEXT - 1, INK, HPos::Left),
        )?;
        canvas.mark((RIGHT + 132, middle), false)?;
        canvas.text(
            "failed",
            (RIGHT + 148, middle),
            letters(TEXT - 1, INK, HPos::Left),
        )
    }

    fn faults(&self) -> Drawn {
        let canvas = &self.canvas;
        for (lane, bands) in self.lanes.iter().enumerate() {
            let top = FAULTS + lane as i32 * LANE.0;
            let (bottom, middle) = (top + LANE.1, top + LANE.1 / 2);
            if lane == 0 {
                let place = (LEFT - 12, middle);
                canvas.text("faults", place, letters(TEXT, INK, HPos::Right))?;
            }
            for band in bands {
                let corners = [(band.from, top), (band.to, bottom)];
                canvas
                    .root
                    .draw(&Rectangle::new(corners, theme::FAULT.filled()))?;
                canvas.stroke(&[(band.from, top), (band.from, bottom)], FAILED, 2)?;
                let (x, anchor) = band.name_at;
                canvas.text(&band.name, (x, middle), letters(TEXT - 1, INK, anchor))?;
            }
        }
        Ok(())
    }

    fn traffic(&self, top: i32, height: i32) -> Result<i32, PlotError> {
        let requested = self.by_second(|second| second.canary_weight as f64);
        let got = lines(&self.buckets, |bucket| bucket.canary_share);
        let highest = highest(requested.iter().chain(got.iter().flatten()));
        let panel = Panel {
            title: "Traffic to the canary, % of requests",
            top,
            height,
            low: 0.0,
            high: round_up((highest * 1.05).max(10.0)).min(105.0),
            ticks: 5,
        };
        let mut plot = self.canvas.panel(&panel, &self.phases)?;
        for line in got {
            plot.area(line.clone(), CANARY)?;
            plot.line(line, CANARY)?;
        }
        plot.line(requested, INK)?;
        let legend = [
            Key::line(INK, "weight requested"),
            Key::line(CANARY, format!("share realised, {} s", self.bucket_s)),
        ];
        self.canvas.legend(top, &legend)?;
        Ok(below(&panel))
    }

    fn success(&self, top: i32, height: i32) -> Result<i32, PlotError> {
        let users = lines(&self.buckets, |bucket| bucket.success);
        let canary = lines(&self.buckets, |bucket| bucket.canary_success);
        let bounds = bounds(self.record, Measure::Success);
        let checked = self.checked(Measure::Success);
        let lowest = (users.iter().chain(&canary).flatten().map(|(_, v)| *v))
            .chain(bounds.iter().copied())
            .chain(checked.iter().map(|check| check.value))
            .fold(99.0, f64::min)
            .max(0.0);
        // Some of the range stays free below the lowest value and above 100.
        let low = (lowest - (100.0 - lowest) / 5.0).max(0.0).floor();
        let panel = Panel {
            title: "Success rate, % of requests without 5xx",
            top,
            height,
            low,
            high: 100.0 + (100.0 - low) / 12.0,
            ticks: 6,
        };
        let mut plot = self.canvas.panel(&panel, &self.phases)?;
        plot.bounds(&bounds)?;
        for line in canary {
            plot.broad_line(line, CANARY)?;
        }
        for line in users {
            plot.line(line, PRIMARY)?;
        }
        plot.checked(&checked)?;
        let mut legend = vec![
            Key::line(PRIMARY, format!("all users, {} s", self.bucket_s)),
            Key::line(CANARY, format!("canary's users, {} s", self.bucket_s)),
        ];
        legend.extend(
            bounds
                .iter()
                .map(|bound| Key::bound(format!("bound: at least {bound}"))),
        );
        self.explain(top, &legend, &checked)?;
        Ok(below(&panel))
    }

    fn latency(&self, top: i32, height: i32) -> Result<i32, PlotError> {
        let users = lines(&self.buckets, |bucket| bucket.p99_ms);
        let bounds = bounds(self.record, Measure::Latency);
        let checked = self.checked(Measure::Latency);
        let highest = (users.iter().flatten().map(|(_, v)| *v))
            .chain(bounds.iter().copied())
            .chain(checked.iter().map(|check| check.value))
            .fold(0.0, f64::max);
        let panel = Panel {
            title: "Latency, 99th percentile, ms",
            top,
            height,
            low: 0.0,
            high: round_up((highest * 1.1).max(1.0)),
            ticks: 4,
        };
        let mut plot = self.canvas.panel(&panel, &self.phases)?;
        plot.bounds(&bounds)?;
        for line in users {
            plot.line(line, PRIMARY)?;
        }
        plot.checked(&checked)?;
        let mut legend = vec![Key::line(
            PRIMARY,
            format!("all users, worst of {} s", self.bucket_s),
        )];
        legend.extend(
            bounds
                .iter()
                .map(|bound| Key::bound(format!("bound: at most {bound}"))),
        );
        self.explain(top, &legend, &checked)?;
        Ok(below(&panel))
    }

    fn pods(&self, top: i32, height: i32) -> Result<i32, PlotError> {
        let primary = self.by_second(|second| f64::from(second.primary_ready));
        let canary = self.by_second(|second| f64::from(second.canary_ready));
        let primary_wanted = self.by_second(|second| f64::from(second.primary_wanted));
        let canary_wanted = self.by_second(|second| f64::from(second.canary_wanted));
        let all = [&primary, &canary, &primary_wanted, &canary_wanted];
        let panel = Panel {
            title: "Pods: ready, and wanted",
            top,
            height,
            low: 0.0,
            high: (highest(all.into_iter().flatten()) * 1.15).max(2.0),
            ticks: 3,
        };
        let mut plot = self.canvas.panel(&panel, &self.phases)?;
        plot.broad_line(primary, PRIMARY)?;
        plot.line(canary, CANARY)?;
        plot.dashed_steps(&primary_wanted, PRIMARY)?;
        plot.dashed_steps(&canary_wanted, CANARY)?;
        let legend = [
            Key::line(PRIMARY, "primary, ready"),
            Key::line(CANARY, "canary, ready"),
            Key::dashed(PRIMARY, "primary, wanted"),
            Key::dashed(CANARY, "canary, wanted"),
        ];
        self.canvas.legend(top, &legend)?;
        Ok(below(&panel))
    }

    /// A whole number of each second, as a line of steps.
    fn by_second(&self, value: impl Fn(&TrafficSecond) -> f64) -> Vec<(i64, f64)> {
        let end_ms = self.canvas.end_ms;
        let seconds = shown(self.record, end_ms / 1000);
        steps(
            seconds.map(|second| (second.at_s * 1000, value(second))),
            end_ms,
        )
    }

    /// Values of the checks of one measure that a scale has room for.
    fn checked(&self, of: Measure) -> Vec<Checked> {
        let mut checked: Vec<Checked> = rounds(self.record, self.canvas.end_ms)
            .flat_map(|round| round.checks)
            .filter(|check| measure(check) == of)
            .filter_map(|check| {
                Some(Checked {
                    at_ms: check.at.as_millis(),
                    value: on_scale(check)?,
                    passed: check.passed,
                    text: if check.passed {
                        String::new()
                    } else {
                        comparison(check)
                    },
                })
            })
            .collect();
        let failed = checked.iter().filter(|check| !check.passed).count();
        if failed > FAILURES_NAMED {
            let last = checked.iter().rposition(|check| !check.passed);
            for (i, check) in checked.iter_mut().enumerate() {
                if Some(i) != last {
                    check.text.clear();
                }
            }
        }
        checked
    }

    fn explain(&self, top: i32, legend: &[Key], checked: &[Checked]) -> Drawn {
        self.canvas.legend(top, legend)?;
        if checked.is_empty() {
            return Ok(());
        }
        self.canvas.legend_of_checks(top, legend.len())
    }
}

/// The decision, its time and colour: the moment that is marked in every panel.
fn decision(record: &Record) -> Option<(&'static str, Timestamp, RGBColor)> {
    let (word, at, colour) = match record.outcome {
        Outcome::Promoted => ("promotion decided", record.decided_at, PASSED),
        Outcome::PromotionFailed => ("promotion failed", record.finished_at, FAILED),
        _ => ("rollback decided", record.decided_at, FAILED),
    };
    Some((word, at?, colour))
}

/// Upper edge of the panel that comes below another.
fn below(panel: &Panel) -> i32 {
    panel.top + PANEL_TITLE + panel.height + PANEL_GAP
}

fn highest<'p>(points: impl Iterator<Item = &'p (i64, f64)>) -> f64 {
    points.map(|(_, v)| *v).fold(0.0, f64::max)
}
