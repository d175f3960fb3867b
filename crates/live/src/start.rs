//! What stands when the watch begins.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use host::{Seen, Summary};
use state::State;

use crate::{Error, Live};

/// How often buffers are emptied while `/proc` is read.
const DRAIN: Duration = Duration::from_millis(5);

/// What the start took and found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// Until the first event could be captured.
    pub open: Duration,
    /// Reading `/proc`.
    pub scan: Duration,
    /// Threads and descriptors.
    pub summary: Summary,
    /// Events that waited meanwhile.
    pub waited: u64,
}

impl Live {
    /// Reads what stands into `state`, on a thread of its own, while events wait in memory.
    ///
    /// # Errors
    /// When the thread cannot be started or waiting for events fails.
    pub fn start(&mut self, state: &mut State) -> Result<Start, Error> {
        let begun = Instant::now();
        let opened = self.opened;
        let clock = self.probe.clock();
        let host = self.host.clone();
        let done = AtomicBool::new(false);
        let (boot_time, began) = (clock.boot_time(), self.began);
        let mut waited = 0;
        let summary = std::thread::scope(|scope| {
            let scan = || {
                let mut machine = host.machine();
                // The kernel's own note of it is in whole seconds.
                machine.boot_time = boot_time;
                state.load_machine(&machine);
                state.load_interfaces(&host.interfaces());
                state.load_users(&host.users());
                state.begin_scan(began);
                let mut looked = clock.now();
                let summary = host.scan(&mut |seen| {
                    match seen {
                        Seen::Process(process) => state.load_seen(process, looked),
                        Seen::Descriptor(descriptor) => state.load_descriptor(descriptor),
                    }
                    looked = clock.now();
                });
                state.finish_load();
                done.store(true, Ordering::Release);
                summary
            };
            let scan = std::thread::Builder::new()
                .name("scan".into())
                .spawn_scoped(scope, scan)
                .map_err(Error::Thread)?;
            while !done.load(Ordering::Acquire) && !scan.is_finished() {
                waited += self.drain()?;
                std::thread::sleep(DRAIN);
            }
            // A scan that panicked would have been a fault of this program: it goes on its way up.
            Ok::<_, Error>(match scan.join() {
                Ok(summary) => summary,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        Ok(Start {
            open: opened,
            scan: begun.elapsed(),
            summary,
            waited,
        })
    }

    /// Takes what is in the buffers into memory.
    fn drain(&mut self) -> Result<u64, Error> {
        let mut taken = 0;
        while !self.spill.is_full()
            && let Some(event) = self.probe.next()
        {
            self.spill.push(&event.record, event.io_uring);
            taken += 1;
        }
        Ok(taken)
    }
}
