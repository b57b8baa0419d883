//! Queries at random, seeded, over the series of a simulated ingress controller and those of [`series`].
//!
//! Every function, aggregation, operator, matching and modifier in scope has its turn as the outermost construct before any has
//! its second; what stands inside is drawn.

use std::fmt::Write;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Seconds between the scrapes of [`series`].
const INTERVAL: i64 = 15;

/// A source of queries. The same seed gives the same queries.
pub(crate) struct Generator {
    random: Xoshiro256PlusPlus,
    /// The moments that the samples lie between, in seconds.
    within: (i64, i64),
    turn: usize,
    legacy: bool,
}

const OVER_TIME: &[&str] = &[
    "absent_over_time",
    "avg_over_time",
    "changes",
    "count_over_time",
    "delta",
    "deriv",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "rate",
    "resets",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
];

const OF_VECTOR: &[&str] = &[
    "abs",
    "absent",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "exp",
    "floor",
    "histogram_count",
    "histogram_sum",
    "hour",
    "ln",
    "log10",
    "log2",
    "minute",
    "month",
    "rad",
    "round",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "tan",
    "tanh",
    "timestamp",
    "year",
    "-",
    "+",
];

const AGGREGATIONS: &[&str] = &[
    "avg",
    "bottomk",
    "count",
    "count_values",
    "group",
    "max",
    "min",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
];

const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "^", "atan2"];
const COMPARISONS: &[&str] = &["==", "!=", ">", "<", ">=", "<="];
const SETS: &[&str] = &["and", "or", "unless"];

/// What else has its turn.
const SPECIAL: &[&str] = &[
    "clamp",
    "clamp_min",
    "clamp_max",
    "round_to",
    "label_replace",
    "label_join",
    "histogram_quantile",
    "histogram_fraction",
    "quantile_over_time",
    "predict_linear",
    "scalar",
    "vector",
    "time",
    "pi",
    "date_of_now",
    "holt_winters_or_not",
    "selector",
    "offset",
    "negative_offset",
    "at",
    "at_start",
    "at_end",
    "subquery",
    "subquery_default_step",
    "scalar_arithmetic",
    "literal",
];

/// How two sides are matched.
const MATCHINGS: &[&str] = &[
    "plain",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "scalar",
];

impl Generator {
    /// Queries about samples that lie within these seconds, for 2.42 (`legacy`) or 3.
    pub(crate) fn new(seed: u64, within: (i64, i64), legacy: bool) -> Self {
        Generator {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            within,
            turn: 0,
            legacy,
        }
    }

    /// A moment in milliseconds: any, or exactly on a scrape of [`series`], where windows have their edges.
    pub(crate) fn moment(&mut self) -> i64 {
        let (from, to) = self.within;
        let (from, to) = ((from - 60) * 1000, (to + 360) * 1000);
        let at = self.random.random_range(from..to);
        if self.random.random_bool(0.5) {
            at - at.rem_euclid(INTERVAL * 1000)
        } else {
            at
        }
    }

    /// The next query.
    pub(crate) fn query(&mut self) -> String {
        let turn = self.turn;
        self.turn += 1;
        let turns = turns();
        let query = turns[turn % turns.len()](self);
        match self.random.random_range(0..6) {
            0 => format!("sum({query}) by (status)"),
            1 => format!("({query}) > 0"),
            _ => query,
        }
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.choose(&mut self.random)
            .expect("a choice is not empty")
    }

