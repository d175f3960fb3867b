//! Tables: the host's threads and descriptors, fields that plugins add, tables that plugins have for each other; each in this
//! process and from children.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event::snapshot::{self, Process, Target};
use event::{EventCode, RecordBuilder, codes};
use plugins::{Access, Datum, Event, Fields, Plugin, Registry, Report, Spec, Wanted};
use state::{Options, State};
use testkit::plugins::{compiled, sample};

/// Three threads, of which the last has two arguments and an open file.
fn state() -> State {
    let mut state = State::new(Options::default());
    for (tid, ptid) in [(1, 0), (5, 1), (7, 5)] {
        state.load_process(&Process {
            tid,
            pid: tid,
            ptid,
            vtid: tid,
            vpid: tid,
            comm: b"cat",
            exe: b"cat",
            args: b"one\0two\0",
            env: b"X=1\0",
            cgroups: b"cpu=/a\0",
            cwd: b"/tmp",
            ..Process::default()
        });
    }
    state.load_descriptor(&snapshot::Descriptor {
        tid: 7,
        fd: 3,
        ino: 1,
        target: Target::File {
            name: b"/etc/passwd",
            open_flags: 1,
            dev: 0,
        },
    });
    state.finish_load();
    state
}

fn open_event(tid: i64) -> Vec<u8> {
    RecordBuilder::new(EventCode::new(codes::SYSCALL_OPENAT_2_X), 5, tid)
        .i64(3)
        .i64(-100)
        .text("x")
        .u32(1)
        .u32(0)
        .u32(0)
        .u64(42)
        .finish()
}

fn started(library: &str, child: bool, registry: &Arc<Registry>) -> Arc<Mutex<Plugin>> {
    let spec = if child {
        Spec {
            patience: Duration::from_secs(60),
            ..Spec::child(library, env!("CARGO_BIN_EXE_plugin-host"))
        }
    } else {
        Spec::in_process(library)
    };
    let spec = Spec {
        report: Arc::new(|report| {
            if let Report::Trouble { text, .. } = report {
                eprintln!("trouble: {text}");
            }
        }),
        ..spec
    };
    let mut plugin = Plugin::load(spec).unwrap();
    plugin.share(registry);
    let plugin = Arc::new(Mutex::new(plugin));
    registry.enroll(&plugin);
    plugin.lock().unwrap().init("").unwrap();
    plugin
}

fn value(plugin: &Mutex<Plugin>, state: &State, bytes: &[u8], text: &str) -> Option<Datum> {
    let mut plugin = plugin.lock().unwrap();
    let fields = Fields::new(plugin.info().fields.clone());
    let def = fields.resolve(text).unwrap();
    let argument = match &def.field.arg {
        filter::Argument::Key(key) => Some(key.to_string()),
        _ => None,
    };
    let wanted = Wanted {
        field: def.field.id.into(),
        argument,
    };
    let event = Event {
        number: 1,
        source: "syscall",
        bytes,
    };
    let values = plugin.extract(&event, &[wanted], Access::Read(state));
    values.into_iter().next().flatten()?.into_iter().next()
}

fn parse(plugin: &Mutex<Plugin>, state: &mut State, bytes: &[u8]) {
    let event = Event {
        number: 1,
        source: "syscall",
        bytes,
    };
    plugin.lock().unwrap().parse(&event, Access::Write(state));
}

fn text(text: &str) -> Option<Datum> {
    Some(Datum::Text(text.as_bytes().to_vec()))
}

