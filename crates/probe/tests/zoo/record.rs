//! Builds the zoo, runs it, and keeps the events of its processes.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use probe::{Backend, BufferSize, Options, Probe, Syscalls, Tracepoints};

/// An event, out of the buffer.
pub(crate) struct Kept {
    /// Time.
    pub(crate) ts: u64,
    /// Thread.
    pub(crate) tid: i64,
    /// Row of the event table.
    pub(crate) info: &'static event::EventInfo,
    /// Bytes of each parameter.
    pub(crate) params: Vec<Vec<u8>>,
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
}

const BINARY: &str = "/var/tmp/zoo-bin/syscall-zoo";

/// All events from just before the zoo to its end.
pub(crate) fn record(source: &Path) -> Vec<Kept> {
    std::fs::create_dir_all("/var/tmp/zoo-bin").unwrap();
    // Where there is no compiler, as in an emulator, it lies there already.
    if std::env::var_os("PEREGRINE_ZOO_IS_BUILT").is_none() {
        let built = Command::new("gcc")
            .args(["-O1", "-static", "-w", "-o", BINARY])
            .arg(source)
            .status()
            .expect("gcc is installed");
        assert!(built.success(), "the zoo does not compile");
    }
    let mut probe = Probe::open(&Options {
        syscalls: Syscalls::all(),
        tracepoints: Tracepoints {
            signal: true,
            switch: true,
            page_fault: true,
        },
        buffer: BufferSize::preset(8).unwrap(),
        cpus_per_buffer: 1,
        backend: std::env::var("PEREGRINE_BACKEND")
            .map_or(Backend::Dispatch, |way| way.parse().unwrap()),
        ..Options::default()
    })
    .unwrap_or_else(|error| panic!("{error}"));
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
    let mut events = Vec::new();
    let mut ended: Option<Instant> = None;
    let begun = Instant::now();
    loop {
        while let Some(event) = probe.next() {
            let r = &event.record;
            if !matches!(r.info.name, "switch" | "page_fault") {
                events.push(Kept {
                    ts: r.ts,
                    tid: r.tid,
                    info: r.info,
                    params: (0..r.len()).map(|i| r.param(i).to_vec()).collect(),
                });
            }
        }
        probe.wait(Duration::from_millis(50)).unwrap();
        if ended.is_none() && zoo.try_wait().unwrap().is_some() {
            ended = Some(Instant::now());
        }
        if ended.is_some_and(|t| t.elapsed() > Duration::from_millis(300)) {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "the zoo does not end"
        );
    }
    assert_eq!(probe.counters().lost().total(), 0, "events were lost");
    let disorder = events.windows(2).filter(|w| w[0].ts > w[1].ts).count();
    // A CPU that the hypervisor stops for longer than the reader waits can be late; the order of one
    // thread's events is what counts below.
    assert!(
        disorder * 1000 <= events.len(),
        "{disorder} of {} events out of order",
        events.len()
    );
    events.sort_by_key(|event| event.ts);
    events
}
