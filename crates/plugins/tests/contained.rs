//! A plugin that crashes, hangs, leaks, lies or fails does no harm, is told, and is started again.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use plugins::{Access, Batch, BatchEnd, Datum, Event, Plugin, Report, Spec, Wanted};

/// The shared object, compiled once.
fn library() -> &'static str {
    static BUILT: OnceLock<(tempfile::TempDir, String)> = OnceLock::new();
    &BUILT
        .get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            let out = testkit::plugins::compiled(dir.path(), "misbehaving");
            (dir, out)
        })
        .1
}

type Reports = Arc<Mutex<Vec<String>>>;

fn plugin(mode: &str, patience: Duration, memory: Option<u64>) -> (Plugin, Reports) {
    let reports = Reports::default();
    let spec = Spec {
        patience,
        memory,
        report: {
            let reports = Arc::clone(&reports);
            Arc::new(move |report| {
                if let Report::Trouble { text, .. } = report {
                    reports.lock().unwrap().push(text);
                }
            })
        },
        ..Spec::child(library(), env!("CARGO_BIN_EXE_plugin-host"))
    };
    let mut plugin = Plugin::load(spec).unwrap();
    plugin.init(mode).unwrap();
    (plugin, reports)
}

fn opened(mode: &str, memory: Option<u64>) -> (Plugin, Reports) {
    // Long enough for a busy machine where nothing hangs.
    let patience = if mode.ends_with("hangs") { 3 } else { 60 };
    let (mut plugin, reports) = plugin(mode, Duration::from_secs(patience), memory);
    plugin.open("").unwrap();
    (plugin, reports)
}

/// Batches until `enough` events came or the source failed.
fn events(plugin: &mut Plugin, enough: usize) -> Result<usize, String> {
    let mut count = 0;
    while count < enough {
        let Batch { events, end } = plugin.next_batch();
        count += events.len();
        match end {
            BatchEnd::Failed(words) => return Err(words),
            BatchEnd::End => break,
            BatchEnd::More | BatchEnd::Later => {}
        }
    }
    Ok(count)
}

#[test]
fn what_ends_the_child_is_told_and_another_is_started() {
    for (mode, word) in [
        ("crashes", "signal 11"),
        ("aborts", "signal 6"),
        ("exits", "code 3"),
        ("hangs", "no answer"),
        ("leaks", "memory"),
    ] {
        let memory = (mode == "leaks").then_some(200 << 20);
        let (mut plugin, reports) = opened(mode, memory);
        // Each child brings one event before it goes wrong.
        assert_eq!(events(&mut plugin, 2), Ok(2), "{mode}");
        assert!(plugin.ends() >= 1, "{mode}");
        let reports = reports.lock().unwrap();
        assert!(
            reports.iter().all(|text| text.contains(word)),
            "{mode}: {reports:?}"
        );
        assert!(!reports.is_empty());
    }
}

#[test]
fn lies_and_failures_are_errors_of_the_source() {
    for (mode, word) in [
        ("fails", "my own words"),
        ("lies-length", "says that it has"),
        ("lies-short", "says that it has"),
        ("lies-params", "malformed plugin event"),
        ("lies-count", "events, and has not"),
        ("lies-null", "events, and has not"),
        ("lies-type", "malformed plugin event"),
        ("lies-id", "expected_id=999, actual_id=12"),
        ("empty", "unexpected 0 size event"),
    ] {
        let (mut plugin, _) = opened(mode, None);
        let error = events(&mut plugin, 2).unwrap_err();
        assert!(error.contains(word), "{mode}: {error}");
        assert_eq!(plugin.ends(), 0, "{mode}");
    }
}

#[test]
fn init_and_open_that_fail_say_why() {
    let load = || Plugin::load(Spec::child(library(), env!("CARGO_BIN_EXE_plugin-host"))).unwrap();
    let error = load().init("init-fails").unwrap_err().to_string();
    assert!(
        error.contains("could not initialize plugin: my own words"),
        "{error}"
    );
    let mut plugin = load();
    plugin.init("open-fails").unwrap();
    assert!(
        plugin
            .open("")
            .unwrap_err()
            .to_string()
            .contains("my own words")
    );
    let spec = Spec {
        patience: Duration::from_secs(3),
        ..Spec::child(library(), env!("CARGO_BIN_EXE_plugin-host"))
    };
    let error = Plugin::load(spec).unwrap().init("init-hangs").unwrap_err();
    assert!(
        error.is_gone() && error.to_string().contains("no answer"),
        "{error}"
    );
}

#[test]
fn extraction_goes_wrong_without_harm() {
    let wanted = [
        Wanted {
            field: 0,
            argument: None,
        },
        Wanted {
            field: 1,
            argument: None,
        },
        Wanted {
            field: 99,
            argument: None,
        },
    ];
    let fine = vec![
        Some(vec![Datum::Number(7)]),
        Some(vec![Datum::Text(b"fine".to_vec())]),
        None,
    ];
    for (mode, word) in [
        ("fine", ""),
        ("extract-crashes", "signal 11"),
        ("extract-hangs", "no answer"),
        ("extract-many", "values"),
        ("extract-two", "2 values"),
        ("extract-null", "no address"),
        ("extract-fails", ""),
    ] {
        let (mut plugin, reports) = opened(mode, None);
        let bytes = plugin.next_batch().events.remove(0);
        let event = Event {
            number: 1,
            source: "harm",
            bytes: &bytes,
        };
        let values = plugin.extract(&event, &wanted, Access::None);
        if mode == "fine" {
            assert_eq!(values, fine);
        } else {
            assert_eq!(values, vec![None; 3], "{mode}");
        }
        let reports = reports.lock().unwrap();
        assert_eq!(reports.is_empty(), word.is_empty(), "{mode}: {reports:?}");
        assert!(
            reports.iter().all(|text| text.contains(word)),
            "{mode}: {reports:?}"
        );
    }
}

#[test]
fn in_this_process_as_well() {
    let mut plugin = Plugin::load(Spec::in_process(library())).unwrap();
    assert_eq!(
        plugin.info().capability_lines()[0],
        "Event Sourcing (ID=999, source='harm')"
    );
    plugin.init("fine").unwrap();
    plugin.open("").unwrap();
    let bytes = plugin.next_batch().events.remove(0);
    let event = Event {
        number: 1,
        source: "harm",
        bytes: &bytes,
    };
    let values = plugin.extract(
        &event,
        &[Wanted {
            field: 0,
            argument: None,
        }],
        Access::None,
    );
    assert_eq!(values, [Some(vec![Datum::Number(7)])]);
    // No text of its own for events: there is none to be had.
    assert_eq!(plugin.describe(&event), None);
}