    fn number(&mut self) -> &'static str {
        self.pick(&["0", "1", "0.5", "2", "-1", "60", "0.25", "1e3", "-0.1", "7"])
    }

    fn name(&mut self) -> &'static str {
        self.pick(&[
            "nginx_ingress_controller_requests",
            "nginx_ingress_controller_requests",
            "nginx_ingress_controller_request_duration_seconds_count",
            "nginx_ingress_controller_request_duration_seconds_sum",
            "nginx_ingress_controller_response_duration_seconds_sum",
            "drawn_total",
            "drawn_total",
            "drawn_value",
            "drawn_value",
        ])
    }

    /// A metric with matchers.
    fn series(&mut self) -> String {
        let matchers = self.pick(&[
            "",
            "",
            r#"{status="200"}"#,
            r#"{status!~"5.."}"#,
            r#"{status=~"5.."}"#,
            r#"{status!=""}"#,
            r#"{ingress=~"load-harness.*"}"#,
            r#"{ingress="load-harness",canary=""}"#,
            r#"{nothing="x"}"#,
        ]);
        format!("{}{matchers}", self.name())
    }

    fn buckets(&mut self) -> String {
        let family = self.pick(&["request", "response"]);
        format!("nginx_ingress_controller_{family}_duration_seconds_bucket")
    }

    fn range(&mut self) -> &'static str {
        self.pick(&["15s", "20s", "30s", "1m", "90s", "2m", "5m", "10m"])
    }

    fn offset(&mut self) -> &'static str {
        self.pick(&["", "", "", "", " offset 30s", " offset -15s", " offset 1m"])
    }

    fn instant(&mut self) -> String {
        let series = self.series();
        format!("{series}{}", self.offset())
    }

    fn matrix(&mut self) -> String {
        if self.random.random_bool(0.2) {
            return self.subquery(":15s");
        }
        let (series, range) = (self.series(), self.range());
        format!("{series}[{range}]{}", self.offset())
    }

    fn subquery(&mut self, step: &str) -> String {
        let (inner, range) = (self.vector(1), self.range());
        let range = if step == ":" { "5m" } else { range };
        format!("({inner})[{range}{step}]{}", self.offset())
    }

    /// Any instant vector, `depth` constructs deep at most.
    fn vector(&mut self, depth: u32) -> String {
        match self.random.random_range(0..if depth == 0 { 3 } else { 6 }) {
            0 => self.instant(),
            1 | 2 => {
                let function = self.pick(&["rate", "increase", "avg_over_time", "max_over_time"]);
                let (series, range) = (self.series(), self.range());
                format!("{function}({series}[{range}])")
            }
            3 => {
                let aggregation = self.pick(&["sum", "avg", "max", "count"]);
                let inner = self.vector(depth - 1);
                format!("{aggregation} by (status, ingress) ({inner})")
            }
            4 => {
                let (inner, number) = (self.vector(depth - 1), self.number());
                format!("({inner} * {number})")
            }
            _ => {
                let function = self.pick(&["abs", "ceil", "sqrt", "sgn"]);
                format!("{function}({})", self.vector(depth - 1))
            }
        }
    }

    fn aggregation(&mut self, name: &str) -> String {
        let parameter = match name {
            "topk" | "bottomk" => format!("{}, ", self.pick(&["1", "2", "3", "0", "100"])),
            "quantile" => format!("{}, ", self.pick(&["0.5", "0.99", "0", "1", "-1", "2"])),
            "count_values" => "\"counted\", ".to_owned(),
            _ => String::new(),
        };
        let grouping = self.pick(&[
            "",
            "by (status) ",
            "by (ingress, status) ",
            "by () ",
            "by (nothing) ",
            "without (status) ",
            "without (pod, instance, le) ",
        ]);
        // Of equal values the order of the series decides. A selector's is the storage's; over a range that of anything
        // computed is a Go map's (`promql/engine.go: rangeEval`), another one each time.
        let inner = match name {
            "topk" | "bottomk" => {
                format!("drawn_total{}", self.pick(&["", " offset 10s", " @ end()"]))
            }
            "count_values" => format!("round({}, 0.5)", self.vector(0)),
            _ => self.vector(1),
        };
        format!("{name} {grouping}({parameter}{inner})")
    }

    fn binary(&mut self, operator: &str, matching: &str) -> String {
        let comparison = COMPARISONS.contains(&operator);
        let bool = if comparison && self.random.random_bool(0.5) {
            " bool"
        } else {
            ""
        };
        let (family, range) = (self.name(), self.range());
        let many = format!("rate({family}[{range}])");
        let one = |by: &str| format!("sum by ({by}) (rate({family}[{range}]))");
        match matching {
            "scalar" => {
                let (inner, number) = (self.vector(1), self.number());
                if self.random.random_bool(0.5) {
                    format!("{inner} {operator}{bool} {number}")
                } else {
                    format!("{number} {operator}{bool} {inner}")
                }
            }
            "on" => {
                let (left, right) = (one("status, ingress"), one("status, ingress"));
                format!("{left} {operator}{bool} on (status, ingress) {right}")
            }
            "ignoring" => {
                let (left, right) = (one("status, ingress, job"), one("status, ingress"));
                format!("{left} {operator}{bool} ignoring (job) {right}")
            }
            "group_left" => {
                let include = self.pick(&["", "()", "(job)"]);
                let right = one(if include == "(job)" {
                    "status, job"
                } else {
                    "status"
                });
                format!("{many} {operator}{bool} on (status) group_left{include} {right}")
            }
            "group_right" => {
                let left = one("status");
                format!("{left} {operator}{bool} on (status) group_right {many}")
            }
            _ => {
                let series = self.series();
                let offset = self.offset();
                format!("{series} {operator}{bool} {series}{offset}")
            }
        }
    }

    fn set(&mut self, operator: &str) -> String {
        let (left, right) = (self.vector(1), self.vector(1));
        let on = self.pick(&["", " on (status)", " on ()", " ignoring (le, ingress)"]);
        format!("{left} {operator}{on} {right}")
    }

    fn at(&mut self) -> String {
        let (from, to) = self.within;
        self.random.random_range(from..to).to_string()
    }

    fn special(&mut self, what: &str) -> String {
        let inner = self.vector(1);
        let (a, b) = (self.number(), self.number());
        let phi = self.pick(&["0.5", "0.9", "0.99", "0", "1", "-0.1", "1.1"]);
        let (buckets, range) = (self.buckets(), self.range());
        let by = self.pick(&["le", "le, ingress", "le, status"]);
        match what {
            "clamp" => format!("clamp({inner}, {a}, {b})"),
            "clamp_min" => format!("clamp_min({inner}, {a})"),
            "clamp_max" => format!("clamp_max({inner}, {a})"),
            "round_to" => format!("round({inner}, 0.25)"),
            "label_replace" => {
                let replaced = self.pick(&[
                    r#""class", "${1}xx", "status", "(.)..""#,
                    r#""ingress", "$1", "ingress", "(.*)-primary""#,
                    r#""status", "", "status", ".*""#,
                    r#""new", "value-$0", "nothing", "(.*)""#,
                ]);
                format!("label_replace({inner}, {replaced})")
            }
            "label_join" => format!(r#"label_join({inner}, "joined", "-", "status", "ingress")"#),
            "histogram_quantile" => {
                format!("histogram_quantile({phi}, sum by ({by}) (rate({buckets}[{range}])))")
            }
            "histogram_fraction" => {
                format!("histogram_fraction({a}, {b}, sum by ({by}) (rate({buckets}[{range}])))")
            }
            "quantile_over_time" => format!("quantile_over_time({phi}, {})", self.matrix()),
            "predict_linear" => format!("predict_linear({}, {a})", self.matrix()),
            "scalar" => format!("scalar(sum({inner})) + {a}"),
            "vector" => format!("vector({a}) + {b}"),
            "time" => "time() + 0".to_owned(),
            "pi" => "pi() * 2".to_owned(),
            "date_of_now" => {
                let function = self.pick(&["hour", "minute", "day_of_week", "year", "month"]);
                format!("{function}()")
            }
            "holt_winters_or_not" if self.legacy => {
                format!("holt_winters({}, 0.5, 0.25)", self.matrix())
            }
            "holt_winters_or_not" | "selector" => {
                let le = self.pick(&[r#"le="0.1""#, r#"le=~"0\\..*""#, r#"le!="+Inf""#]);
                format!("{buckets}{{{le}}}")
            }
            "offset" => format!("{} offset 45s", self.series()),
            "negative_offset" => format!("{} offset -45s", self.series()),
            "at" => format!("{} @ {}", self.series(), self.at()),
            "at_start" => format!("rate({}[{range}] @ start())", self.series()),
            "at_end" => format!("rate({}[{range}] @ end() offset 15s)", self.series()),
            "subquery" => {
                let step = self.pick(&[":10s", ":15s", ":7s", ":1m"]);
                format!("max_over_time({})", self.subquery(step))
            }
            "subquery_default_step" => format!("avg_over_time({})", self.subquery(":")),
            "scalar_arithmetic" => {
                let operator = self.pick(ARITHMETIC);
                format!("{a} {operator} {b} + time()")
            }
            _ => self
                .pick(&["0x1f", "Inf", "-NaN", "\"text\"", ".5e-3", "1e300 * 1e300"])
                .to_owned(),
        }
    }
}

type Turn = Box<dyn Fn(&mut Generator) -> String>;

/// One constructor for everything in scope.
fn turns() -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for name in OVER_TIME {
        turns.push(Box::new(move |g| format!("{name}({})", g.matrix())));
    }
    for name in OF_VECTOR {
        turns.push(Box::new(move |g| format!("{name}({})", g.vector(1))));
    }
    for name in AGGREGATIONS {
        turns.push(Box::new(move |g| g.aggregation(name)));
    }
    for operator in ARITHMETIC.iter().chain(COMPARISONS) {
        for matching in MATCHINGS {
            turns.push(Box::new(move |g| g.binary(operator, matching)));
        }
    }
    for operator in SETS {
        turns.push(Box::new(move |g| g.set(operator)));
    }
    for what in SPECIAL {
        turns.push(Box::new(move |g| g.special(what)));
    }
    turns
}

/// How many queries it takes until everything had its turn.
pub(crate) fn one_round() -> usize {
    turns().len()
}

/// Samples that no healthy ingress exports, as OpenMetrics without its end: counters that reset, gaps beyond the lookback,
/// late births, NaN and infinities.
pub(crate) fn series(seed: u64, within: (i64, i64)) -> String {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut text = String::new();
    let first = within.0 - within.0.rem_euclid(INTERVAL);
    // In the order of the labels, as a block has them: of equal values `topk` takes the first.
    for ingress in ["load-harness", "load-harness-primary"] {
        for status in ["200", "404", "500"] {
            let labels = format!("{{ingress=\"{ingress}\",job=\"drawn\",status=\"{status}\"}}");
            let born = first + INTERVAL * random.random_range(0..20);
            let gap = born + INTERVAL * random.random_range(5..40);
            let gap = gap..gap + INTERVAL * random.random_range(1..30);
            let (mut count, mut value) = (random.random_range(0..50), 0.0);
            let mut values = String::new();
            for at in (born..within.1).step_by(INTERVAL as usize) {
                if random.random_bool(0.04) {
                    count = 0;
                }
                count += random.random_range(0..40);
                value += random.random_range(-1.0..1.0);
                let special = match random.random_range(0..60) {
                    0 => "NaN".to_owned(),
                    1 => "+Inf".to_owned(),
                    2 => "-0.0".to_owned(),
                    _ => format!("{value}"),
                };
                if !gap.contains(&at) && random.random_bool(0.95) {
                    writeln!(text, "drawn_total{labels} {count} {at}").unwrap();
                    writeln!(values, "drawn_value{labels} {special} {at}").unwrap();
                }
            }
            text += &values;
        }
    }
    text
}