#[test]
fn every_function_does_what_the_header_says() {
    let dir = tempfile::tempdir().unwrap();
    let library = compiled(dir.path(), "witness");
    for child in [false, true] {
        let mut state = state();
        let registry = Arc::default();
        let plugin = started(&library, child, &registry);
        let metrics = |plugin: &Mutex<Plugin>| {
            let metrics = plugin.lock().unwrap().metrics();
            let values = metrics.into_iter().map(|metric| metric.value);
            values.collect::<Vec<_>>().join(" ")
        };
        plugin
            .lock()
            .unwrap()
            .listen(true, Access::Write(&mut state))
            .unwrap();
        let bytes = open_event(7);
        for n in 1..=3 {
            parse(&plugin, &mut state, &bytes);
            assert_eq!(
                value(&plugin, &state, &bytes, "witness.faults"),
                text("none"),
                "in a child: {child}"
            );
            assert_eq!(
                value(&plugin, &state, &bytes, "witness.mine"),
                Some(Datum::Number(n))
            );
        }
        // What it wrote is the state's.
        let ix = state.by_tid(7).unwrap();
        let thread = state.thread(ix);
        assert_eq!((thread.comm(), thread.uid), (&b"changed"[..], 31));
        assert!(thread.image.file.writable);
        assert_eq!(thread.image.cmdline(), b"changed first two ");
        assert_eq!(thread.env().count(), 0);
        assert_eq!((state.thread_count(), state.descriptor_count(ix)), (3, 1));
        assert_eq!(state.by_tid(4242), None);
        // No field of its own goes to another thread.
        assert_eq!(
            value(&plugin, &state, &open_event(5), "witness.mine"),
            Some(Datum::Number(0))
        );
        assert_eq!(
            value(&plugin, &state, &open_event(99), "witness.mine"),
            None
        );
        plugin
            .lock()
            .unwrap()
            .listen(false, Access::Write(&mut state))
            .unwrap();
        assert_eq!(metrics(&plugin), "3 1 1");
        assert_eq!(
            value(&plugin, &state, &bytes, "witness.faults"),
            text("none"),
            "in a child: {child}"
        );
    }
}

