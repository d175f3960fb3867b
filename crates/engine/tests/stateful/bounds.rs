//! Memory: bounded whatever keys are offered, and none is taken for events that match nothing.

use engine::stateful::Limits;

use crate::fields::{Happening, engine, happens, rules};

const FLOODED: &str = "
- rule: S
  desc: d
  sequence:
    by: [t.key, t.text]
    within: 1h
    steps:
      - step: one
        condition: t.kind = a
      - step: two
        condition: t.kind = b and t.text = val(one.t.text)
  output: '%one.t.text %one.t.key'
  priority: INFO
- rule: T
  desc: d
  condition: t.kind = a
  threshold: {by: t.text, within: 1h, at_least: 9, distinct: t.key}
  output: x
  priority: INFO
- rule: F
  desc: d
  condition: t.kind = a
  first_seen: {fields: [t.text, t.key], per: t.key, learn: 1d}
  output: x
  priority: INFO
";

/// Keys that are offered; the full number takes a minute in a release build.
fn keys() -> u64 {
    let asked = std::env::var("PEREGRINE_KEYS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(200_000)
}

#[test]
fn no_number_of_keys_takes_more_than_the_limit() {
    let memory = 6 << 20;
    let rules = rules(FLOODED);
    let used = allocation_counter::measure(|| {
        let mut engine = engine(&rules);
        engine.limit(Limits {
            memory,
            partials: 8,
        });
        for number in 0..keys() {
            let event = Happening {
                time: number,
                kind: "a",
                key: Some(number),
                text: format!("/tmp/{number:0>40}"),
                ..Happening::default()
            };
            happens(&mut engine, &event);
        }
        for held in engine.remembered() {
            assert!(held.evicted > 0 && held.keys > 1000, "{held:?}");
            assert!(held.bytes <= memory / 3, "{held:?}");
        }
        // The latest are still known.
        let last = keys() - 1;
        let event = Happening {
            time: keys(),
            kind: "b",
            key: Some(last),
            text: format!("/tmp/{last:0>40}"),
            ..Happening::default()
        };
        assert_eq!(happens(&mut engine, &event).len(), 1);
    });
    // What the rules themselves take, and blocks that are being made larger.
    let bound = memory as u64 + (memory as u64) / 2 + (1 << 20);
    assert!(used.bytes_max < bound, "{} of {bound}", used.bytes_max);
}

#[test]
fn an_event_that_is_no_step_allocates_nothing() {
    let rules = rules(FLOODED);
    let mut engine = engine(&rules);
    let event = Happening {
        kind: "x",
        key: Some(1),
        ..Happening::default()
    };
    let code = event::EventCode::new(event::codes::SYSCALL_OPENAT_2_X);
    let mut round = || {
        for _ in 0..1000 {
            engine.on_event(code, &event);
            assert!(!engine.may_advance());
            assert!(engine.advance(1, &event).is_empty());
        }
    };
    round();
    let used = allocation_counter::measure(round);
    assert_eq!(used.count_total, 0);
}
