//! Records per second: read as they are, unpacked, and converted.

use std::hint::black_box;

use capture::{Compression, Item, Reader, Writer};
use criterion::{Criterion, Throughput, criterion_main};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};

/// Events of one run.
const EVENTS: u64 = 200_000;

/// A capture of today's events, of the sizes that kernels send.
fn modern(compression: Compression) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), compression).expect("memory");
    for i in 0..EVENTS {
        let (ts, tid) = (1_700_000_000_000_000_000 + i * 700, (1000 + i % 64) as i64);
        let event = |code| RecordBuilder::new(EventCode::new(code), ts, tid);
        let built = match i % 4 {
            0 => event(codes::SYSCALL_OPENAT_2_X)
                .i64(3)
                .i64(-100)
                .text("/usr/lib/x86_64-linux-gnu/libc.so.6")
                .u32(1)
                .u32(0)
                .u32(0x801)
                .u64(1_234_567),
            1 => event(codes::SYSCALL_READ_X)
                .i64(64)
                .bytes(&[7; 64])
                .i64(3)
                .u32(4096),
            2 => event(codes::SYSCALL_CLOSE_X).i64(0).i64(3),
            _ => event(codes::SYSCALL_FUTEX_X)
                .i64(0)
                .u64(0x7f00_dead_beef)
                .u16(0x81)
                .u64(1),
        };
        let bytes = built.finish();
        let record = Record::parse(&bytes, (i % 8) as u16, RecordFlags::default());
        writer.event(&record.expect("an event")).expect("memory");
    }
    writer.finish().expect("memory")
}

/// Pairs of enter and exit events as recorders wrote them until 2024.
fn pairs() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Compression::None).expect("memory");
    for i in 0..EVENTS / 2 {
        let (ts, tid) = (1_600_000_000_000_000_000 + i * 900, (1000 + i % 64) as i64);
        let event = |code| RecordBuilder::new(EventCode::new(code), ts, tid);
        let (enter, exit) = match i % 3 {
            0 => (
                event(codes::SYSCALL_READ_E).i64(3).u32(4096),
                event(codes::SYSCALL_READ_X).i64(64).bytes(&[7; 64]),
            ),
            1 => (
                event(codes::SYSCALL_FUTEX_E)
                    .u64(0x7f00_dead_beef)
                    .u16(0x81)
                    .u64(1),
                event(codes::SYSCALL_FUTEX_X).i64(0),
            ),
            _ => (
                event(codes::SYSCALL_CLOSE_E).i64(3),
                event(codes::SYSCALL_CLOSE_X).i64(0),
            ),
        };
        for built in [enter, exit] {
            let bytes = built.finish();
            let record = Record::parse(&bytes, (i % 8) as u16, RecordFlags::default());
            writer.event(&record.expect("an event")).expect("memory");
        }
    }
    writer.finish().expect("memory")
}

fn read(mut reader: Reader<&[u8]>) -> u64 {
    let mut sum = 0;
    while let Some(item) = reader.next().expect("a whole capture") {
        if let Item::Event(record) = item {
            sum += record.ts ^ record.param(0).len() as u64;
        }
    }
    sum
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(EVENTS));
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let file = modern(compression);
        group.bench_function(format!("modern, {compression}"), |b| {
            b.iter(|| read(Reader::new(black_box(file.as_slice())).expect("a capture")));
        });
    }
    let file = modern(Compression::None);
    group.bench_function("modern, raw", |b| {
        b.iter(|| read(Reader::raw(black_box(file.as_slice())).expect("a capture")));
    });
    let file = pairs();
    group.bench_function("pairs, converted", |b| {
        b.iter(|| read(Reader::new(black_box(file.as_slice())).expect("a capture")));
    });
    group.bench_function("pairs, raw", |b| {
        b.iter(|| read(Reader::raw(black_box(file.as_slice())).expect("a capture")));
    });
    group.finish();
}

#[allow(missing_docs, reason = "the macro makes a public function")]
mod group {
    criterion::criterion_group!(benches, super::bench);
}

criterion_main!(group::benches);
