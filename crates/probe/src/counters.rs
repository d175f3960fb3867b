//! What was received and what was lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::layout::CLASSES;
use crate::shared::Shared;

/// Class of an event, by which losses are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Anything that is not below.
    Other,
    /// clone, clone3, fork, vfork.
    CloneForkExit,
    /// execve, execveat.
    ExecveExit,
    /// Entry of connect.
    ConnectEnter,
    /// connect.
    ConnectExit,
    /// Entry of open, openat, openat2, creat.
    OpenEnter,
    /// open, openat, openat2, creat, open_by_handle_at.
    OpenExit,
    /// Changes of directories and files: chmod, chown, link, mkdir, mount, rename, unlink, ...
    DirFileExit,
    /// close.
    CloseExit,
    /// End of a thread.
    ProcExit,
    /// bpf, ptrace, setns, capset, ... : rare and telling.
    OtherInterestExit,
}

impl Class {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; CLASSES] = [
        Self::Other,
        Self::CloneForkExit,
        Self::ExecveExit,
        Self::ConnectEnter,
        Self::ConnectExit,
        Self::OpenEnter,
        Self::OpenExit,
        Self::DirFileExit,
        Self::CloseExit,
        Self::ProcExit,
        Self::OtherInterestExit,
    ];

    /// Name as in Falco's metrics (`n_drops_buffer_NAME`); `None` for the rest class.
    #[must_use]
    pub const fn metric(self) -> Option<&'static str> {
        Some(match self {
            Self::Other => return None,
            Self::CloneForkExit => "clone_fork_exit",
            Self::ExecveExit => "execve_exit",
            Self::ConnectEnter => "connect_enter",
            Self::ConnectExit => "connect_exit",
            Self::OpenEnter => "open_enter",
            Self::OpenExit => "open_exit",
            Self::DirFileExit => "dir_file_exit",
            Self::CloseExit => "close_exit",
            Self::ProcExit => "proc_exit",
            Self::OtherInterestExit => "other_interest_exit",
        })
    }
}

/// Events that did not arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// The buffer was full, by class.
    pub full: [u64; CLASSES],
    /// Larger than an event may be.
    pub large: u64,
    /// No buffer for the CPU, or no room to put the event together.
    pub no_buffer: u64,
    /// Programs that the kernel passed over, for they had been put aside half-way on that CPU. It
    /// happens only where programs sit on functions, on kernels that put tasks aside anywhere; it
    /// is known for all CPUs together only.
    pub passed_over: u64,
}

impl Losses {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.buffer_full() + self.large + self.no_buffer + self.passed_over
    }

    /// Those for want of room.
    #[must_use]
    pub fn buffer_full(&self) -> u64 {
        self.full.iter().sum()
    }

    /// Those of one class for want of room.
    #[must_use]
    pub const fn of(&self, class: Class) -> u64 {
        self.full[class as usize]
    }

    /// What was lost since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut delta = *self;
        for (now, then) in delta.full.iter_mut().zip(earlier.full) {
            *now = now.saturating_sub(then);
        }
        delta.large = delta.large.saturating_sub(earlier.large);
        delta.no_buffer = delta.no_buffer.saturating_sub(earlier.no_buffer);
        delta.passed_over = delta.passed_over.saturating_sub(earlier.passed_over);
        delta
    }

    fn add(&mut self, other: &Self) {
        for (sum, n) in self.full.iter_mut().zip(other.full) {
            *sum += n;
        }
        self.large += other.large;
        self.no_buffer += other.no_buffer;
        self.passed_over += other.passed_over;
    }
}

/// Reads what is lost while the probe is busy elsewhere, from any thread. It may count for several
/// probes that took turns.
#[derive(Clone)]
pub struct LossMeter {
    pub(crate) probes: Arc<Mutex<Vec<Arc<Shared>>>>,
    pub(crate) cpus: usize,
}

impl LossMeter {
    /// Counts for another probe too.
    pub fn join(&self, other: &Self) {
        // Never both locked at a time.
        let probes = other.probes().clone();
        self.probes().extend(probes);
    }

    /// Losses since the probe was opened, by CPU number.
    #[must_use]
    pub fn by_cpu(&self) -> Vec<Losses> {
        (0..self.cpus).map(|cpu| self.of_cpu(cpu)).collect()
    }

    /// Calls that were left out because nobody reads them: those that succeeded, those that failed.
    #[must_use]
    pub fn left_out(&self) -> [u64; 2] {
        let probes = self.probes();
        probes.iter().fold([0, 0], |[succeeded, failed], shared| {
            let [more, and_more] = shared.unread();
            [succeeded + more, failed + and_more]
        })
    }

    /// Losses since the probe was opened.
    #[must_use]
    pub fn lost(&self) -> Losses {
        let mut sum = Losses::default();
        for cpu in 0..self.cpus {
            sum.add(&self.of_cpu(cpu));
        }
        sum.passed_over = self
            .probes()
            .iter()
            .map(|shared| shared.passed_over())
            .sum();
        sum
    }

    fn of_cpu(&self, cpu: usize) -> Losses {
        let mut sum = Losses::default();
        for shared in self.probes().iter() {
            let (full, large, no_buffer) = shared.losses(cpu);
            sum.add(&Losses {
                full,
                large,
                no_buffer,
                passed_over: 0,
            });
        }
        sum
    }

    fn probes(&self) -> MutexGuard<'_, Vec<Arc<Shared>>> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One CPU's count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuCounters {
    /// Events that were read, by class.
    pub received: [u64; CLASSES],
    /// Events that were lost.
    pub lost: Losses,
}

/// The count of every CPU, from the start.
///
/// Received and lost together are what happened, exactly, once the buffers are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// By CPU number.
    pub cpus: Vec<CpuCounters>,
    /// See [`Losses::passed_over`].
    pub passed_over: u64,
}

impl Counters {
    /// Events that were read.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.cpus.iter().flat_map(|cpu| cpu.received).sum()
    }

    /// Events that were lost.
    #[must_use]
    pub fn lost(&self) -> Losses {
        let mut sum = Losses::default();
        for cpu in &self.cpus {
            sum.add(&cpu.lost);
        }
        sum.passed_over = self.passed_over;
        sum
    }

    /// Events that were read, of one class.
    #[must_use]
    pub fn received_of(&self, class: Class) -> u64 {
        self.cpus
            .iter()
            .map(|cpu| cpu.received[class as usize])
            .sum()
    }
}
