//! Rules that remember: against the naive reference, within their bounds, over reloads.

#![allow(clippy::unwrap_used, reason = "a test")]

mod bounds;
mod fields;
mod naive;
mod promises;

use engine::stateful::value::{Owned, Values};
use engine::stateful::{LEAST, Limits};
use proptest::prelude::*;

use crate::fields::{Happening, engine, happens, rules};
use crate::naive::{Gauge, Sequence, Sights, Step, Threshold};

const KINDS: [&str; 5] = ["a", "b", "c", "u", "x"];

/// Events whose times stand still, go on and go back a little.
fn events() -> impl Strategy<Value = Vec<Happening>> {
    let one = (
        0..KINDS.len(),
        prop::option::weighted(0.95, 0u64..24),
        prop::option::weighted(0.9, 0u64..3),
        prop::option::weighted(0.9, 0u64..3),
        -2i64..9,
        prop_oneof![3 => Just(0i64), 5 => 0i64..4, 1 => -5i64..0, 1 => 5i64..40],
        0usize..3,
    );
    let busy = one.prop_map(|(kind, key, value, other, amount, step, busy)| {
        // Some keys come much more often, so that things happen to them.
        let key = key.map(|key| if busy > 0 { key % 3 } else { key });
        (kind, key, value, other, amount, step)
    });
    prop::collection::vec(busy, 0..250).prop_map(|all| {
        let mut time: u64 = 1000;
        let event = |(kind, key, value, other, amount, step): (usize, _, _, _, i64, i64)| {
            time = time.saturating_add_signed(step);
            Happening {
                time,
                kind: KINDS[kind],
                key,
                value,
                other,
                amount,
                text: String::new(),
            }
        };
        all.into_iter().map(event).collect()
    })
}

fn value_of(event: &Happening) -> Option<Owned> {
    event.value.map(Owned::Unsigned)
}

/// A rule's text, and a reference for it.
fn compare(
    text: &str,
    events: &[Happening],
    memory: usize,
    mut naive: impl FnMut(&Happening) -> Option<Vec<String>>,
) -> Result<(u64, u64), TestCaseError> {
    let rules = rules(text);
    let mut engine = engine(&rules);
    let partials = 3;
    engine.limit(Limits { memory, partials });
    for (at, event) in events.iter().enumerate() {
        let got = happens(&mut engine, event);
        let got = got.into_iter().next().map(|(_, shown)| shown);
        prop_assert_eq!(got, naive(event), "event {}: {:?}", at, event);
    }
    let held = engine.remembered().next().unwrap();
    prop_assert!(held.bytes <= memory.max(LEAST) || held.keys <= 1);
    Ok((held.evicted, held.crowded))
}

fn plain(kind: &'static str) -> Step {
    Step {
        kind,
        fits: |_, _| true,
    }
}

const PLAIN: &str = "
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
      - step: three
        condition: t.kind in (c, a)
  output: '%one.t.value %three.t.other'
  priority: INFO
";

const LINKED: &str = "
- rule: R
  desc: d
  sequence:
    by: [t.key]
    within: 12ns
    until: t.kind = u and (t.value = val(one.t.value) or not two.t.other exists)
    steps:
      - step: one
        condition: t.kind = a
      - step: two
        condition: t.kind in (a, b) and t.value = val(one.t.value)
      - step: three
        condition: t.kind = c and not t.other = val(two.t.other)
  output: '%three.t.amount'
  priority: INFO
";

fn first_and_last(step: usize, event: &Happening, values: &mut Values) {
    match step {
        0 => values[0] = value_of(event),
        2 => values[1] = event.other.map(Owned::Unsigned),
        _ => {}
    }
}

fn linked(step: usize, event: &Happening, values: &mut Values) {
    match step {
        0 => values[0] = value_of(event),
        1 => values[1] = event.other.map(Owned::Unsigned),
        _ => values[2] = Some(Owned::Signed(event.amount)),
    }
}

fn threshold(measure: &str, at_least: u64) -> String {
    format!(
        "
- rule: R
  desc: d
  condition: t.kind = a
  threshold: {{by: t.key, within: 9ns, at_least: {at_least}{measure}}}
  output: '%threshold.value'
  priority: INFO
"
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn sequences(events in events(), memory in prop_oneof![Just(LEAST), Just(1usize << 20)]) {
        // `three` may be what `one` is, too: one event is never both.
        let steps = || vec![
            plain("a"),
            plain("b"),
            plain("c"),
        ];
        let only_c: Vec<Happening> = events.iter().filter(|event| event.kind != "u").cloned().collect();
        let mut naive = Sequence::new(steps(), None, 10, memory);
        (naive.slots, naive.take, naive.most) = (2, first_and_last, 3);
        let text = PLAIN.replace("in (c, a)", "= c");
        let counts = compare(&text, &only_c, memory, |event| naive.happens(event))?;
        prop_assert_eq!(counts, (naive.evicted, naive.crowded));
    }

    #[test]
    fn sequences_with_links(
        events in events(),
        memory in prop_oneof![Just(LEAST), Just(1usize << 20)],
    ) {
        let steps = vec![
            plain("a"),
            Step { kind: "b", fits: |values, event| values[0].is_some() && values[0] == value_of(event) },
            Step {
                kind: "c",
                fits: |values, event| {
                    let other = event.other.map(Owned::Unsigned);
                    !(other.is_some() && other == values[1])
                },
            },
        ];
        let until = Step {
            kind: "u",
            fits: |values, event| {
                (values[0].is_some() && values[0] == value_of(event)) || values[1].is_none()
            },
        };
        let mut naive = Sequence::new(steps, Some(until), 12, memory);
        (naive.slots, naive.linked, naive.take, naive.most) = (3, 2, linked, 3);
        let text = LINKED.replace("in (a, b)", "= b");
        let counts = compare(&text, &events, memory, |event| naive.happens(event))?;
        prop_assert_eq!(counts, (naive.evicted, naive.crowded));
    }

    #[test]
    fn thresholds(
        events in events(),
        memory in prop_oneof![Just(LEAST), Just(1usize << 20)],
        at_least in 1u64..5,
    ) {
        for (gauge, measure, factor) in [
            (Gauge::Count, "", 1),
            (Gauge::Distinct, ", distinct: t.value", 1),
            (Gauge::Sum, ", sum: t.amount", 6),
        ] {
            let at_least = if gauge == Gauge::Distinct { at_least.min(3) } else { at_least * factor };
            let mut naive = Threshold::new(gauge, at_least, 9, memory);
            let text = threshold(measure, at_least);
            let counts = compare(&text, &events, memory, |event| naive.happens(event))?;
            prop_assert_eq!(counts, (naive.evicted, 0));
        }
    }

    #[test]
    fn first_sights(
        events in events(),
        memory in prop_oneof![Just(LEAST), Just(1usize << 20)],
        learn in 0u64..20,
    ) {
        let text = format!("
- rule: R
  desc: d
  condition: t.kind = a
  first_seen: {{fields: t.value, per: t.key, learn: {learn}ns}}
  output: '%first_seen.known'
  priority: INFO
");
        let mut naive = Sights::new(learn, memory);
        let counts = compare(&text, &events, memory, |event| naive.happens(event))?;
        prop_assert_eq!(counts, (naive.evicted, 0));
    }
}
