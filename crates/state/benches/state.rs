//! Events a second through the state alone, per kind of workload.

#![allow(missing_docs, reason = "criterion makes functions")]

use std::collections::HashMap;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use state::{Options, State};
use testkit::workload::{Kind, Workload};

/// Events in one run of a workload.
const EVENTS: usize = 200_000;

fn records(kind: Kind) -> Vec<Vec<u8>> {
    let mut workload = Workload::new(kind, 1);
    let mut bytes = Vec::new();
    (0..EVENTS)
        .map(|_| {
            workload.next_into(&mut bytes);
            bytes.clone()
        })
        .collect()
}

fn benchmark(c: &mut Criterion) {
    let mut group = c.benchmark_group("state");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.sample_size(10);
    for (kind, name) in Kind::ALL {
        let records = records(kind);
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut state = State::new(Options::default());
                for bytes in &records {
                    let record =
                        Record::parse(bytes, 0, RecordFlags::default()).expect("our own record");
                    std::hint::black_box(state.process(&record));
                }
                state
            });
        });
        group.bench_function(format!("{name}, parsing only"), |b| {
            b.iter(|| {
                for bytes in &records {
                    std::hint::black_box(
                        Record::parse(bytes, 0, RecordFlags::default()).expect("our own record"),
                    );
                }
            });
        });
    }
    group.finish();
}

/// Containers that the load is spread over.
const CONTAINERS: i64 = 20;

/// In which container each thread is: its parent's.
#[derive(Default)]
struct Spread(HashMap<i64, i64>);

impl Spread {
    fn of(&mut self, record: &Record<'_>) -> i64 {
        let own = record.tid.rem_euclid(CONTAINERS);
        let parent = record
            .i64(5)
            .and_then(|parent| self.0.get(&parent).copied());
        let known = self.0.get(&record.tid).copied();
        let container = known.or(parent).unwrap_or(own);
        self.0.insert(record.tid, container);
        if let Some(child) = record.result().filter(|&child| child > 0) {
            self.0.insert(child, container);
        }
        container
    }
}

/// The same event in one of the containers: whoever is born or runs a program says so.
fn inside(spread: &mut Spread, bytes: &[u8]) -> Vec<u8> {
    let record = Record::parse(bytes, 0, RecordFlags::default()).expect("our own record");
    let tells = matches!(
        record.code.number(),
        codes::SYSCALL_CLONE_20_X
            | codes::SYSCALL_CLONE3_X
            | codes::SYSCALL_FORK_20_X
            | codes::SYSCALL_VFORK_20_X
            | codes::SYSCALL_EXECVE_19_X
            | codes::SYSCALL_EXECVEAT_X
    );
    if !tells {
        return bytes.to_vec();
    }
    let id = format!("{:064x}", 0xabcdu64 << 32 | spread.of(&record) as u64);
    let groups: String = ["cpuset", "cpu", "cpuacct", "io", "memory"]
        .iter()
        .map(|name| format!("{name}=/system.slice/docker-{id}.scope\0"))
        .collect();
    let mut builder =
        RecordBuilder::new(EventCode::new(record.code.number()), record.ts, record.tid);
    for i in 0..record.param_count() {
        builder.push(if i == 14 {
            groups.as_bytes()
        } else {
            record.param(i)
        });
    }
    builder.finish()
}

/// The same load outside of containers and in twenty of them, which are known.
fn containers(c: &mut Criterion) {
    let mut group = c.benchmark_group("containers");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.sample_size(20);
    for (kind, name) in Kind::ALL {
        let outside = records(kind);
        let mut spread = Spread::default();
        let within: Vec<Vec<u8>> = outside
            .iter()
            .map(|bytes| inside(&mut spread, bytes))
            .collect();
        for (place, records) in [("outside", &outside), ("in 20 containers", &within)] {
            group.bench_function(format!("{name}, {place}"), |b| {
                b.iter(|| {
                    let mut state = State::new(Options::default());
                    state.await_containers(500);
                    for bytes in records {
                        let record = Record::parse(bytes, 0, RecordFlags::default())
                            .expect("our own record");
                        std::hint::black_box(state.process(&record));
                    }
                    state
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, benchmark, containers);
criterion_main!(benches);
