//! The CSV tables and the events' log.

use rollcast::engine::Bound;
use rollcast::report::csv::{checks, timeline, traffic};
use rollcast::report::files::events_log;
use rollcast::time::Timestamp;

use crate::fixture;

#[test]
fn the_timeline_has_a_row_a_weight() {
    insta::assert_snapshot!(text(timeline(&fixture::chaos30())), @r#"
    at_s,phase,primary_weight,canary_weight,canary_share,note
    0,Progressing,100,0,0,new revision detected
    30,Progressing,90,10,0.09657373194491098,
    60,Failed,100,0,0,rolled back
    "#);
}

#[test]
fn checks_stand_beside_the_weight_they_judged_and_the_truth() {
    insta::assert_snapshot!(text(checks(&fixture::chaos30())), @r#"
    at_s,weight_set_at_s,canary_weight,metric,source,value,bound_type,bound,passed,true_value,message
    60,30,10,request-success-rate,template,70.2074,min,99,false,70,Halt advancement
    "#);
    insta::assert_snapshot!(text(checks(&fixture::chaos30_flagger())), @r#"
    at_s,weight_set_at_s,canary_weight,metric,source,value,bound_type,bound,passed,true_value,message
    60,0,0,request-success-rate,builtin,,,,false,,Halt advancement
    90,0,0,request-success-rate,builtin,,,,false,,Halt advancement
    120,0,0,request-success-rate,builtin,,,,false,,Halt advancement
    "#);
}

#[test]
fn traffic_has_a_row_a_second() {
    let text = text(traffic(&fixture::chaos30()));
    let head: Vec<&str> = text.lines().take(3).collect();
    insta::assert_snapshot!(head.join("\n"), @r#"
    at_s,requests,failed,canary,canary_failed,p50_ms,p99_ms,canary_weight,primary_wanted,primary_ready,canary_wanted,canary_ready
    0,204,0,0,0,20.5,71,0,10,10,0,0
    1,200,0,0,0,20.5,65,0,10,10,0,0
    "#);
    assert_eq!(text.lines().count(), 1 + 900);
}

#[test]
fn what_is_no_number_is_spelled_as_prometheus_does_and_missing_values_are_empty() {
    let mut record = fixture::chaos30();
    let row = &mut record.timeline[1].checks;
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut check = row[0].clone();
        (check.value, check.bound) = (Some(value), Some(Bound::Max(0.5)));
        check.at = Timestamp::from_millis(90_250);
        row.push(check);
    }
    record.traffic[0].requests = 0;
    let lines = text(checks(&record));
    for cell in [
        ",NaN,max,0.5,",
        ",+Inf,max,0.5,",
        ",-Inf,max,0.5,",
        "90.25,30,",
    ] {
        assert!(lines.contains(cell), "{cell} in {lines}");
    }
    let first = text(traffic(&record)).lines().nth(1).unwrap().to_owned();
    assert!(
        first.starts_with("0,0,") && first.contains(",,,"),
        "{first}"
    );
}

#[test]
fn a_line_of_the_log_is_time_type_and_the_bare_message() {
    let mut record = fixture::chaos30();
    insta::assert_snapshot!(events_log(&record).replace('\t', "<tab>"), @r#"
    -90<tab>Normal<tab>Initialization done! load-harness.applications
    0<tab>Normal<tab>New revision detected! Scaling up load-harness.applications
    30<tab>Normal<tab>Starting canary analysis for load-harness.applications
    30<tab>Normal<tab>Advance load-harness.applications canary weight 10
    60<tab>Warning<tab>Halt advancement load-harness.applications request-success-rate 70.21 < 99
    60<tab>Warning<tab>Rolling back load-harness.applications failed checks threshold reached 1
    60<tab>Warning<tab>Canary failed! Scaling down load-harness.applications
    "#);
    record.events[0].message = "two\nlines".to_owned();
    record.events[0].at = Timestamp::from_millis(-90_500);
    assert!(events_log(&record).starts_with("-90.5\tNormal\ttwo lines\n"));
}

fn text(table: csv::Result<Vec<u8>>) -> String {
    String::from_utf8(table.unwrap()).unwrap()
}
