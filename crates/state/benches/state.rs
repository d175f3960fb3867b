//! Events a second through the state alone, per kind of workload.

#![allow(missing_docs, reason = "criterion makes functions")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use event::{Record, RecordFlags};
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

criterion_group!(benches, benchmark);
criterion_main!(benches);
