//! Groups and limits lose nothing: on any stream of alerts, what goes out one by one and what lines for many tell add up to what
//! was raised, for each rule; and the lines say it.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bumpalo::Bump;
use filter::{
    Argument, FieldDef, FieldRef, FieldSource, Purpose, ResolveError, Schema, Type, Value,
};
use outputs::{Group, Groups, Held, Limits, RuleGrouping, RuleLimit};
use proptest::prelude::*;

/// Fields `a.x` and `a.y`; the latter may be missing.
struct Names;

impl Schema for Names {
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        let id = ["a.x", "a.y"].iter().position(|name| *name == text);
        let id = id.ok_or(ResolveError::Unknown)?;
        let field = FieldRef {
            id: u16::try_from(id).unwrap(),
            arg: Argument::None,
        };
        Ok(FieldDef::new(text, field, Type::CharBuf))
    }

    fn names(&self) -> Vec<&str> {
        vec!["a.x", "a.y"]
    }
}

/// An alert of a stream.
#[derive(Clone, Debug)]
struct Raised {
    rule: usize,
    /// Since the one before; it may be negative.
    step: i64,
    x: u8,
    y: Option<u8>,
}

struct View([Option<Vec<u8>>; 2]);

impl FieldSource for View {
    fn extract<'a>(&'a self, field: &FieldRef, _: Purpose, _: &'a Bump) -> Option<Value<'a>> {
        self.0[usize::from(field.id)].as_deref().map(Value::Bytes)
    }
}

/// A run: what went out, and the lines for many.
#[derive(Default, Debug, PartialEq)]
struct Told {
    sent: Vec<usize>,
    groups: Vec<Group>,
    held: Vec<Held>,
}

impl Told {
    fn by_rule(&self) -> BTreeMap<usize, u64> {
        let mut all = BTreeMap::new();
        let mut add = |rule, count| *all.entry(rule).or_insert(0) += count;
        self.sent.iter().for_each(|rule| add(*rule, 1));
        self.groups
            .iter()
            .for_each(|group| add(group.rule, group.held));
        self.held.iter().for_each(|held| add(held.rule, held.count));
        all
    }
}

fn grouping(window: u64, examples: usize, fields: &[&str]) -> Option<RuleGrouping> {
    let fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
    Some(RuleGrouping::new(window, examples, &fields, &Names))
}

fn run(stream: &[Raised], most: usize, limited: bool) -> Told {
    // The third is not grouped, the fourth has none of the fields: its message counts.
    let rules: Arc<[Option<RuleGrouping>]> = vec![
        grouping(50, 2, &["a.x"]),
        grouping(200, 0, &["a.x", "a.y"]),
        None,
        grouping(50, 3, &["b.z"]),
    ]
    .into();
    let limit = limited.then(|| RuleLimit {
        rate: 2e7,
        burst: 3.0,
        text: "2 in 100 ns".into(),
        tell: 400,
    });
    let mut groups = Groups::new(rules, most);
    let mut limits = Limits::new(&[limit.clone(), None, limit, None]);
    let mut told = Told::default();
    let mut now = 1_000_u64;
    for one in stream {
        now = now.saturating_add_signed(one.step);
        while let Some(group) = groups.ended(now) {
            told.groups.push(group);
        }
        told.held.extend(limits.ended(now));
        let text = |n: u8| format!("v{n}").into_bytes();
        let view = View([Some(text(one.x)), one.y.map(text)]);
        let message = format!("{} {:?}", one.x, one.y).into_bytes();
        let repeat = groups.repeat(one.rule, &view, |out| out.extend_from_slice(&message));
        if let Some(repeat) = &repeat
            && groups.joins(repeat, one.rule, now, None)
        {
            continue;
        }
        if !limits.lets_pass(one.rule, now, None) {
            continue;
        }
        if let Some(repeat) = repeat {
            if !groups.has_room() {
                told.groups.extend(groups.crowded());
            }
            groups.begin(repeat, one.rule, now);
            assert!(groups.len() <= most);
        }
        told.sent.push(one.rule);
    }
    told.groups.extend(groups.end_all());
    told.held.extend(limits.end_all());
    assert!(groups.is_empty() && groups.due() == u64::MAX && limits.due() == u64::MAX);
    told
}

