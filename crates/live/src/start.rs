//! What stands when the watch begins.

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
    /// Reads what stands into `state`. Events wait in memory meanwhile: their buffers are emptied
    /// between two looks at `/proc`. (Not on a thread of its own: a state stays where it was made.)
    ///
    /// # Errors
    /// When waiting for events fails.
    pub fn start(&mut self, state: &mut State) -> Result<Start, Error> {
        let begun = Instant::now();
        let clock = self.probe.clock();
        let host = self.host.clone();
        let mut machine = host.machine();
        // The kernel's own note of it is in whole seconds.
        machine.boot_time = clock.boot_time();
        state.load_machine(&machine);
        state.load_interfaces(&host.interfaces());
        state.load_users(&host.users());
        state.begin_scan(self.began);
        let mut waited = self.drain()?;
        let mut drained = Instant::now();
        let mut fault = None;
        let mut looked = clock.now();
        let summary = host.scan(&mut |seen| {
            match seen {
                Seen::Process(process) => state.load_seen(process, looked),
                Seen::Descriptor(descriptor) => state.load_descriptor(descriptor),
            }
            if drained.elapsed() >= DRAIN {
                match self.drain() {
                    Ok(taken) => waited += taken,
                    Err(error) => fault = Some(error),
                }
                drained = Instant::now();
            }
            looked = clock.now();
        });
        state.finish_load();
        waited += self.drain()?;
        if let Some(fault) = fault {
            return Err(fault);
        }
        Ok(Start {
            open: self.opened,
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
            self.spill.push(&event.record);
            taken += 1;
        }
        Ok(taken)
    }
}
