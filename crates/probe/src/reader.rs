//! The events of all buffers, one after the other, in the order of time.
//!
//! A record carries the time at which its program began. Two programs on two CPUs may finish in the
//! other order, and two records of one thread may lie in different lanes; so nothing is handed out
//! that is younger than [`SETTLE`] at the moment the buffers were looked at last. What is older has
//! been committed by then (programs run with preemption off and take some microseconds), and can be
//! merged by time.
//!
//! Waiting is in two steps. Right after events the reader naps for [`NAP`] with no request to be
//! woken, so that under load it works in batches and programs pay nothing for waking it. A nap that
//! brought nothing is followed by sleep: the flag `reader_sleeps` asks the next program to ring the
//! doorbell. An idle machine thus costs no wake-up at all.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event::Record;

use crate::choice::Choice;
use crate::counters::{Counters, CpuCounters, LossMeter, Losses};
use crate::layout::{CLASSES, FLAG_IO_URING, MAX_CPUS};
use crate::loader::{self, Attached, Loaded, clock};
use crate::options::{Backend, Options, Syscalls};
use crate::ring::{Head, Ring, entry};
use crate::unread::Unread;
use crate::{Damage, Error, support};

/// How old an event is before it is handed out.
pub const SETTLE: Duration = Duration::from_micros(100);
/// How long the reader rests between batches.
const NAP: Duration = Duration::from_micros(400);

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
    /// Events up to this time may be handed out.
    watermark: u64,
    /// Nothing came since the last nap.
    idle: bool,
    received: Vec<[u64; CLASSES]>,
    unread: Unread,
    stray: [u64; CLASSES],
}

impl Probe {
    /// Loads the programs and attaches them: from here on, nothing is missed.
    ///
    /// # Errors
    /// [`Error`] says what is missing and how to get it.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let loaded = loader::load(options)?;
        let doorbell = loaded
            .doorbell
            .try_clone()
            .map_err(|source| Error::System {
                action: "duplicate a descriptor".into(),
                source,
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
            watermark: 0,
            idle: false,
            unread: options.unread,
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

    /// Reports only these calls from now on. Only calls that were asked for when the probe was
    /// opened have programs; others are ignored.
    pub fn set_syscalls(&mut self, syscalls: &Syscalls) {
        self.loaded.shared.set_wanted(syscalls, &self.unread);
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

    /// Calls that were left out as [`Options::unread`] says: those that succeeded, those that failed.
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
            self.release();
            let (ring, at, len) = match self.oldest() {
                Some(found) => found,
                None => {
                    self.look();
                    self.oldest()?
                }
            };
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
        self.oldest()
            .and_then(|(ring, _, _)| match self.heads[ring] {
                Head::Ready { ts, .. } => Some(ts),
                _ => None,
            })
    }

    /// Whether [`Probe::next`] has an event to give.
    #[inline]
    pub fn ready(&mut self) -> bool {
        self.release();
        if self.oldest().is_some() {
            return true;
        }
        self.look();
        self.oldest().is_some()
    }

    /// Gives the last event's room back.
    #[inline]
    fn release(&mut self) {
        if let Some((ring, len)) = self.current.take() {
            let buffer = &mut self.loaded.rings[ring];
            buffer.advance(len);
            buffer.publish_some();
            self.heads[ring] = buffer.head();
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

    /// Waits for events, `timeout` at most; `Ok(false)` if none came.
    ///
    /// # Errors
    /// The wait itself failed.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool, Error> {
        let deadline = Instant::now() + timeout;
        self.release();
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
                // They are too young: wait until they are not.
                nap(SETTLE.min(left));
            } else if self.idle {
                self.sleep(left)?;
                self.idle = false;
            } else {
                self.idle = true;
                nap(NAP.min(left));
            }
        }
    }

    /// Sleeps until a program rings the doorbell.
    fn sleep(&mut self, timeout: Duration) -> Result<(), Error> {
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
            return Ok(());
        }
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let millis = timeout.as_millis().clamp(1, i32::MAX as u128) as i32;
        // SAFETY: room for one event, as the call is told.
        let n = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), &raw mut event, 1, millis) };
        self.loaded
            .shared
            .reader_sleeps()
            .store(0, Ordering::Relaxed);
        self.doorbell.skip_all();
        if n < 0 {
            let error = std::io::Error::last_os_error();
            if error.kind() != std::io::ErrorKind::Interrupted {
                return Err(Error::System {
                    action: "wait for events".into(),
                    source: error,
                });
            }
        }
        Ok(())
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

/// Rests that long, and little longer: the kernel's default slack for timers is half a nap.
fn nap(time: Duration) {
    std::thread::sleep(time);
}