fn streams() -> impl Strategy<Value = Vec<Raised>> {
    let one = (
        0..4_usize,
        -30..90_i64,
        0..4_u8,
        proptest::option::of(0..3_u8),
    );
    let one = one.prop_map(|(rule, step, x, y)| Raised { rule, step, x, y });
    proptest::collection::vec(one, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost(stream in streams(), most in 1..20_usize, limited: bool) {
        let told = run(&stream, most, limited);
        let mut raised = BTreeMap::new();
        for one in &stream {
            *raised.entry(one.rule).or_insert(0) += 1;
        }
        prop_assert_eq!(told.by_rule(), raised);
        for group in &told.groups {
            prop_assert!(group.held > 0 && group.first <= group.last);
        }
        // Secrets and maps do not show.
        prop_assert_eq!(told, run(&stream, most, limited));
    }
}

fn raised(rule: usize, step: i64, x: u8, y: Option<u8>) -> Raised {
    Raised { rule, step, x, y }
}

#[test]
fn a_group_lasts_for_its_window_and_agrees_in_its_fields() {
    let told = run(
        &[
            raised(0, 0, 1, Some(1)),
            raised(0, 10, 1, Some(2)),
            raised(0, 10, 1, Some(2)),
            raised(0, 10, 1, None),
            raised(0, 0, 2, None),
            raised(0, 9, 1, Some(0)),
            raised(0, 11, 1, Some(1)),
        ],
        100,
        false,
    );
    assert_eq!(told.sent.len(), 3, "two values, and one after the window");
    let [group] = &told.groups[..] else {
        panic!("{told:?}");
    };
    assert_eq!((group.held, group.first, group.last), (4, 1000, 1039));
    assert_eq!(group.message, b"1 Some(1)");
    assert_eq!(group.examples, [b"1 Some(2)".to_vec(), b"1 None".to_vec()]);
    assert_eq!(group.values, [("a.x".to_owned(), b"\"v1\"".to_vec())]);
}

#[test]
fn a_missing_value_is_a_value_and_without_fields_the_message_counts() {
    let told = run(
        &[
            raised(1, 0, 1, None),
            raised(1, 1, 1, Some(0)),
            raised(1, 1, 1, None),
            raised(3, 1, 1, None),
            raised(3, 1, 2, None),
            raised(3, 1, 1, None),
        ],
        100,
        false,
    );
    assert_eq!(told.sent, [1, 1, 3, 3]);
    let held: Vec<(usize, u64)> = told.groups.iter().map(|g| (g.rule, g.held)).collect();
    assert_eq!(held, [(3, 1), (1, 1)], "in the order of their ends");
}

#[test]
fn a_flood_of_different_values_ends_groups_early_and_loses_none() {
    let flood: Vec<Raised> = (0..40_000)
        .map(|n| raised(0, i64::from(n % 2 == 0), (n % 251) as u8, None))
        .collect();
    let told = run(&flood, 16, false);
    assert_eq!(told.by_rule(), BTreeMap::from([(0, 40_000)]));
    let same: Vec<Raised> = (0..100_000).map(|_| raised(0, 0, 1, None)).collect();
    let told = run(&same, 16, false);
    assert_eq!((told.sent.len(), told.groups[0].held), (1, 99_999));
}

#[test]
fn a_long_message_is_cut_between_letters() {
    let rules: Arc<[Option<RuleGrouping>]> = vec![grouping(9, 3, &[])].into();
    let mut groups = Groups::new(rules, 9);
    let view = View([None, None]);
    let long = |last: &str| format!("{}{last}", "é".repeat(5000)).into_bytes();
    for last in ["a", "a", "b"] {
        let repeat = groups.repeat(0, &view, |out| out.extend_from_slice(&long(last)));
        let repeat = repeat.unwrap();
        if !groups.joins(&repeat, 0, 5, None) {
            groups.begin(repeat, 0, 5);
        }
    }
    let told = groups.end_all();
    assert_eq!((told.len(), told[0].held, groups.len()), (1, 1, 0));
    assert!(std::str::from_utf8(&told[0].message).is_ok() && told[0].message.len() <= 4096);
}
