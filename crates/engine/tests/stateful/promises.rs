//! What docs/stateful-rules.md promises, one by one.

use engine::stateful::Keyer;
use engine::stateful::learned::{decode, encode};

use crate::fields::{Happening, engine, happens, rules};

fn event(time: u64, kind: &'static str, value: u64) -> Happening {
    Happening {
        time,
        kind,
        key: Some(1),
        value: Some(value),
        other: Some(value),
        ..Happening::default()
    }
}

/// Which of these events complete the rule.
fn fires(text: &str, events: &[(u64, &'static str, u64)]) -> Vec<bool> {
    let rules = rules(text);
    let mut engine = engine(&rules);
    let fires = |&(time, kind, value)| !happens(&mut engine, &event(time, kind, value)).is_empty();
    events.iter().map(fires).collect()
}

fn sequence(second: &str, rest: &str) -> String {
    format!(
        "
- rule: R
  desc: d
  sequence:
    by: t.key
    within: 10ns
    steps:
      - step: one
        condition: t.kind = a
      - step: two
        condition: {second}
{rest}
  output: '%one.t.value then %two.t.value'
  priority: INFO
"
    )
}

#[test]
fn equal_times_are_in_order_and_the_window_holds_its_end() {
    let text = sequence("t.kind = b", "");
    assert_eq!(fires(&text, &[(5, "b", 0), (5, "a", 0)]), [false, false]);
    assert_eq!(fires(&text, &[(5, "a", 0), (5, "b", 0)]), [false, true]);
    assert_eq!(fires(&text, &[(5, "a", 0), (15, "b", 0)]), [false, true]);
    assert_eq!(fires(&text, &[(5, "a", 0), (16, "b", 0)]), [false, false]);
    // A clock that goes back: order is that of delivery.
    assert_eq!(fires(&text, &[(5, "a", 0), (3, "b", 0)]), [false, true]);
}

#[test]
fn an_event_is_one_step_and_a_match_is_used_up() {
    let text = sequence("t.kind in (a, b)", "");
    let all = [
        (1, "a", 0),
        (2, "a", 0),
        (3, "a", 0),
        (4, "b", 0),
        (5, "b", 0),
    ];
    assert_eq!(fires(&text, &all), [false, true, true, true, false]);
}

#[test]
fn several_matches_of_a_key_wait_side_by_side() {
    let text = sequence("t.kind = b and t.value = val(one.t.value)", "");
    let all = [
        (1, "a", 1),
        (2, "a", 2),
        (3, "b", 3),
        (4, "b", 1),
        (5, "b", 1),
        (6, "b", 2),
    ];
    assert_eq!(fires(&text, &all), [false, false, false, true, false, true]);
}

#[test]
fn until_is_looked_at_first() {
    let text = sequence(
        "t.kind = b",
        "    until: t.kind in (u, b) and t.value = 9\n",
    );
    assert!(fires(&text, &[(1, "a", 0), (2, "u", 1), (3, "b", 0)])[2]);
    assert!(!fires(&text, &[(1, "a", 0), (2, "u", 9), (3, "b", 0)])[2]);
    assert!(!fires(&text, &[(1, "a", 0), (2, "b", 9)])[1]);
}

#[test]
fn exceptions_and_the_rules_condition_hold_for_every_step() {
    let rest = "  condition: t.value < 5\n  exceptions:\n    - name: e\n      fields: [t.value]\n      comps: [=]\n      values: [[3]]\n";
    let text = sequence("t.kind = b", rest);
    assert!(fires(&text, &[(1, "a", 1), (2, "b", 2)])[1]);
    assert!(!fires(&text, &[(1, "a", 3), (2, "b", 2)])[1]);
    assert!(!fires(&text, &[(1, "a", 1), (2, "b", 3)])[1]);
    assert!(!fires(&text, &[(1, "a", 1), (2, "b", 7)])[1]);
    let only = sequence(
        "t.kind = b",
        &rest.replace("  condition: t.value < 5\n", ""),
    );
    assert!(fires(&only, &[(1, "a", 1), (2, "b", 7)])[1]);
    assert!(!fires(&only, &[(1, "a", 1), (2, "b", 3)])[1]);
}

#[test]
fn a_threshold_fires_once_in_its_window() {
    let text = "
- rule: R
  desc: d
  condition: t.kind = a
  threshold: {by: t.key, within: 10ns, at_least: 3}
  output: '%threshold.value of %threshold.total'
  priority: INFO
";
    let all: Vec<_> = (0..20).map(|time| (time, "a", 0)).collect();
    let when: Vec<usize> = fires(text, &all)
        .iter()
        .enumerate()
        .filter_map(|(at, fires)| fires.then_some(at))
        .collect();
    assert_eq!(when, [2, 13]);
}

const BOTH: &str = "
- rule: R
  desc: d
  sequence:
    by: t.key
    within: 10ns
    steps:
      - step: one
        condition: t.kind = a
      - step: two
        condition: t.kind = b
  output: '%one.t.value'
  priority: INFO
- rule: S
  desc: d
  condition: t.kind = s
  first_seen: {fields: t.value, per: host, learn: 5ns}
  output: '%first_seen.known'
  priority: INFO
";

#[test]
fn what_is_remembered_survives_a_reload_of_rules_that_stay_the_same() {
    for (from, to, stays) in [
        ("'%one.t.value'", "'other words, %one.t.value'", true),
        ("priority: INFO", "priority: ERROR", true),
        ("within: 10ns", "within: 11ns", false),
        ("t.kind = b", "t.kind in (b, c)", false),
    ] {
        let (before, after) = (rules(BOTH), rules(&BOTH.replace(from, to)));
        let mut old = engine(&before);
        happens(&mut old, &event(1, "a", 4));
        let mut new = engine(&after);
        new.inherit(&mut old);
        let fired = happens(&mut new, &event(2, "b", 0));
        assert_eq!(!fired.is_empty(), stays, "{to}");
    }
}

#[test]
fn first_sights_survive_a_restart() {
    let rules = rules(BOTH);
    let mut old = engine(&rules);
    assert!(happens(&mut old, &event(0, "s", 1)).is_empty());
    assert!(old.learns());
    assert!(!old.learns());
    let (keyer, learned) = old.learned();
    let (keyer, learned) = decode(&encode(keyer, &learned)).unwrap();
    let mut new = engine(&rules);
    assert_ne!(new.learned().0, keyer, "a new secret each time");
    new.learn(keyer, &learned);
    assert!(happens(&mut new, &event(100, "s", 1)).is_empty());
    assert_eq!(happens(&mut new, &event(101, "s", 2)).len(), 1);
    assert!(happens(&mut new, &event(102, "s", 2)).is_empty());
    // Another secret knows nothing of what was stored.
    let mut other = engine(&rules);
    other.learn(Keyer::with_secret([1, 2]), &learned);
    assert!(
        happens(&mut other, &event(100, "s", 1)).is_empty(),
        "it learns"
    );
}

#[test]
fn ordinary_rules_and_those_that_remember_do_not_hide_each_other() {
    let text = format!(
        "{BOTH}- rule: Plain\n  desc: d\n  condition: t.kind = b\n  output: x\n  priority: INFO\n"
    );
    let rules = rules(&text);
    let mut engine = engine(&rules);
    assert!(happens(&mut engine, &event(1, "a", 4)).is_empty());
    let fired = happens(&mut engine, &event(2, "b", 4));
    assert_eq!(fired.len(), 1);
    assert_eq!(engine.fired(), [2]);
    assert_eq!(engine.counts(), [1, 0, 1]);
}