#[test]
fn settings_and_state_of_a_running_plugin() {
    let dir = tempfile::tempdir().unwrap();
    let library = compiled(dir.path(), "witness");
    for child in [false, true] {
        let state = state();
        let registry = Arc::default();
        let plugin = started(&library, child, &registry);
        let bytes = open_event(7);
        let setting = |plugin: &Mutex<Plugin>| value(plugin, &state, &bytes, "witness.setting");
        assert_eq!(setting(&plugin), text("{}"));
        let set = |config: &str| plugin.lock().unwrap().set_config(config);
        assert_eq!(set(r#"{"word":"a"}"#), Ok(()));
        assert_eq!(setting(&plugin), text(r#"{"word":"a"}"#));
        for (config, word) in [
            (r#"{"word":"refuse"}"#, "the witness refuses"),
            (r#"{"word":1}"#, "In <root>[word]"),
            (r#"{"other":"a"}"#, "no setting 'other'"),
            ("{", "not a valid json"),
        ] {
            let error = set(config).unwrap_err().to_string();
            assert!(error.contains(word), "{config}: {error}");
        }
        assert_eq!(setting(&plugin), text(r#"{"word":"a"}"#));
        // The same check before it begins.
        let spec = Spec::in_process(library.as_str());
        let error = Plugin::load(spec)
            .unwrap()
            .init(r#"{"word":1}"#)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("error in plugin witness init config: In <root>[word]"),
            "{error}"
        );
        let shared = Arc::clone(&plugin);
        let mut plugin = shared.lock().unwrap();
        let dumped = plugin.dump_state().unwrap();
        assert_eq!(dumped.len(), 1);
        let record = event::Record::parse(&dumped[0], 0, event::RecordFlags::default()).unwrap();
        assert_eq!((record.ts, record.text(1)), (u64::MAX, &b"stand"[..]));
        plugin.start_async("syscall").unwrap();
        assert!(plugin.injected(0).is_some() && plugin.injected(0).is_none());
        drop(plugin);
        // What it must not put in was refused, and it was told why.
        assert_eq!(
            value(&shared, &state, &bytes, "witness.faults"),
            text("none")
        );
        let plugin = shared.lock().unwrap();
        // It was made for this table of events, and not for one before.
        assert_eq!(plugin.info().event_schema.as_deref(), Some("4.0.0"));
        assert_eq!(plugin.info().fits_events("4.3.0"), Ok(()));
        let error = plugin.info().fits_events("3.9.0").unwrap_err();
        assert!(error.contains("major versions disagree"), "{error}");
    }
}

#[test]
fn threads_through_the_library_for_rust() {
    for child in [false, true] {
        let mut state = state();
        let registry = Arc::default();
        let plugin = started(&sample("tallying"), child, &registry);
        let bytes = open_event(7);
        for _ in 0..3 {
            parse(&plugin, &mut state, &bytes);
        }
        parse(&plugin, &mut state, &open_event(5));
        let at = |name: &str| value(&plugin, &state, &bytes, name);
        assert_eq!(at("tally.visits"), Some(Datum::Number(3)));
        assert_eq!(at("tally.name"), text("regular"));
        assert_eq!(at("tally.container"), text(""));
        assert_eq!(at("tally.argument[1]"), text("two"));
        assert_eq!(at("tally.argument[2]"), None);
        assert_eq!(at("tally.file[3]"), text("/etc/passwd"));
        assert_eq!(at("tally.threads"), Some(Datum::Number(3)));
        assert_eq!(
            value(&plugin, &state, &open_event(5), "tally.visits"),
            Some(Datum::Number(1))
        );
    }
}

#[test]
fn a_table_of_one_plugin_for_another() {
    for (first, second) in [(false, false), (true, true), (false, true), (true, false)] {
        let mut state = state();
        let registry = Arc::default();
        // Before its owner is there, there is no table.
        let mut early = Plugin::load(Spec::in_process(sample("reckoning"))).unwrap();
        let error = early.init("").unwrap_err().to_string();
        assert!(error.contains("tallies"), "{error}");
        let owner = started(&sample("tallying"), first, &registry);
        let other = started(&sample("reckoning"), second, &registry);
        let bytes = open_event(7);
        for _ in 0..2 {
            parse(&owner, &mut state, &bytes);
            parse(&other, &mut state, &bytes);
        }
        let at = |name: &str| value(&other, &state, &bytes, name);
        assert_eq!(at("reckon.name"), text("cat"), "{first} {second}");
        assert_eq!(at("reckon.doubled"), Some(Datum::Number(4)));
        // Two of thread 7, and 7 that the other one put in.
        assert_eq!(at("reckon.sum"), Some(Datum::Number(9)));
    }
}

#[test]
fn a_plugin_that_goes_wrong_amid_its_tables_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let library = compiled(dir.path(), "witness");
    for (word, told) in [("crash", "signal 11"), ("forever", "no answer")] {
        let reports: Arc<Mutex<Vec<String>>> = Arc::default();
        let spec = Spec {
            // Long enough for a busy machine where nothing hangs.
            patience: Duration::from_secs(if word == "forever" { 5 } else { 60 }),
            report: {
                let reports = Arc::clone(&reports);
                Arc::new(move |report| {
                    if let Report::Trouble { text, .. } = report {
                        reports.lock().unwrap().push(text);
                    }
                })
            },
            ..Spec::child(library.as_str(), env!("CARGO_BIN_EXE_plugin-host"))
        };
        let mut plugin = Plugin::load(spec).unwrap();
        plugin.init(&format!(r#"{{"word":"{word}"}}"#)).unwrap();
        let plugin = Mutex::new(plugin);
        let mut state = state();
        let bytes = open_event(7);
        parse(&plugin, &mut state, &bytes);
        // What it wrote before stands, and the rest of the state does.
        assert_eq!(state.thread_count(), 3);
        let limit = std::time::Instant::now() + Duration::from_secs(60);
        while value(&plugin, &state, &bytes, "witness.mine").is_none() {
            assert!(std::time::Instant::now() < limit, "it never came back");
            std::thread::sleep(Duration::from_millis(10));
        }
        parse(&plugin, &mut state, &bytes);
        assert_eq!(
            value(&plugin, &state, &bytes, "witness.mine"),
            Some(Datum::Number(2)),
            "{word}"
        );
        assert_eq!(
            value(&plugin, &state, &bytes, "witness.faults"),
            text("none")
        );
        let reports = reports.lock().unwrap();
        assert!(
            reports.len() == 1 && reports[0].contains(told),
            "{reports:?}"
        );
        assert_eq!(plugin.lock().unwrap().ends(), 1);
    }
}
