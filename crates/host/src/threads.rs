//! Single threads on demand: what a monitor asks about a thread or a descriptor that it has not
//! heard of before.

use std::time::Duration;

use event::snapshot::{Descriptor, Process};

use crate::descriptor::{Common, Folder};
use crate::sockets::{Freshness, Tables};
use crate::{Host, Seen, Summary, descriptor, process};

/// How long the kernel's tables of sockets are good for somebody who asks about single sockets.
const SOCKETS: Duration = Duration::from_secs(1);

/// Looks at one thread or descriptor at a time; buffers are kept between calls.
///
/// What it says is what is so now, which may be later than the event that made somebody ask.
pub struct Threads {
    host: Host,
    reader: process::Reader,
    link: Vec<u8>,
    common: Common,
}

impl Threads {
    /// Threads of this machine.
    #[must_use]
    pub fn new(host: &Host) -> Self {
        Self {
            host: host.clone(),
            reader: process::Reader::new(host),
            link: Vec::new(),
            common: Common::new(&Tables::new(Freshness::For(SOCKETS))),
        }
    }

    /// The thread; `None` if there is no such thread or it is the kernel's own.
    pub fn thread(&mut self, tid: i64) -> Option<Process<'_>> {
        // A thread's directory is there, though not listed, under its own number.
        let dir = self.host.path(format!("proc/{tid}"));
        self.reader.thread(&dir, tid)
    }

    /// All descriptors of a process.
    pub fn descriptors(&mut self, pid: i64, sink: &mut dyn FnMut(&Descriptor<'_>)) {
        let dir = self.host.path(format!("proc/{pid}"));
        let mut summary = Summary::default();
        self.common.forget_files();
        descriptor::scan(&dir, pid, &mut self.common, &mut summary, &mut |seen| {
            if let Seen::Descriptor(descriptor) = seen {
                sink(descriptor);
            }
        });
    }

    /// One descriptor of a process.
    pub fn descriptor(&mut self, pid: i64, fd: i64) -> Option<Descriptor<'_>> {
        let dir = self.host.path(format!("proc/{pid}"));
        let mut folder = Folder::of(&dir)?;
        let name = descriptor::entry_name(fd);
        self.link = folder.link(&name, std::mem::take(&mut self.link));
        if self.link.is_empty() {
            return None;
        }
        self.common.forget_files();
        let (ino, target) = folder.target(&name, &self.link, &mut self.common)?;
        Some(Descriptor {
            tid: pid,
            fd,
            ino,
            target,
        })
    }

    /// Whether the thread still exists.
    #[must_use]
    pub fn is_alive(&self, tid: i64) -> bool {
        self.host.path(format!("proc/{tid}/comm")).exists()
    }
}
