//! The queries canaries ask, over stores as scrapes fill them.

use rollcast::promql::{Options, Query, Value, Version};
use rollcast::time::{Span, Timestamp};
use rollcast::tsdb::{Labels, ScrapeLabels, Storage};

const SUCCESS_RATE: &str = r#"sum(
  rate(
    nginx_ingress_controller_requests{
      exported_namespace="applications",
      ingress="load-harness",
      status!~"5.."
    }[1m]
  )
)
/
sum(
  rate(
    nginx_ingress_controller_requests{
      exported_namespace="applications",
      ingress="load-harness"
    }[1m]
  )
) * 100"#;

const DURATION_P99: &str = r#"histogram_quantile(0.99,
  sum(
    rate(
      nginx_ingress_controller_request_duration_seconds_bucket{
        exported_namespace="applications",
        ingress="load-harness"
      }[1m]
    )
  ) by (le)
) * 1000"#;

/// A series: its name, the labels it alone has, and its growth per second.
type Growing<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

/// Series of one ingress, scraped every 5 s from 5 s on.
fn scraped(series: &[Growing<'_>], scrapes: i64) -> Storage {
    let labels = ScrapeLabels {
        target: Labels::new([("namespace", "ingress-nginx")]),
        normalise_bounds: true,
        ..ScrapeLabels::default()
    };
    let mut storage = Storage::new();
    let target = storage.add_target();
    let ids: Vec<_> = series
        .iter()
        .map(|(name, own, _)| {
            let common = [
                ("__name__", *name),
                ("namespace", "applications"),
                ("ingress", "load-harness"),
            ];
            let labels = labels.resolve(common.into_iter().chain(own.iter().copied()));
            storage.series(target, &labels).unwrap()
        })
        .collect();
    for i in 1..=scrapes {
        let mut scrape = storage.scrape(target, Timestamp::from_secs(i * 5));
        for (id, (_, _, growth)) in ids.iter().zip(series) {
            scrape.append(*id, growth * (i * 5) as f64);
        }
        scrape.commit();
    }
    storage
}

fn only(query: &str, storage: &Storage, secs: i64) -> f64 {
    let query = Query::compile(query, &Options::default()).unwrap();
    match query
        .instant(storage, Timestamp::from_secs(secs))
        .unwrap()
        .value
    {
        Value::Vector(samples) if samples.len() == 1 => samples[0].value,
        other => panic!("one element expected: {other}"),
    }
}

#[test]
fn the_success_rate_is_the_share_of_requests_that_are_not_5xx() {
    let requests = "nginx_ingress_controller_requests";
    let storage = scraped(
        &[
            (requests, &[("status", "200")], 6.0),
            (requests, &[("status", "404")], 1.0),
            (requests, &[("status", "500")], 3.0),
        ],
        30,
    );
    assert!((only(SUCCESS_RATE, &storage, 152) - 70.0).abs() < 1e-9);
}

#[test]
fn the_p99_is_interpolated_in_its_bucket() {
    let buckets = "nginx_ingress_controller_request_duration_seconds_bucket";
    let storage = scraped(
        &[
            (buckets, &[("le", "0.1")], 90.0),
            (buckets, &[("le", "0.5")], 98.0),
            (buckets, &[("le", "1")], 100.0),
            (buckets, &[("le", "+Inf")], 100.0),
        ],
        30,
    );
    assert!((only(DURATION_P99, &storage, 150) - 750.0).abs() < 1e-6);
}

#[test]
fn an_answer_is_empty_where_nothing_is_selected() {
    let query = Query::compile(SUCCESS_RATE, &Options::default()).unwrap();
    let answer = query.instant(&Storage::new(), Timestamp::ZERO).unwrap();
    assert_eq!(answer.value, Value::Vector(Vec::new()));
}

#[test]
fn an_evaluator_follows_new_series_and_another_store() {
    let requests = "nginx_ingress_controller_requests";
    let healthy = scraped(&[(requests, &[("status", "200")], 1.0)], 30);
    let failing = scraped(
        &[
            (requests, &[("status", "500")], 1.0),
            (requests, &[("status", "200")], 1.0),
        ],
        30,
    );
    let query = Query::compile(SUCCESS_RATE, &Options::default()).unwrap();
    let mut evaluator = query.evaluator();
    for _ in 0..2 {
        for (storage, expected) in [(&healthy, 100.0), (&failing, 50.0)] {
            let answer = evaluator
                .instant(storage, Timestamp::from_secs(150))
                .unwrap();
            let Value::Vector(samples) = answer.value else {
                panic!("a vector expected");
            };
            assert_eq!(samples[0].value, expected);
        }
    }
}

#[test]
fn a_query_tells_what_it_needs_of_a_store() {
    let text = "rate(a[1m] offset 30s) > on() group_left() max_over_time(b[10m:1m]) or c";
    let query = Query::compile(text, &Options::default()).unwrap();
    let selected: Vec<_> = query
        .selectors()
        .iter()
        .map(|selector| {
            (
                selector.matchers[0].value(),
                selector.reach.map(Span::as_millis),
            )
        })
        .collect();
    assert_eq!(
        selected,
        [
            ("a", Some(90_000)),
            ("b", Some(900_000)),
            ("c", Some(300_000))
        ]
    );
    assert_eq!(query.longest_reach(), Some(Span::from_secs(900)));
    let pinned = Query::compile("a @ 10", &Options::default()).unwrap();
    assert_eq!(pinned.longest_reach(), None);
}

#[test]
fn the_samples_an_evaluation_saw_can_be_listed() {
    let storage = scraped(&[("a", &[("status", "200")], 1.0)], 30);
    for (version, count) in [(Version::V3, 12), (Version::V2_53, 13)] {
        let options = Options {
            version,
            ..Options::default()
        };
        let query = Query::compile("rate(a[1m] offset 30s)", &options).unwrap();
        let seen = query.samples_seen(&storage, Timestamp::from_secs(150));
        let samples = &seen[0].series[0].samples;
        assert_eq!(samples.len(), count, "{version:?}");
        assert_eq!(samples.last(), Some(&(Timestamp::from_secs(120), 120.0)));
    }
}
