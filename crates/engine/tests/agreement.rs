//! The engine against the plainest possible one: every rule on every event, by the naive evaluator.

#![allow(clippy::unwrap_used, reason = "a test")]

use engine::{Engine, Matching};
use event::{Record, RecordFlags};
use fields::{Catalogue, Environment, EventView};
use proptest::prelude::*;
use proptest::sample::select;
use rules::{Loader, Options, RuleSet};
use state::State;
use testkit::workload::{Kind, Workload};

/// Checks over values that the workload's events have, or nearly have.
fn check() -> impl Strategy<Value = String> {
    let texts = select(vec![
        "/etc/passwd",
        "/etc/ld.so.cache",
        "/etc/",
        "/usr/lib",
        "/tmp/build/main.o",
        "/",
        "sh",
        "bash",
        "cc1",
        "nginx",
        "curl",
        "/usr/bin/dash",
        "main.o",
        "/etc",
        "etc/passwd",
        "passwd",
        "/usr/*/locale",
        "python3",
        "\"\"",
        "http://127.0.0.1:8080/health",
        "src/include/config.h",
    ]);
    let fields = select(vec![
        "fd.name",
        "proc.name",
        "proc.pname",
        "proc.exepath",
        "proc.exe",
        "fd.filename",
        "fd.directory",
        "proc.cmdline",
        "evt.arg.name",
        "proc.aname",
        "proc.aname[2]",
        "proc.cwd",
    ]);
    let single = (
        fields.clone(),
        select(vec![
            "=",
            "!=",
            "startswith",
            "endswith",
            "contains",
            "glob",
        ]),
        texts.clone(),
    )
        .prop_map(|(f, op, t)| format!("{f} {op} {t}"));
    let list = (
        fields.clone(),
        select(vec!["in", "pmatch", "intersects"]),
        prop::collection::vec(texts.clone(), 1..5),
    )
        .prop_map(|(f, op, all)| format!("{f} {op} ({})", all.join(", ")));
    let several = (
        fields,
        select(vec![
            "=",
            "!=",
            "startswith",
            "endswith",
            "contains",
            "glob",
        ]),
        select(vec!["anyof", "oneof", "allof"]),
        prop::collection::vec(texts.clone(), 1..5),
    )
        .prop_map(|(f, op, how, all)| format!("{f} {op} {how} ({})", all.join(", ")));
    let last = (
        select(vec!["fd.name", "proc.exepath", "proc.exe", "evt.arg.name"]),
        select(vec!["=", "in", "!=", "endswith", "startswith"]),
        texts,
    )
        .prop_map(|(f, op, text)| match op {
            "in" => format!("basename({f}) in ({text}, sh)"),
            op => format!("basename({f}) {op} {text}"),
        });
    let types = prop::collection::vec(
        select(vec![
            "openat", "open", "execve", "connect", "read", "close", "accept4", "procexit", "clone",
        ]),
        1..4,
    )
    .prop_map(|all| format!("evt.type in ({})", all.join(", ")));
    let others = select(vec![
        "evt.type != openat",
        "evt.type = execve",
        "evt.type = getppid",
        "evt.dir = <",
        "evt.is_open_read = true",
        "evt.is_open_write = true",
        "fd.num >= 3",
        "evt.failed = true",
        "fd.sport = 443",
        "fd.sport in (80, 443, 8080)",
        "fd.sip = \"10.0.0.1\"",
        "fd.snet = \"10.0.0.0/8\"",
        "fd.ip = \"10.0.0.1\"",
        "fd.port != 443",
        "user.uid = 0",
        "fd.typechar = 4",
        "proc.name exists",
        "fd.name exists",
        "evt.res = ENOENT",
        "proc.tty = 0",
        "fd.l4proto = tcp",
        "proc.pid = 1001",
        "proc.ppid in (1, 1001, 1002)",
        "container.id = host",
        "evt.type startswith open",
        "fd.types intersects (file)",
    ])
    .prop_map(str::to_owned);
    prop_oneof![4 => single, 3 => list, 3 => several, 2 => last, 2 => types, 4 => others]
}

fn condition() -> impl Strategy<Value = String> {
    check().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|all| format!("({})", all.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|all| format!("({})", all.join(" or "))),
            inner.prop_map(|one| format!("not ({one})")),
        ]
    })
}

/// Half of the rules look as most rules do: an event type and something that a match requires, so
/// that the index has its share.
fn rule() -> impl Strategy<Value = String> {
    let plain = (check(), condition()).prop_map(|(anchor, rest)| {
        format!("evt.type in (open, openat, execve, connect) and {anchor} and {rest}")
    });
    let short = check().prop_map(|anchor| format!("evt.type in (openat, execve) and {anchor}"));
    prop_oneof![condition(), plain, short]
}

fn load(catalogue: &Catalogue, conditions: &[String]) -> RuleSet {
    let mut text = String::new();
    for (i, condition) in conditions.iter().enumerate() {
        text.push_str(&format!(
            "- rule: r{i}\n  desc: d\n  condition: >\n    {condition}\n  output: o\n  priority: INFO\n  warn_evttypes: false\n",
        ));
    }
    let mut loader = Loader::new(&[("syscall", catalogue)], Options::new());
    let loaded = loader.load("random.yaml", text.as_bytes());
    assert!(
        loaded.successful(),
        "{}",
        loaded.text(loader.sources(), false)
    );
    loader.finish()
}

fn naive(rules: &RuleSet, catalogue: &Catalogue, view: &EventView<'_>) -> Vec<u32> {
    rules
        .rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.event_codes.contains(view.record.code.number()))
        .filter(|(_, rule)| filter::naive::evaluate(&rule.ast, catalogue, view).unwrap())
        .map(|(i, _)| i as u32)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn same_matches_as_the_naive_evaluator(
        conditions in prop::collection::vec(rule(), 1..80),
        seed in 1u64..1000,
        kind in select(vec![Kind::Mixed, Kind::Process, Kind::File, Kind::Network]),
    ) {
        let catalogue = Catalogue::new([]);
        let mut rules = load(&catalogue, &conditions);
        let order = rules.select(&[]);
        let mut first = Engine::new(&rules, &order, &catalogue, "syscall", Matching::First).unwrap();
        let mut all = Engine::new(&rules, &order, &catalogue, "syscall", Matching::All).unwrap();
        let mut state = State::new(state::Options::default());
        let mut env = Environment::default();
        let mut workload = Workload::new(kind, seed);
        let mut bytes = Vec::new();
        for _ in 0..400 {
            workload.next_into(&mut bytes);
            let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
            env.see(&record);
            let context = state.process(&record);
            let view = EventView::new(&record, &state, &context, &env);
            let expected = naive(&rules, &catalogue, &view);
            prop_assert_eq!(all.on_event(record.code, &view), expected.as_slice());
            let expected = &expected[..expected.len().min(1)];
            prop_assert_eq!(first.on_event(record.code, &view), expected);
        }
    }
}
