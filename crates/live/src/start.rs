//! What stands when the watch begins.

use std::time::{Duration, Instant};

use host::{Intake, Seen, Summary};
use state::State;

use crate::Live;

/// What the start took and found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// Until the first event could be captured.
    pub first_events: Duration,
    /// Until all could be, those of io_uring too.
    pub open: Duration,
    /// Reading `/proc`.
    pub scan: Duration,
    /// Threads and descriptors.
    pub summary: Summary,
    /// Events that waited meanwhile.
    pub waited: u64,
}

/// Takes what a scan finds into a state, and events out of the kernel's buffers meanwhile.
struct Loading<'a> {
    live: &'a mut Live,
    state: &'a mut State,
    waited: u64,
}

impl Intake for Loading<'_> {
    fn seen(&mut self, seen: Seen<'_>, looked: u64) {
        match seen {
            Seen::Process(process) => self.state.load_seen(process, looked),
            Seen::Descriptor(descriptor) => self.state.load_descriptor(descriptor),
        }
    }

    fn meanwhile(&mut self) {
        self.waited += self.live.drain();
    }
}

impl Live {
    /// Reads what stands into `state`. Events wait in memory meanwhile: their buffers are emptied
    /// while other threads look at `/proc`. (Here and not there, for a state stays where it was
    /// made.)
    pub fn start(&mut self, state: &mut State) -> Start {
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
        let mut loading = Loading {
            live: self,
            state,
            waited: 0,
        };
        loading.meanwhile();
        let summary = host.scan_together(&|| clock.now(), &mut loading);
        loading.state.finish_load();
        loading.meanwhile();
        let waited = loading.waited;
        Start {
            first_events: self.first_events,
            open: self.opened,
            scan: begun.elapsed(),
            summary,
            waited,
        }
    }

    /// Takes what is in the buffers into memory, for who is busy with something else before it can look
    /// at events; the number of events. They come first later.
    pub fn drain(&mut self) -> u64 {
        self.spill.take(&mut self.probe)
    }
}
