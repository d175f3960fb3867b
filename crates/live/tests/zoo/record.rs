//! Builds the zoo, runs it while the machine is watched, and keeps what is shown of its processes' events.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bumpalo::Bump;
use fields::{Catalogue, Environment, EventView, render};
use filter::{FieldDef, FieldSource, Purpose, Schema};
use live::{Live, Options};
use probe::{BufferSize, Syscalls, Tracepoints};
use serde_json::{Map, Value};
use state::{Engines, State};
use testkit::golden::value;

/// An event and what is shown of it.
pub(crate) struct Kept {
    /// Thread.
    pub(crate) tid: i64,
    /// Row of the event table.
    pub(crate) info: &'static event::EventInfo,
    /// Bytes of each parameter.
    pub(crate) params: Vec<Vec<u8>>,
    /// Text of each parameter, and its resolved text where that differs.
    pub(crate) texts: Vec<(String, Option<String>)>,
    /// Fields that have a value.
    pub(crate) fields: Map<String, Value>,
}

impl Kept {
    /// Bytes of a parameter by name.
    pub(crate) fn param(&self, name: &str) -> Option<&[u8]> {
        let index = self.info.param_index(name)?;
        self.params.get(index).map(Vec::as_slice)
    }

    /// A parameter of 8 bytes by name.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        Some(i64::from_le_bytes(self.param(name)?.try_into().ok()?))
    }

    fn of(view: &EventView<'_>, fields: &[FieldDef], scratch: &Bump) -> Self {
        let record = view.record;
        let texts = (0..record.len()).map(|index| {
            let mut raw = render::Out::new_in(scratch);
            render::raw(view, index, &mut raw);
            let mut resolved = render::Out::new_in(scratch);
            let differs = render::resolved(view, index, &mut resolved) && resolved != raw;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(&raw), differs.then(|| text(&resolved)))
        });
        let values = fields.iter().filter_map(|field| {
            let value = view.extract(&field.field, Purpose::Json, scratch)?;
            Some((field.name.clone(), value::json(field, &value)))
        });
        Self {
            tid: record.tid,
            info: record.info,
            params: (0..record.len())
                .map(|i| record.param(i).to_vec())
                .collect(),
            texts: texts.collect(),
            fields: values.collect(),
        }
    }
}

const BINARY: &str = "/var/tmp/zoo-bin/syscall-zoo";

fn options() -> Options {
    Options {
        probe: probe::Options {
            syscalls: Syscalls::all(),
            tracepoints: Tracepoints {
                signal: true,
                switch: false,
                page_fault: false,
            },
            buffer: BufferSize::preset(8).unwrap(),
            cpus_per_buffer: 1,
            ..probe::Options::default()
        },
        ..Options::default()
    }
}

/// What is shown of all events of the zoo's processes.
pub(crate) fn record(source: &Path, names: &[String]) -> Vec<Kept> {
    std::fs::create_dir_all("/var/tmp/zoo-bin").unwrap();
    let built = Command::new("gcc")
        .args(["-O1", "-static", "-w", "-o", BINARY])
        .arg(source)
        .status()
        .expect("gcc is installed");
    assert!(built.success(), "the zoo does not compile");

    let catalogue = Catalogue::new([]);
    let fields: Vec<FieldDef> = names
        .iter()
        .map(|name| catalogue.resolve(name).unwrap())
        .collect();
    let mut live = Live::open(&options()).unwrap_or_else(|error| panic!("{error}"));
    // Containers were a stub's: every thread was on the host.
    let mut state = State::new(state::Options {
        engines: Engines::none(),
        ..state::Options::default()
    });
    live.start(&mut state);
    let mut lookup = live.lookup();
    let mut environment = Environment::default();
    let mut scratch = Bump::new();

    // Who runs this may ignore signals that the zoo's children die of.
    let mut zoo = Command::new("/usr/bin/env")
        .args(["--default-signal", BINARY, "/var/tmp/zoo"])
        .env_clear()
        .env("ZOO", "1")
        .current_dir("/")
        .stdin(File::open("/dev/null").unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut family = HashSet::from([i64::from(zoo.id())]);
    let mut events = Vec::new();
    let clock = live.clock();
    // When the zoo had ended: what is younger is not its.
    let mut until = None;
    let begun = Instant::now();
    for turn in 0_u64.. {
        let event = live.next(Duration::from_millis(50)).unwrap();
        if until.is_none() && (event.is_none() || turn.is_multiple_of(256)) {
            until = zoo.try_wait().unwrap().map(|_| clock.now());
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "the zoo does not end"
            );
        }
        let Some(event) = event else {
            if until.is_some() {
                break;
            }
            continue;
        };
        let record = &event.record;
        if until.is_some_and(|until| record.ts > until) {
            break;
        }
        let is_birth = matches!(record.info.name, "clone" | "clone3" | "fork" | "vfork")
            && record.result() == Some(0);
        // Of a thread, the process; of a process, the parent.
        let relatives = [record.i64(4), record.i64(5)];
        if is_birth && relatives.iter().flatten().any(|tid| family.contains(tid)) {
            family.insert(record.tid);
        }
        // What others do changes nothing of these, and a busy machine does a lot.
        if family.contains(&record.tid) {
            let context = state.process_live(record, &mut lookup);
            environment.see(record);
            let view = EventView::new(record, &state, &context, &environment);
            events.push(Kept::of(&view, &fields, &scratch));
            scratch.reset();
        }
    }
    assert_eq!(live.counters().lost().total(), 0, "events were lost");
    events
}
