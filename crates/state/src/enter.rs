//! Enter events that wait for their exit: what the caller passed before the kernel looked at it.

use event::{EventCode, Record, RecordFlags};

/// A stored enter event.
#[derive(Clone, Debug)]
pub(crate) struct Enter {
    bytes: Vec<u8>,
}

/// Longest enter event that is stored.
pub(crate) const ENTER_MAX: usize = 4096;

impl Enter {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    pub(crate) fn store(&mut self, record: &Record<'_>) {
        self.bytes.clear();
        self.bytes.extend_from_slice(record.bytes());
    }

    /// The event again; its bytes were checked when they were stored.
    pub(crate) fn record(&self) -> Option<Record<'_>> {
        Record::parse(&self.bytes, 0, RecordFlags::default()).ok()
    }
}

/// Whether an exit of type `exit` belongs to a stored enter event of type `enter`.
pub(crate) fn belongs(enter: EventCode, exit: EventCode) -> bool {
    use event::codes::{SYSCALL_EXECVE_19_X, SYSCALL_EXECVEAT_E};
    enter.number() + 1 == exit.number()
        || (enter.number() == SYSCALL_EXECVEAT_E && exit.number() == SYSCALL_EXECVE_19_X)
}
