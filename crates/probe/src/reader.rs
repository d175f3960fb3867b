//! The events of all buffers, one after the other, in the order of time.
//!
//! A record carries the time at which its program began. Two programs on two CPUs may finish in the
//! other order, and two records of one thread may lie in different lanes; so nothing is handed out
//! that is younger than [`SETTLE`] at the moment the buffers were looked at last. What is older has
//! been committed by then (programs run with preemption off and take some microseconds), and can be
//! merged by time.
//!
//! Waiting is in two steps. Right after events the reader naps with no request to be woken, so that
//! under load it works in batches and programs pay nothing for waking it; the larger the last batch,
//! the longer the nap ([`nap_after`]), for every nap costs as much as many events; few events that do not
//! end make it longer, too, for they would be a nap each. A nap that brought
//! nothing is followed by sleep: the flag `reader_sleeps` asks the next program to ring the doorbell.
//! Events that end a long sleep are mostly alone: after them it sleeps again at once. An idle machine
//! thus costs no wake-up at all.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event::Record;

use crate::choice::Choice;
use crate::counters::{Counters, CpuCounters, LossMeter, Losses};
use crate::filters::Filters;
use crate::lanes::LANES;
use crate::layout::{CLASSES, FLAG_IO_URING, MAX_CPUS};
use crate::loader::{self, Attached, Loaded, clock};
use crate::options::{Backend, Options, Syscalls};
use crate::ring::{Head, Ring, entry};
use crate::{Damage, Error, support};

/// How old an event is before it is handed out.
pub const SETTLE: Duration = Duration::from_micros(100);
/// How long the reader rests after its last event, before it asks to be woken.
const NAP: Duration = Duration::from_micros(400);
/// A sleep that only events of a quiet machine end.
const LONG: Duration = Duration::from_millis(5);
/// Events between two looks whether the lane of processes runs full.
const STRIDE: u32 = 256;

/// A sleep after which events are the first ones after a pause.
const PAUSE: Duration = Duration::from_millis(1);
/// Naps without a pause after which events are taken for a trickle that does not end.
const TRICKLE: u32 = 4;

/// How long the reader rests after a batch of so many events and so many naps without a pause. In the
/// longest of these naps two cores at full speed write a few hundred kilobytes.
const fn nap_after(batch: u32, naps: u32) -> Duration {
    Duration::from_micros(match batch {
        0..16 if naps < TRICKLE => SETTLE.as_micros() as u64,
        0..128 => 1000,
        _ => 1500,
    })
}

/// An event, borrowed from the buffer until the next call.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The record; `record.cpu` is the CPU it happened on.
    pub record: Record<'a>,
    /// Done by io_uring on behalf of the thread.
    pub io_uring: bool,
}

/// The clock of events: the boot clock, from the time at which the machine was booted. It does not
/// follow steps of the time of day.
#[derive(Clone, Copy, Debug)]
pub struct EventClock {
    boot_time: u64,
}

impl EventClock {
    /// When the machine was booted, nanoseconds since the epoch.
    #[must_use]
    pub fn boot_time(&self) -> u64 {
        self.boot_time
    }

    /// Time of an event that would happen now, nanoseconds since the epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.boot_time + clock(libc::CLOCK_BOOTTIME)
    }
}

/// A watched kernel.
pub struct Probe {
    loaded: Loaded,
    epoll: OwnedFd,
    doorbell: Ring,
    heads: Vec<Head>,
    /// Ring and length of the event handed out last: freed at the next call.
    current: Option<(usize, u32)>,
    /// The event to hand out next, where it was looked for already: ring, place, length.
    found: Option<(usize, u64, u32)>,
    /// Events up to this time may be handed out.
    watermark: u64,
    /// Nothing came since the last nap.
    idle: bool,
    /// The last sleep was a [`LONG`] one.
    rested: bool,
    /// Events since the last nap.
    batch: u32,
    /// Naps since the last [`PAUSE`].
    naps: u32,
    /// Events handed out, for what is looked at every [`STRIDE`] events.
    turns: u32,
    received: Vec<[u64; CLASSES]>,
    stray: [u64; CLASSES],
}

