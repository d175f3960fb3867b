//! What more cores are worth: `cores CAPTURE RULES...` replays once on one thread, once with a thread
//! that reads and one that does the rest, once with two threads that have a share of the processes
//! each. Wall time, CPU time of all threads, and alerts, which must be the same.
//!
//! A share: every event that changes threads, users or containers goes to both, so that each knows
//! all of them; what a process does with descriptors goes to the one that has the process. Alerts
//! carry the number of their event, by which both lists are merged.

#![forbid(unsafe_code)]

use std::error::Error;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use capture::{Item, Reader};
use engine::{Engine, Matching};
use event::{EventFlags, Record, RecordFlags, codes as c};
use fields::{Catalogue, Environment, EventView};
use rules::{Loader, Options};
use state::State;

/// Bytes of events that go from thread to thread at once.
const BATCH: usize = 128 * 1024;
/// Batches on their way.
const AHEAD: usize = 16;

/// Events: number and flags, length, bytes, each.
type Batch = Vec<u8>;

const OWNED: u8 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let capture = std::fs::read(arguments.next().ok_or("usage: cores CAPTURE RULES...")?)?;
    let files: Vec<String> = arguments.collect();
    let alone = time("one thread", || {
        let mut worker = Worker::new(&files)?;
        read(&capture, |number, record| {
            worker.event(number, true, record);
        })?;
        Ok(worker.alerts)
    })?;
    let piped = time("reader, rest", || shared(&capture, &files, 1))?;
    let halves = time("two shares of processes", || shared(&capture, &files, 2))?;
    let thirds = time("three shares", || shared(&capture, &files, 3))?;
    assert!(
        alone == piped && alone == halves && alone == thirds,
        "other alerts"
    );
    Ok(())
}

