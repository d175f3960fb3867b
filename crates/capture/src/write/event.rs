//! What becomes of an event before it is written.

use event::{Record, RecordBuilder, RecordFlags, codes as c};

use crate::compat;

/// Position of the environment among the parameters of an exec.
const ENV: usize = 15;

/// How events are written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Form {
    pub(crate) redact_env: bool,
    pub(crate) compat: bool,
}

/// Records that stand for one event.
#[derive(Debug, Default)]
pub(crate) struct Made {
    bytes: Vec<u8>,
    /// Ends in `bytes`.
    ends: Vec<usize>,
    flags: RecordFlags,
}

impl Made {
    /// Adds a record.
    pub(crate) fn push(&mut self, builder: &RecordBuilder) {
        builder.write_to(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// The records, on the CPU of the one that they stand for.
    pub(crate) fn records<'a>(
        &'a self,
        like: &Record<'_>,
    ) -> impl Iterator<Item = Record<'a>> + use<'a> {
        // Flags of ours are for readers of today.
        let (cpu, flags) = (like.cpu, self.flags);
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(move |(start, &end)| {
            Record::parse(&self.bytes[start..end], cpu, flags).ok()
        })
    }
}

impl Form {
    /// Whether the event is written otherwise than it came.
    pub(crate) fn changes(self, record: &Record<'_>) -> bool {
        self.compat || (self.redact_env && has_env(record))
    }

    /// Makes what is written instead.
    pub(crate) fn convert(self, record: &Record<'_>, made: &mut Made) {
        made.bytes.clear();
        made.ends.clear();
        made.flags = record.flags;
        let hidden = (self.redact_env && has_env(record)).then_some(ENV);
        if self.compat {
            made.flags &= RecordFlags::STATE_ONLY;
            compat::event(record, hidden, made);
        } else {
            made.push(&copy(record, record.param_count(), hidden));
        }
    }
}

/// The event with its first `count` parameters, one of them emptied.
pub(crate) fn copy(record: &Record<'_>, count: usize, hidden: Option<usize>) -> RecordBuilder {
    let mut builder = RecordBuilder::new(record.code, record.ts, record.tid);
    for index in 0..count.min(record.param_count()) {
        builder.push(if hidden == Some(index) {
            b""
        } else {
            record.param(index)
        });
    }
    builder
}

fn has_env(record: &Record<'_>) -> bool {
    matches!(
        record.code.number(),
        c::SYSCALL_EXECVE_19_X | c::SYSCALL_EXECVEAT_X
    ) && !record.param(ENV).is_empty()
}
