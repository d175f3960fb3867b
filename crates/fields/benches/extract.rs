//! How long the fields that nearly every rule asks for take, on an openat of a process with four ancestors.
#![allow(missing_docs, reason = "the macro makes a public function")]

use bumpalo::Bump;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use event::snapshot::Process;
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use fields::{Catalogue, Environment, EventView};
use filter::{FieldSource, Purpose, Schema};
use state::{Options, State};

fn machine() -> State {
    let mut state = State::new(Options::default());
    let process = |tid: i64, ptid: i64, comm: &'static [u8]| Process {
        tid,
        pid: tid,
        vtid: tid,
        vpid: tid,
        ptid,
        comm,
        exe: b"/bin/something",
        args: b"-a\0-b\0",
        cwd: b"/tmp",
        ..Process::default()
    };
    for (tid, ptid, comm) in [
        (1, 0, &b"systemd"[..]),
        (10, 1, b"sshd"),
        (20, 10, b"sshd"),
        (30, 20, b"bash"),
        (40, 30, b"cat"),
    ] {
        state.load_process(&process(tid, ptid, comm));
    }
    state.finish_load();
    state
}

fn hot_fields(bench: &mut Criterion) {
    let mut state = machine();
    let bytes = RecordBuilder::new(EventCode::new(codes::SYSCALL_OPENAT_2_X), 1_000, 40)
        .i64(3)
        .i64(-100)
        .text("/etc/passwd")
        .u32(1)
        .u32(0)
        .u32(0)
        .u64(42)
        .finish();
    let record = Record::parse(&bytes, 0, RecordFlags::default()).expect("a record");
    let context = state.process(&record);
    let env = Environment::default();
    let view = EventView::new(&record, &state, &context, &env);
    let catalogue = Catalogue::new([]);
    let mut scratch = Bump::new();
    let mut group = bench.benchmark_group("extract");
    for name in [
        "evt.type",
        "evt.is_open_write",
        "evt.arg.flags",
        "evt.args",
        "fd.name",
        "fd.directory",
        "fd.typechar",
        "proc.name",
        "proc.pname",
        "proc.cmdline",
        "proc.aname",
        "proc.aname[2]",
        "container.id",
        "user.name",
    ] {
        let field = catalogue.resolve(name).expect("a field").field;
        group.bench_function(name, |b| {
            b.iter(|| {
                scratch.reset();
                black_box(view.extract(black_box(&field), Purpose::Compare, &scratch)).is_some()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, hot_fields);
criterion_main!(benches);
