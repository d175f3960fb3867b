//! What a machine looks like now: its processes, descriptors, users, interfaces.
//!
//! Everything is read below a root that the caller names, so a fake `/proc` in a test and the
//! machine's own from inside a container (`/host`) are the same to it. The results are the structs
//! of [`event::snapshot`], which a capture file's leading blocks give too: the state cannot tell
//! the two apart.
//!
//! ```
//! use host::{Host, Seen};
//!
//! let host = Host::new("/");
//! let mut threads = 0;
//! let summary = host.scan(&mut |seen: Seen<'_>| {
//!     if let Seen::Process(process) = seen {
//!         threads += 1;
//!         assert!(process.tid > 0);
//!     }
//! });
//! assert_eq!(summary.threads, threads);
//! ```
//!
//! A process may end while it is looked at; then it, or what is missing of it, is left out. All
//! text is bytes that a stranger chose.
//!
//! Modules: `process` one thread's files, `descriptor` its descriptors, `sockets` the kernel's tables
//! of sockets, which `diag` asks for, `machine` all that is there once, `threads` single threads on
//! demand, `crew` a scan by several threads, `batch` what one of them found.

#![forbid(unsafe_code)]

mod batch;
mod crew;
mod descriptor;
mod diag;
mod machine;
mod process;
mod read;
mod sockets;
mod threads;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use event::snapshot::{Descriptor, Process};

use crate::descriptor::Common;
use crate::sockets::{Freshness, Tables};

pub use crate::crew::Intake;
pub use crate::threads::Threads;

/// Something that a scan found. A process comes before its threads and its descriptors.
#[derive(Debug)]
pub enum Seen<'a> {
    /// A thread; a process if `tid` equals `pid`.
    Process(&'a Process<'a>),
    /// An open descriptor of the process seen last.
    Descriptor(&'a Descriptor<'a>),
}

/// What a scan went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Threads that were handed out.
    pub threads: usize,
    /// Descriptors that were handed out.
    pub descriptors: usize,
    /// Whether the time limit ended it.
    pub timed_out: bool,
}

/// A machine below a root.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    limit: Option<Duration>,
}

impl Host {
    /// The machine whose file systems hang below `root`; `/` for this one.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            limit: None,
        }
    }

    /// Ends scans after this time, with what they have by then.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }

    /// All threads, and the descriptors of all processes.
    pub fn scan(&self, sink: &mut dyn FnMut(Seen<'_>)) -> Summary {
        let begun = Instant::now();
        let mut summary = Summary::default();
        let mut common = Common::new(&Tables::new(Freshness::Scan));
        let mut reader = process::Reader::new(self);
        for pid in read::numbers(&self.path("proc")) {
            self.scan_process(pid, &mut reader, &mut common, &mut summary, sink);
            if self.limit.is_some_and(|limit| begun.elapsed() >= limit) {
                summary.timed_out = true;
                break;
            }
        }
        summary
    }

    /// One thread; if it leads its process, with the process's descriptors. `false`: there is no
    /// such thread, or it belongs to the kernel.
    pub fn scan_thread(&self, tid: i64, sink: &mut dyn FnMut(Seen<'_>)) -> bool {
        let mut reader = process::Reader::new(self);
        let dir = self.path(format!("proc/{tid}"));
        // A thread's directory is there, though not listed, under its own number.
        let Some(process) = reader.thread(&dir, tid) else {
            return false;
        };
        sink(Seen::Process(&process));
        if process.pid == tid {
            let mut summary = Summary::default();
            let mut common = Common::new(&Tables::new(Freshness::Scan));
            descriptor::scan(&dir, tid, &mut common, &mut summary, sink);
        }
        true
    }

    fn scan_process(
        &self,
        pid: i64,
        reader: &mut process::Reader,
        common: &mut Common,
        summary: &mut Summary,
        sink: &mut dyn FnMut(Seen<'_>),
    ) {
        let dir = self.path(format!("proc/{pid}"));
        let Some(process) = reader.thread(&dir, pid) else {
            return;
        };
        sink(Seen::Process(&process));
        summary.threads += 1;
        descriptor::scan(&dir, pid, common, summary, sink);
        for tid in read::numbers(&dir.join("task")) {
            if tid == pid {
                continue;
            }
            if let Some(thread) = reader.sibling(&dir.join(format!("task/{tid}")), tid) {
                sink(Seen::Process(&thread));
                summary.threads += 1;
            }
        }
    }
}
