//! `ingress-mmc`, the request path's benchmark: one ingress, ten pods, one core.
//!
//! Poisson arrivals, 2519.1 a second (70 % utilisation); canary weight 20 %; 8 stable and 2 canary pods, round robin inside
//! the group; 8 first-come-first-served slots per pod; lognormal service times (median 20 ms, sigma 0.5); 2 % fail fast
//! (1 ms, and occupy a slot). A completion counts in its group and status: a counter, a 12-bucket histogram, a sum.
//! A scrape every 15 s of simulated time looks at all series.
//!
//! Three ways to run it, interleaved, so that whatever else the machine does falls on all of them: rollcast's request path
//! with all it does besides (per-second percentiles, flushes, CPU time of pods), the simulation framework `simcore` in its
//! leanest form (one component, arrivals in order), and the smallest event loop we could write over a binary heap.
//! Times are CPU time of the thread where the system tells it, else elapsed time; figures are medians, of ratios by round.
//!
//! `cargo bench --manifest-path benches/peers/Cargo.toml`, `-- --requests 1000000 --rounds 3` for a quick look.

#[path = "requests/framework.rs"]
mod framework;
#[path = "requests/heap.rs"]
mod heap;
#[path = "requests/model.rs"]
mod model;
#[path = "requests/ours.rs"]
mod ours;

use std::hint::black_box;
use std::time::Instant;

use model::Tally;

type Candidate = (&'static str, fn(u64, u64) -> Tally, u64);

/// What is measured, and how many requests for every one of ours.
const CANDIDATES: [Candidate; 3] = [
    ("rollcast", ours::run, 1),
    ("simcore lean", framework::run, 6),
    ("heap loop", heap::run, 3),
];

fn main() {
    let requests = argument("--requests").unwrap_or(6_000_000);
    let rounds = argument("--rounds").unwrap_or(9);
    let mut ns = [const { Vec::new() }; CANDIDATES.len()];
    for round in 0..=rounds {
        for (candidate, &(name, run, share)) in CANDIDATES.iter().enumerate() {
            let n = requests / share;
            let start = cpu_ns();
            let tally = black_box(run(black_box(n), round + 1));
            let each = (cpu_ns() - start) as f64 / n as f64;
            // The first round warms caches and checks that all run the same model.
            if round == 0 {
                println!("{name:14} {tally}");
                tally.assert_is_the_model(name);
            } else {
                ns[candidate].push(each);
            }
        }
    }
    println!();
    for ((name, ..), ns) in CANDIDATES.iter().zip(&ns) {
        let (low, high) = ns.iter().fold((f64::MAX, 0f64), |(low, high), &x| {
            (low.min(x), high.max(x))
        });
        println!(
            "{name:14} {:6.1} ns/request [{low:.1}..{high:.1}]",
            median(ns.clone())
        );
    }
    let ratio = |peer: usize| {
        let ratios = ns[peer].iter().zip(&ns[0]).map(|(peer, ours)| peer / ours);
        median(ratios.collect())
    };
    println!(
        "set-up         {:6.3} ms (tables of one scenario, once for all its runs)",
        ours::set_up_ms()
    );
    println!(
        "ingress-mmc: {:.1} ns/request; simcore lean / ours = {:.2}; heap loop / ours = {:.2}",
        median(ns[0].clone()),
        ratio(1),
        ratio(2)
    );
}

/// The number after a named argument.
fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)?.parse().ok()
}

/// CPU time of this thread as Linux counts it, else time elapsed.
fn cpu_ns() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(Instant::now);
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| start.elapsed().as_nanos() as u64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
