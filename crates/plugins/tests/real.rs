//! Plugins of all capabilities, built with the interface's own library and loaded as they are.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::time::{Duration, Instant};

use event::{EventCode, RecordBuilder, codes};
use plugins::{Access, Batch, BatchEnd, Capability, Datum, Event, Fields, Plugin, Spec, Wanted};
use testkit::plugins::sample;

/// In a child, then in this process: both must do the same.
fn both(name: &str) -> [Plugin; 2] {
    let child = Spec {
        patience: Duration::from_secs(60),
        ..Spec::child(sample(name), env!("CARGO_BIN_EXE_plugin-host"))
    };
    [child, Spec::in_process(sample(name))].map(|spec| {
        let mut plugin = Plugin::load(spec).unwrap();
        plugin.init("").unwrap();
        plugin
    })
}

fn pluginevent(text: &[u8]) -> Vec<u8> {
    RecordBuilder::new(EventCode::new(codes::PLUGINEVENT_E), 5, -1)
        .u32(999)
        .bytes(text)
        .finish()
}

#[test]
fn a_source_brings_events_to_its_end() {
    for mut plugin in both("counting") {
        let info = plugin.info();
        assert_eq!(
            (info.name.as_str(), info.version.as_str(), info.id),
            ("counting", "1.2.3", 999)
        );
        assert!(info.can(Capability::Sourcing) && !info.can(Capability::Extraction));
        assert!(plugin.open("many").is_err());
        plugin.open("7").unwrap();
        let mut texts = Vec::new();
        loop {
            let Batch { events, end } = plugin.next_batch();
            for bytes in &events {
                let event = Event {
                    number: 1,
                    source: "counting",
                    bytes,
                };
                texts.push(plugin.describe(&event).unwrap());
            }
            match end {
                BatchEnd::More | BatchEnd::Later => {}
                BatchEnd::End => break,
                BatchEnd::Failed(words) => panic!("{words}"),
            }
        }
        assert_eq!(texts, ["n=1", "n=2", "n=3", "n=4", "n=5", "n=6", "n=7"]);
    }
}

#[test]
fn fields_of_all_kinds() {
    for mut plugin in both("reading") {
        let fields = Fields::new(plugin.info().fields.clone());
        let bytes = pluginevent(b"n=42");
        let event = Event {
            number: 1,
            source: "counting",
            bytes: &bytes,
        };
        let mut value = |text: &str| {
            let def = fields.resolve(text).unwrap();
            let argument = match &def.field.arg {
                filter::Argument::Key(key) => Some(key.to_string()),
                _ => None,
            };
            let wanted = Wanted {
                field: def.field.id.into(),
                argument,
            };
            plugin.extract(&event, &[wanted], Access::None).remove(0)
        };
        assert_eq!(value("count.n"), Some(vec![Datum::Number(42)]));
        assert_eq!(value("count.even"), Some(vec![Datum::Bool(true)]));
        assert_eq!(
            value("count.text"),
            Some(vec![Datum::Text(b"n=42".to_vec())])
        );
        assert_eq!(value("count.times[3]"), Some(vec![Datum::Number(126)]));
        let digits = [b"4".to_vec(), b"2".to_vec()].map(Datum::Text).to_vec();
        assert_eq!(value("count.digits"), Some(digits));
        let bytes = pluginevent(b"nonsense");
        let event = Event {
            number: 2,
            source: "counting",
            bytes: &bytes,
        };
        assert_eq!(
            plugin.extract(
                &event,
                &[Wanted {
                    field: 1,
                    argument: None
                }],
                Access::None
            ),
            [None]
        );
    }
}

#[test]
fn a_watcher_sees_every_event() {
    for mut plugin in both("watching") {
        for n in 0..50_u64 {
            let bytes = pluginevent(b"x");
            let event = Event {
                number: n,
                source: "counting",
                bytes: &bytes,
            };
            plugin.parse(&event, Access::None);
        }
        let metrics = plugin.metrics();
        assert_eq!(metrics.len(), 1);
        let seen = &metrics[0];
        assert!(
            seen.monotonic && seen.name == "seen" && seen.value == "50",
            "{seen:?}"
        );
    }
}

#[test]
fn events_are_put_into_the_stream() {
    for mut plugin in both("injecting") {
        assert_eq!(plugin.info().async_events, ["tick"]);
        assert!(plugin.info().injects_into("syscall") && plugin.info().injects_into("counting"));
        plugin.start_async("counting").unwrap();
        let limit = Instant::now() + Duration::from_secs(60);
        let mut seen = 0;
        while seen < 3 {
            assert!(Instant::now() < limit, "no event came");
            let Some(bytes) = plugin.injected(u64::MAX) else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            let record = event::Record::parse(&bytes, 0, event::RecordFlags::default()).unwrap();
            assert_eq!(record.code.number(), codes::ASYNCEVENT_E);
            assert_eq!(
                (record.text(1), record.param(2)),
                (&b"tick"[..], &b"tock"[..])
            );
            seen += 1;
        }
    }
}

#[test]
fn a_listener_hears_begin_and_end() {
    for mut plugin in both("listening") {
        plugin.listen(true, Access::None).unwrap();
        let limit = Instant::now() + Duration::from_secs(60);
        let metric = |plugin: &mut Plugin, name: &str| {
            let all = plugin.metrics();
            all.into_iter().find(|m| m.name == name).unwrap().value
        };
        while metric(&mut plugin, "worked") == "0" {
            assert!(Instant::now() < limit, "the routine never ran");
            std::thread::sleep(Duration::from_millis(1));
        }
        plugin.listen(false, Access::None).unwrap();
        assert_eq!(
            (metric(&mut plugin, "opened"), metric(&mut plugin, "closed")),
            ("1".into(), "1".into())
        );
    }
}