impl Probe {
    /// Loads the programs and attaches them: from here on, nothing is missed.
    ///
    /// # Errors
    /// [`Error`] says what is missing and how to get it.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let mut probe = Self::open_while(options, |probe| while probe.next().is_some() {})?;
        probe.received.fill([0; CLASSES]);
        Ok(probe)
    }

    /// The same for who wants what happens while the last programs are loaded: it is called every
    /// millisecond with a probe that has everything already but what io_uring does.
    ///
    /// # Errors
    /// As [`Probe::open`].
    pub fn open_while(
        options: &Options,
        mut meanwhile: impl FnMut(&mut Self),
    ) -> Result<Self, Error> {
        let (loaded, mut late) = loader::load(options)?;
        let mut probe = Self::of(loaded)?;
        std::thread::scope(|scope| {
            let loading = scope.spawn(|| late.load());
            while !loading.is_finished() {
                meanwhile(&mut probe);
                std::thread::sleep(Duration::from_millis(1));
            }
            loading.join().expect("it does not panic")
        })?;
        late.attach(&mut probe.loaded)?;
        Ok(probe)
    }

    fn of(loaded: Loaded) -> Result<Self, Error> {
        let doorbell = loaded
            .doorbell
            .try_clone()
            .map_err(|refusal| Error::System {
                action: "duplicate a descriptor".into(),
                refusal,
            })?;
        let doorbell = Ring::map(doorbell, crate::shared::page_size())?;
        let epoll = epoll_on(&doorbell)?;
        let heads = vec![Head::None; loaded.rings.len()];
        let cpus = support::cpus("possible")
            .last()
            .map_or(1, |last| last + 1)
            .min(MAX_CPUS);
        Ok(Self {
            loaded,
            epoll,
            doorbell,
            heads,
            current: None,
            found: None,
            watermark: 0,
            idle: false,
            rested: false,
            batch: 0,
            naps: 0,
            turns: 0,
            received: vec![[0; CLASSES]; cpus],
            stray: [0; CLASSES],
        })
    }

    /// What is watched, and by which program.
    #[must_use]
    pub fn attached(&self) -> &[Attached] {
        &self.loaded.hold.attached
    }

    /// The way of attaching that was chosen.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.loaded.choice.backend
    }

    /// Why that way was chosen, and what was measured for it.
    #[must_use]
    pub fn choice(&self) -> &Choice {
        &self.loaded.choice
    }

    /// How long it took from the begin of [`Probe::open`] until events came. Those of io_uring come when
    /// it returns.
    #[must_use]
    pub fn first_events(&self) -> Duration {
        self.loaded.first_events
    }

    /// Whether everything is still in place, for who reports the monitor's health. Cheap: a look at
    /// each link, some microseconds for all, and a system call that must be noticed.
    ///
    /// # Errors
    /// What is not in place.
    pub fn intact(&self) -> Result<(), Damage> {
        match self.loaded.hold.missing() {
            0 => {}
            links => return Err(Damage::Detached { links }),
        }
        if self
            .loaded
            .shared
            .notices_own_call(&self.loaded.hold.attached)
        {
            Ok(())
        } else {
            Err(Damage::Silent)
        }
    }

    /// The time at which the boot clock was 0, in nanoseconds since the epoch. All events' times
    /// are this plus the boot clock.
    #[must_use]
    pub fn boot_time(&self) -> u64 {
        self.loaded.boot_time
    }

    /// Time of an event that would happen now.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.loaded.boot_time + clock(libc::CLOCK_BOOTTIME)
    }

    /// The clock that events' times are taken from.
    #[must_use]
    pub fn clock(&self) -> EventClock {
        EventClock {
            boot_time: self.loaded.boot_time,
        }
    }

    /// Reports only these calls from now on, and leaves out of them what `filters` say. Only calls that
    /// were asked for when the probe was opened have programs; others are ignored.
    pub fn set_syscalls(&mut self, syscalls: &Syscalls, filters: &Filters) {
        self.loaded.shared.suspend_filters();
        let heeded = match &self.loaded.filtering {
            Some(filtering) => filtering.prepare(filters),
            None => Filters::new(*filters.unread()),
        };
        self.loaded.shared.set_wanted(syscalls, &heeded, self.now());
    }

    /// Whether more than whole outcomes can be left out.
    #[must_use]
    pub fn filters_calls(&self) -> bool {
        self.loaded.filtering.is_some()
    }

    /// Tells bits of a thread's image, as of its event at `time`: calls that [`Filters`] connect with
    /// one of them are left out until the image changes. False where the thread is gone.
    pub fn tell_image(&self, tid: u32, bits: u64, time: u64) -> bool {
        let filtering = self.loaded.filtering.as_ref();
        filtering.is_some_and(|filtering| filtering.tell(tid, bits, time))
    }

    /// A way to read the losses from elsewhere.
    #[must_use]
    pub fn loss_meter(&self) -> LossMeter {
        LossMeter {
            probes: Arc::new(Mutex::new(vec![Arc::clone(&self.loaded.shared)])),
            cpus: self.received.len(),
        }
    }

    /// What was received and lost since the probe was opened.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let cpus = (0..self.received.len())
            .map(|cpu| {
                let (full, large, no_buffer) = self.loaded.shared.losses(cpu);
                CpuCounters {
                    received: self.received[cpu],
                    lost: Losses {
                        full,
                        large,
                        no_buffer,
                        passed_over: 0,
                    },
                }
            })
            .collect();
        Counters {
            cpus,
            passed_over: self.loaded.shared.passed_over(),
        }
    }

    /// Calls that were left out as [`Options::filters`] says: those that succeeded, those that failed.
    #[must_use]
    pub fn left_out(&self) -> [u64; 2] {
        self.loaded.shared.unread()
    }

    /// Bytes that wait in the buffers, as of the last look.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.loaded.rings.iter().map(Ring::backlog).sum()
    }

    /// The next event; `None` when there is none yet: then [`Probe::wait`].
    #[allow(clippy::should_implement_trait, reason = "it lends: no iterator can")]
    #[inline]
    pub fn next(&mut self) -> Option<Event<'_>> {
        loop {
            if !self.ready() {
                return None;
            }
            let (ring, at, len) = self.found.take()?;
            self.current = Some((ring, len));
            // SAFETY: the record is given back to the kernel by `release`, which needs `&mut
            // self`, so not before the event's borrow of `self` has ended.
            let bytes: &[u8] = unsafe { self.loaded.rings[ring].bytes(at, len) };
            let Some(found) = entry(bytes) else { continue };
            let class = usize::from(found.class).min(CLASSES - 1);
            match self.received.get_mut(usize::from(found.record.cpu)) {
                Some(counts) => counts[class] += 1,
                None => self.stray[class] += 1,
            }
            self.idle = false;
            self.batch = self.batch.saturating_add(1);
            self.turns = self.turns.wrapping_add(1);
            return Some(Event {
                record: found.record,
                io_uring: found.flags & FLAG_IO_URING != 0,
            });
        }
    }

    /// Time of the event that [`Probe::next`] would give.
    pub fn next_time(&mut self) -> Option<u64> {
        if !self.ready() {
            return None;
        }
        self.found.and_then(|(ring, _, _)| match self.heads[ring] {
            Head::Ready { ts, .. } => Some(ts),
            _ => None,
        })
    }

    /// Whether [`Probe::next`] has an event to give.
    #[inline]
    pub fn ready(&mut self) -> bool {
        self.release();
        if self.found.is_none() {
            self.found = self.oldest();
        }
        if self.found.is_none() {
            self.look();
            self.found = self.oldest();
        }
        self.found.is_some()
    }

    /// Gives the last event's room back.
    #[inline]
    fn release(&mut self) {
        if let Some((ring, len)) = self.current.take() {
            let buffer = &mut self.loaded.rings[ring];
            buffer.advance(len);
            buffer.publish_some();
            self.heads[ring] = buffer.head();
            if self.turns.is_multiple_of(STRIDE) {
                self.relieve();
            }
        }
    }

    /// Where events of processes are about to be lost because so many others come before them, gives
    /// up those others: without processes nothing makes sense.
    #[cold]
    fn relieve(&mut self) {
        let lane = self.loaded.rings.len() / LANES as usize;
        let (processes, others) = self.loaded.rings.split_at_mut(lane);
        processes.iter_mut().for_each(Ring::refresh);
        if !processes.iter().any(Ring::is_crowded) {
            return;
        }
        let heads = self.heads.iter_mut().skip(lane);
        for (ring, head) in others.iter_mut().zip(heads).skip(lane) {
            ring.refresh();
            while let Head::Ready { at, len, .. } = ring.head() {
                // SAFETY: nothing is given back before the loop has ended.
                let bytes: &[u8] = unsafe { ring.bytes(at, len) };
                if let Some(found) = entry(bytes) {
                    self.loaded.shared.give_up(found.record.cpu, found.class);
                }
                ring.advance(len);
            }
            *head = Head::None;
            ring.publish();
        }
    }

    /// The oldest first record of all rings, if it is old enough.
    #[inline]
    fn oldest(&self) -> Option<(usize, u64, u32)> {
        let mut best: Option<(usize, u64, u32)> = None;
        let mut best_ts = u64::MAX;
        for (ring, head) in self.heads.iter().enumerate() {
            if let Head::Ready { ts, at, len } = *head
                && ts < best_ts
            {
                best_ts = ts;
                best = Some((ring, at, len));
            }
        }
        best.filter(|_| best_ts <= self.watermark)
    }

    /// Looks at all rings anew. The clock is read first: all that is older than it by [`SETTLE`]
    /// was in the rings before they are looked at.
    fn look(&mut self) {
        self.watermark = self.now().saturating_sub(SETTLE.as_nanos() as u64);
        for (ring, head) in self.loaded.rings.iter_mut().zip(&mut self.heads) {
            ring.publish();
            ring.refresh();
            *head = ring.head();
        }
    }

    /// Waits for events, `timeout` at most; `Ok(false)` if none came by then or before a signal.
    ///
    /// # Errors
    /// The wait itself failed.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool, Error> {
        let deadline = Instant::now() + timeout;
        self.release();
        if self.found.is_some() {
            return Ok(true);
        }
        loop {
            self.look();
            if self.oldest().is_some() {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            if self.loaded.rings.iter().any(Ring::has_unread) {
                // They are too young: wait until they are not, or longer where more will come.
                self.nap(Duration::ZERO, left);
            } else if self.idle || self.rested {
                let begun = Instant::now();
                let interrupted = self.sleep(left)?;
                let slept = begun.elapsed();
                self.idle = false;
                self.rested = slept > LONG;
                if slept > PAUSE {
                    self.naps = 0;
                }
                if interrupted && !self.has_unread() {
                    return Ok(false);
                }
            } else {
                self.idle = true;
                self.nap(NAP, left);
            }
        }
    }

    /// Rests as long as the last batch allows, `least` at least and `most` at most; and little longer:
    /// the kernel's default slack for timers is half the shortest nap.
    fn nap(&mut self, least: Duration, most: Duration) {
        let time = nap_after(self.batch, self.naps);
        std::thread::sleep(time.max(least).min(most));
        self.batch = 0;
        self.naps = self.naps.saturating_add(1);
    }

    /// Whether anything is in the buffers, however young.
    fn has_unread(&mut self) -> bool {
        self.look();
        self.loaded.rings.iter().any(Ring::has_unread)
    }

    /// Sleeps until a program rings the doorbell; whether a signal ended it.
    fn sleep(&mut self, timeout: Duration) -> Result<bool, Error> {
        let flag = self.loaded.shared.reader_sleeps();
        flag.store(1, Ordering::SeqCst);
        // The flag must be seen by whoever writes a record that the look below does not see.
        fence(Ordering::SeqCst);
        for ring in &mut self.loaded.rings {
            ring.refresh();
        }
        if self.loaded.rings.iter().any(Ring::has_unread) {
            self.loaded
                .shared
                .reader_sleeps()
                .store(0, Ordering::Relaxed);
            return Ok(false);
        }
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let millis = timeout.as_millis().clamp(1, i32::MAX as u128) as i32;
        // SAFETY: room for one event, as the call is told.
        let n = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), &raw mut event, 1, millis) };
        self.loaded
            .shared
            .reader_sleeps()
            .store(0, Ordering::Relaxed);
        let error = std::io::Error::last_os_error();
        self.doorbell.skip_all();
        match error.kind() {
            _ if n >= 0 => Ok(false),
            std::io::ErrorKind::Interrupted => Ok(true),
            _ => Err(Error::System {
                action: "wait for events".into(),
                refusal: error,
            }),
        }
    }
}

fn epoll_on(ring: &Ring) -> Result<OwnedFd, Error> {
    // SAFETY: system calls on descriptors of ours; the new one is owned from here on.
    unsafe {
        let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
        if fd < 0 {
            return Err(Error::last_os("make an epoll descriptor"));
        }
        let epoll = OwnedFd::from_raw_fd(fd);
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: 0,
        };
        let bell = ring.fd().as_raw_fd();
        if libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, bell, &raw mut event) < 0 {
            return Err(Error::last_os("watch the doorbell"));
        }
        Ok(epoll)
    }
}
