//! Which backend a request goes to: header, cookie, affinity and weight, in nginx's order.

use std::collections::BTreeMap;

use rollcast::scenario::RequestClass;
use rollcast::seed::RunSeed;
use rollcast::sim::clock::SECOND;
use rollcast::sim::ingress::{
    Affinity, Asked, Backend, Backend::Alternative as Canary, Backend::Main as Primary, Conditions,
    Rule, backend,
};
use rollcast::sim::requests::{ClassPlan, RequestPath};
use rollcast::sim::service::Side;

use crate::given::{Given, add_pods, set_endpoints, set_weight};

/// Conditions, headers and cookies, as texts: `header=value`, `header~pattern`.
struct Case {
    conditions: Conditions,
    headers: &'static [(&'static str, &'static str)],
    cookies: &'static [(&'static str, &'static str)],
    bound: Option<Backend>,
    /// The canary's weight, and whether it has endpoints.
    weight: u32,
    canary_answers: bool,
    expected: Backend,
}

fn conditions(header: &str, value: &str, pattern: &str, cookie: &str) -> Conditions {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Conditions {
        header: given(header),
        header_value: given(value),
        header_pattern: given(pattern),
        cookie: given(cookie),
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn header_goes_before_cookie_before_weight_and_affinity_before_all() {
    let plain = || conditions("x-canary", "", "", "canary");
    let valued = || conditions("x-canary", "insider", "", "canary");
    let pattern = || conditions("x-canary", "", "^v[0-9]+$", "canary");
    let case = |conditions, headers, cookies, weight, expected| Case {
        conditions,
        headers,
        cookies,
        bound: None,
        weight,
        canary_answers: true,
        expected,
    };
    type Pairs = &'static [(&'static str, &'static str)];
    const ALWAYS: Pairs = &[("x-canary", "always")];
    const NEVER: Pairs = &[("x-canary", "never")];
    const INSIDER: Pairs = &[("x-canary", "insider")];
    const V2: Pairs = &[("x-canary", "v2")];
    const OTHER: Pairs = &[("x-canary", "perhaps")];
    const COOKIE_ALWAYS: Pairs = &[("canary", "always")];
    const COOKIE_NEVER: Pairs = &[("canary", "never")];
    const NONE: Pairs = &[];
    let mut cases = vec![
        // The weight alone: never at 0, always at 100.
        case(plain(), NONE, NONE, 0, Primary),
        case(plain(), NONE, NONE, 100, Canary),
        // A header without a value: always and never count, other values fall through.
        case(plain(), ALWAYS, NONE, 0, Canary),
        case(plain(), NEVER, NONE, 100, Primary),
        case(plain(), ALWAYS, COOKIE_NEVER, 0, Canary),
        case(plain(), NEVER, COOKIE_ALWAYS, 100, Primary),
        case(plain(), OTHER, NONE, 0, Primary),
        case(plain(), OTHER, NONE, 100, Canary),
        case(plain(), OTHER, COOKIE_ALWAYS, 0, Canary),
        // With a value, always and never lose their meaning.
        case(valued(), INSIDER, NONE, 0, Canary),
        case(valued(), ALWAYS, NONE, 0, Primary),
        case(valued(), NEVER, NONE, 100, Canary),
        case(valued(), ALWAYS, COOKIE_NEVER, 100, Primary),
        // A pattern.
        case(pattern(), V2, NONE, 0, Canary),
        case(pattern(), ALWAYS, NONE, 0, Primary),
        case(pattern(), OTHER, COOKIE_ALWAYS, 0, Canary),
        // A value goes before a pattern; a pattern that is none means the primary, whatever comes after.
        case(conditions("x-canary", "a", "^v", ""), V2, NONE, 0, Primary),
        case(
            conditions("x-canary", "", "(", "canary"),
            V2,
            COOKIE_ALWAYS,
            100,
            Primary,
        ),
        // The cookie.
        case(plain(), NONE, COOKIE_ALWAYS, 0, Canary),
        case(plain(), NONE, COOKIE_NEVER, 100, Primary),
        case(plain(), NONE, &[("canary", "yes")], 100, Canary),
        // Headers that nobody asks for.
        case(Conditions::default(), ALWAYS, COOKIE_ALWAYS, 0, Primary),
    ];
    for bound in [Primary, Canary] {
        // An affinity cookie goes before header, cookie and weight.
        cases.push(Case {
            bound: Some(bound),
            ..case(plain(), ALWAYS, NONE, 100, bound)
        });
        cases.push(Case {
            bound: Some(bound),
            ..case(plain(), NEVER, COOKIE_NEVER, 0, bound)
        });
        // A canary without endpoints is no choice.
        cases.push(Case {
            bound: Some(bound),
            canary_answers: false,
            ..case(plain(), ALWAYS, COOKIE_ALWAYS, 100, Primary)
        });
    }
    for (number, case) in cases.into_iter().enumerate() {
        let (headers, cookies) = (map(case.headers), map(case.cookies));
        let asked = Asked {
            headers: &headers,
            cookies: &cookies,
            bound: case.bound,
        };
        let rule = Rule::new(case.conditions);
        for toss in [1, 50, 100] {
            let by_weight = if toss <= case.weight { Canary } else { Primary };
            let chosen = backend(&rule, case.canary_answers, asked, by_weight);
            assert_eq!(chosen, case.expected, "case {number}, toss {toss}");
        }
    }
}

fn class(name: &str, weight: f64) -> RequestClass {
    RequestClass {
        name: name.to_owned(),
        weight,
        method: "GET".to_owned(),
        path: "/".to_owned(),
        host: None,
        headers: BTreeMap::new(),
        cookies: BTreeMap::new(),
        users: None,
    }
}

fn path_of(given: &Given, classes: &[RequestClass], affinity: Affinity) -> RequestPath {
    let mut plan = given.plan();
    let labels: Vec<Option<u8>> = (0..classes.len()).map(|n| Some(n as u8)).collect();
    plan.ingress.groups = 2 * classes.len() as u8;
    plan.ingress.affinity = affinity;
    plan.classes = ClassPlan::new(classes, &labels);
    let mut path = RequestPath::new(plan, RunSeed(given.seed), 0);
    let main = add_pods(&mut path, Side::Primary, 3, 0.0);
    let canary = add_pods(&mut path, Side::Canary, 2, 0.0);
    set_endpoints(&mut path, Backend::Main, &main);
    set_endpoints(&mut path, Backend::Alternative, &canary);
    path
}

#[test]
fn only_the_class_with_the_header_goes_to_the_canary_of_an_a_b_test() {
    let given = Given::default();
    let mut insider = class("insider", 0.2);
    insider.headers = map(&[("x-canary", "insider")]);
    let mut path = path_of(&given, &[class("everyone", 0.8), insider], Affinity::None);
    for worker in 0..given.workers {
        path.set_conditions(worker, conditions("x-canary", "insider", "", ""));
    }
    let counters = given.run(&mut path, 122 * SECOND);
    let requests: Vec<(u8, u64)> = counters
        .born()
        .map(|(group, _, cell)| (group, cell.requests))
        .collect();
    // The primary's group of the first class, the canary's of the second, and no other.
    let [(0, everyone), (3, insiders)] = requests[..] else {
        panic!("{requests:?}");
    };
    let (n, p) = ((everyone + insiders) as f64, 0.2);
    let z = (insiders as f64 - n * p) / (n * p * (1.0 - p)).sqrt();
    assert!(z.abs() < 5.0, "z = {z}");
}

#[test]
fn users_with_an_affinity_cookie_stay_where_they_were_first_sent() {
    let given = Given::default();
    let mut users = class("users", 1.0);
    users.users = Some(50);
    for (affinity, later) in [(Affinity::Sticky, 1.0), (Affinity::Legacy, 0.5)] {
        let mut path = path_of(&given, std::slice::from_ref(&users), affinity);
        set_weight(&mut path, given.workers, 0);
        path.advance(30 * SECOND);
        assert_eq!(path.totals().canary, 0);
        // Everyone has a cookie for the primary by now, so that the weight finds nobody.
        set_weight(&mut path, given.workers, 100);
        path.advance(60 * SECOND);
        assert_eq!(path.totals().canary, 0);

        let mut path = path_of(&given, std::slice::from_ref(&users), affinity);
        set_weight(&mut path, given.workers, 50);
        path.advance(60 * SECOND);
        let before = path.totals();
        set_weight(&mut path, given.workers, 0);
        path.advance(120 * SECOND);
        let after = path.totals();
        let canary = (after.canary - before.canary) as f64 / (after.total - before.total) as f64;
        if later == 1.0 {
            // About half of the users are the canary's, and stay.
            assert!((0.25..0.75).contains(&canary), "{affinity:?}: {canary}");
        } else {
            // The canary binds nobody: at weight 50 all users find the primary in the end.
            assert!(canary < 0.01, "{affinity:?}: {canary}");
        }
    }
    // Without affinity the weight is all.
    let mut path = path_of(&given, &[users], Affinity::None);
    set_weight(&mut path, given.workers, 100);
    path.advance(30 * SECOND);
    assert_eq!(path.totals().canary, path.totals().total);
}

#[test]
fn a_post_that_was_sent_is_not_sent_again() {
    let given = Given {
        read_timeout: Some(2 * SECOND),
        service_time: rollcast::scenario::Distribution::Constant { ns: 3_000_000_000 },
        concurrency: 10_000,
        ..Given::default()
    };
    let mut post = class("post", 0.5);
    post.method = "POST".to_owned();
    let mut path = path_of(&given, &[class("get", 0.5), post], Affinity::None);
    let counters = given.run(&mut path, 62 * SECOND);
    let seconds = |group| {
        let cell = counters.cell(group, rollcast::sim::ingress::Status::GatewayTimeout);
        cell.request_duration.sum_seconds() / cell.requests as f64
    };
    assert!((seconds(0) - 6.0).abs() < 1e-3, "GET: {}", seconds(0));
    assert!((seconds(2) - 2.0).abs() < 1e-3, "POST: {}", seconds(2));
}
