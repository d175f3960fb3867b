//! Every field of every event of every capture, against the recorded values.
//!
//! `PEREGRINE_EXAMPLES=3` prints three differences of each field and capture.

use testkit::golden::events;
use testkit::known::KnownDifferences;

#[test]
fn all_fields_of_all_events() {
    let Some(corpus) = testkit::corpus::find("fields of recorded events") else {
        return;
    };
    let all = events::compare(&corpus).expect("captures and golden files can be read");
    let examples = std::env::var("PEREGRINE_EXAMPLES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    println!("{}", events::table(&all, examples));
    events::tally(&all)
        .finish(&KnownDifferences::of_kind("golden-events"))
        .assert_ok();
}
