//! A scan by several threads: most of its time goes by in the kernel, for one process or another.
//!
//! The threads look at processes; what they found comes in batches to the thread that asked, which
//! alone takes it in. *Invariant:* a process comes before its threads and its descriptors; different
//! processes come in any order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::descriptor::Common;
use crate::sockets::{Freshness, Tables};
use crate::{Host, Seen, Summary, process, read};

/// More threads wait for each other in the kernel.
const MOST: usize = 4;

/// Batches that may wait to be taken in.
const WAITING: usize = 16;

/// Takes in what a scan finds.
pub trait Intake {
    /// One thing; of a thread, `looked` is a time before the scan began to look at it.
    fn seen(&mut self, seen: Seen<'_>, looked: u64);

    /// Called every [`Intake::PERIOD`] at least, more or less.
    fn meanwhile(&mut self) {}

    /// See [`Intake::meanwhile`].
    const PERIOD: Duration = Duration::from_millis(5);
}

/// What the threads share.
struct Errand<'a> {
    host: &'a Host,
    pids: Vec<i64>,
    next: AtomicUsize,
    begun: Instant,
    timed_out: AtomicBool,
    clock: &'a (dyn Fn() -> u64 + Sync),
    tables: std::sync::Arc<Tables>,
}

impl Host {
    /// The same as [`Host::scan`] by as many threads as there are CPUs; `clock` tells the times at
    /// which they look. Processes come in no order.
    pub fn scan_together<I: Intake>(
        &self,
        clock: &(dyn Fn() -> u64 + Sync),
        intake: &mut I,
    ) -> Summary {
        let errand = Errand {
            host: self,
            pids: read::numbers(&self.path("proc")),
            next: AtomicUsize::new(0),
            begun: Instant::now(),
            timed_out: AtomicBool::new(false),
            clock,
            tables: Tables::new(Freshness::Scan),
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let (sender, batches) = sync_channel(WAITING);
            let workers: Vec<_> = (0..threads.min(MOST))
                .map(|_| {
                    let (errand, sender) = (&errand, sender.clone());
                    scope.spawn(move || errand.run(&sender))
                })
                .collect();
            drop(sender);
            loop {
                match batches.recv_timeout(I::PERIOD) {
                    Ok(batch) => take_in(&batch, intake),
                    Err(RecvTimeoutError::Timeout) => intake.meanwhile(),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            let found = workers
                .into_iter()
                .map(|worker| worker.join().expect("it does not panic"));
            let mut summary = found.fold(Summary::default(), |all, one| Summary {
                threads: all.threads + one.threads,
                descriptors: all.descriptors + one.descriptors,
                timed_out: false,
            });
            summary.timed_out = errand.timed_out.load(Ordering::Relaxed);
            summary
        })
    }
}

fn take_in<I: Intake>(batch: &Batch, intake: &mut I) {
    let mut last = Instant::now();
    batch.unpack(&mut |seen, looked| {
        intake.seen(seen, looked);
        if last.elapsed() >= I::PERIOD {
            intake.meanwhile();
            last = Instant::now();
        }
    });
    intake.meanwhile();
}

impl Errand<'_> {
    /// Looks at one process after the other until none is left.
    fn run(&self, sender: &SyncSender<Batch>) -> Summary {
        let mut summary = Summary::default();
        let mut common = Common::new(&self.tables);
        let mut reader = process::Reader::new(self.host);
        let mut batch = Batch::default();
        // Nobody takes it in any more: then it is of no use.
        let send = |batch: &mut Batch| sender.send(std::mem::take(batch)).is_ok();
        while let Some(&pid) = self.pids.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let mut looked = (self.clock)();
            self.host
                .scan_process(pid, &mut reader, &mut common, &mut summary, &mut |seen| {
                    batch.push(&seen, looked);
                    if batch.is_full() {
                        send(&mut batch);
                    }
                    looked = (self.clock)();
                });
            let limit = self.host.limit;
            if limit.is_some_and(|limit| self.begun.elapsed() >= limit) {
                self.timed_out.store(true, Ordering::Relaxed);
                break;
            }
        }
        if !batch.is_empty() {
            send(&mut batch);
        }
        summary
    }
}