fn time(
    name: &str,
    work: impl Fn() -> Result<Vec<(u64, u32)>, Box<dyn Error>>,
) -> Result<Vec<(u64, u32)>, Box<dyn Error>> {
    let mut best = f64::MAX;
    let mut alerts = Vec::new();
    let cpu = cpu_seconds();
    for _ in 0..3 {
        let start = Instant::now();
        alerts = work()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    let cpu = (cpu_seconds() - cpu) / 3.0;
    println!(
        "{name:<24} {best:6.3} s wall, {cpu:6.2} s CPU, {} alerts",
        alerts.len()
    );
    Ok(alerts)
}

/// One reader, and as many workers as there are shares.
fn shared(
    capture: &[u8],
    files: &[String],
    shares: usize,
) -> Result<Vec<(u64, u32)>, Box<dyn Error>> {
    std::thread::scope(|scope| {
        let mut senders: Vec<(SyncSender<Batch>, Receiver<Batch>, Batch)> = Vec::new();
        let mut workers = Vec::new();
        for _ in 0..shares {
            let (full, take) = sync_channel::<Batch>(AHEAD);
            let (give, empty) = sync_channel::<Batch>(AHEAD + 2);
            senders.push((full, empty, Vec::with_capacity(BATCH * 2)));
            workers.push(scope.spawn(move || {
                let mut worker = Worker::new(files).map_err(|e| e.to_string())?;
                for mut batch in take {
                    worker.batch(&batch);
                    batch.clear();
                    let _ = give.try_send(batch);
                }
                Ok::<_, String>(worker.alerts)
            }));
        }
        let mut leaders = Leaders::default();
        read(capture, |number, record| {
            let owner = leaders.of(record) as usize % shares;
            let all = shares > 1 && concerns_all(record);
            for (share, (full, empty, batch)) in senders.iter_mut().enumerate() {
                if share != owner && !all {
                    continue;
                }
                let flags = if share == owner { OWNED } else { 0 };
                batch.extend_from_slice(&(number << 8 | u64::from(flags)).to_le_bytes());
                batch.extend_from_slice(&(record.bytes().len() as u32).to_le_bytes());
                batch.extend_from_slice(record.bytes());
                if batch.len() >= BATCH {
                    let next = empty
                        .try_recv()
                        .unwrap_or_else(|_| Vec::with_capacity(BATCH * 2));
                    let _ = full.send(std::mem::replace(batch, next));
                }
            }
        })?;
        for (full, _, batch) in senders {
            let _ = full.send(batch);
        }
        let mut alerts = Vec::new();
        for worker in workers {
            alerts.extend(worker.join().map_err(|_| "a worker panicked")??);
        }
        alerts.sort_unstable();
        Ok(alerts)
    })
}

/// Whether every share has to see the event.
fn concerns_all(record: &Record<'_>) -> bool {
    let descriptors = EventFlags::CREATES_FD | EventFlags::USES_FD | EventFlags::DESTROYS_FD;
    match record.code.number() {
        c::SYSCALL_FCHDIR_X => true,
        _ => {
            record.info.flags.contains(EventFlags::MODIFIES_STATE)
                && !record.info.flags.intersects(descriptors)
        }
    }
}

/// Process of each thread, as far as births tell.
#[derive(Default)]
struct Leaders(std::collections::HashMap<i64, i64>);

impl Leaders {
    fn of(&mut self, record: &Record<'_>) -> i64 {
        if matches!(
            record.code.number(),
            c::SYSCALL_CLONE_20_X | c::SYSCALL_CLONE3_X
        ) && let Some(pid) = record.i64(4)
            && pid != record.tid
        {
            self.0.insert(record.tid, pid);
        }
        if self.0.is_empty() {
            return record.tid;
        }
        *self.0.get(&record.tid).unwrap_or(&record.tid)
    }
}

/// State and rules.
struct Worker {
    engine: Engine,
    state: State,
    env: Environment,
    alerts: Vec<(u64, u32)>,
}

impl Worker {
    fn new(files: &[String]) -> Result<Self, Box<dyn Error>> {
        let catalogue = Catalogue::new([]);
        let mut loader = Loader::new(&[("syscall", &catalogue)], Options::new());
        for file in files {
            loader.load(file, &std::fs::read(file)?);
        }
        let mut rules = loader.finish();
        let order = rules.select(&[]);
        Ok(Self {
            engine: Engine::new(&rules, &order, &catalogue, "syscall", Matching::First)?,
            state: State::new(state::Options::default()),
            env: Environment::default(),
            alerts: Vec::new(),
        })
    }

    fn batch(&mut self, mut batch: &[u8]) {
        while let Some((head, rest)) = batch.split_first_chunk::<8>() {
            let Some((len, rest)) = rest.split_first_chunk::<4>() else {
                return;
            };
            let head = u64::from_le_bytes(*head);
            let (bytes, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
            batch = rest;
            if let Ok(record) = Record::parse(bytes, 0, RecordFlags::default()) {
                self.event(head >> 8, head as u8 & OWNED != 0, &record);
            }
        }
    }

    #[inline]
    fn event(&mut self, number: u64, owned: bool, record: &Record<'_>) {
        self.env.see(record);
        let context = self.state.process(record);
        if owned && context.visible && self.engine.concerns(record.code) {
            let view = EventView::new(record, &self.state, &context, &self.env);
            for &rule in self.engine.on_event(record.code, &view) {
                self.alerts.push((number, rule));
            }
        }
    }
}

/// Calls `each` with every event and its number.
fn read(capture: &[u8], mut each: impl FnMut(u64, &Record<'_>)) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::new(capture)?;
    let mut number = 0;
    while let Some(item) = reader.next()? {
        if let Item::Event(record) = item {
            number += 1;
            each(number, &record);
        }
    }
    Ok(())
}

/// CPU seconds of this process, in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // State is no number: user and system time are the 11th and 12th that follow.
    fields.get(10).unwrap_or(&0.0) / 100.0 + fields.get(11).unwrap_or(&0.0) / 100.0
}
