//! Writes what a machine does to capture files.
//!
//! Each file begins with the state of the machine at that time and can be read on its own. A filter
//! decides what is shown of it later; what it hides but the state needs is written all the same,
//! marked as for the state only.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use capture::{Compression, Counted, Writer};
use containers::Message;
use event::{EventFlags, Record, RecordFlags, codes};
use fields::{Environment, EventView};
use filter::{Filter, Memo};
use state::{Context, State};

use crate::event_loop::Work;

/// Nanoseconds between two times at which the file can be read up to its end.
const FLUSH: u64 = 1_000_000_000;

/// How it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    /// File, or `-` for standard output.
    pub(crate) path: String,
    /// Compression.
    pub(crate) compression: Compression,
    /// Environments are left out.
    pub(crate) redact_env: bool,
    /// What programs' files are is found out.
    pub(crate) identify: bool,
    /// For sysdig 0.29.3.
    pub(crate) compat: bool,
    /// Bytes of a file after which the next begins.
    pub(crate) rotate_bytes: Option<u64>,
    /// Nanoseconds of event time after which the next begins.
    pub(crate) rotate_time: Option<u64>,
    /// Events of a file after which the next begins.
    pub(crate) rotate_events: Option<u64>,
    /// Most files that are kept.
    pub(crate) keep: Option<usize>,
    /// Events after which recording ends.
    pub(crate) most_events: Option<u64>,
}

impl Form {
    fn rotates(&self) -> bool {
        self.rotate_bytes.is_some() || self.rotate_time.is_some() || self.rotate_events.is_some()
    }
}

/// Records that further know-how puts at the start of each file.
pub(crate) type Dump = Box<dyn FnMut() -> Result<Vec<Vec<u8>>> + Send>;

/// Writes events that pass a filter.
pub(crate) struct Recorder {
    dump: Dump,
    form: Form,
    filter: Option<Filter>,
    memo: Memo,
    env: Environment,
    writer: Option<Writer<Counted<Box<dyn Write>>>>,
    bytes: Arc<AtomicU64>,
    /// Files so far, oldest first, as far as they are kept.
    files: VecDeque<PathBuf>,
    number: u64,
    /// Events of the file that a reader sees.
    in_file: u64,
    /// Time of the first of them.
    began: u64,
    flushed: u64,
    /// Events that were written, those for the state only not counted.
    pub(crate) written: u64,
    /// Bytes of all files.
    pub(crate) total_bytes: u64,
    /// Why writing failed.
    pub(crate) fault: Option<anyhow::Error>,
}

impl Recorder {
    /// Opens the first file and writes what stands.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn begin(
        form: Form,
        filter: Option<Filter>,
        env: Environment,
        state: &State,
        dump: Dump,
    ) -> Result<Self> {
        let mut recorder = Self {
            dump,
            form,
            filter,
            memo: Memo::new(),
            env,
            writer: None,
            bytes: Arc::default(),
            files: VecDeque::new(),
            number: 0,
            in_file: 0,
            began: 0,
            flushed: 0,
            written: 0,
            total_bytes: 0,
            fault: None,
        };
        recorder.open(state)?;
        Ok(recorder)
    }

    /// Number of files that were begun.
    pub(crate) fn files_begun(&self) -> u64 {
        self.number
    }

    fn open(&mut self, state: &State) -> Result<()> {
        self.number += 1;
        let path = if self.form.rotates() {
            numbered(Path::new(&self.form.path), self.number)
        } else {
            PathBuf::from(&self.form.path)
        };
        let cannot = || format!("cannot write the capture {}", path.display());
        let output: Box<dyn Write> = if self.form.path == "-" {
            Box::new(io::stdout())
        } else {
            Box::new(File::create(&path).with_context(cannot)?)
        };
        self.bytes = Arc::default();
        let output = Counted::new(output, &self.bytes);
        let writer = Writer::new(output, self.form.compression)
            .with_context(cannot)?
            .redact_environments(self.form.redact_env)
            .compatible(self.form.compat);
        self.writer = Some(writer);
        let dumped = (self.dump)()?;
        if let Some(writer) = &mut self.writer {
            standing(writer, state, &dumped).with_context(cannot)?;
            writer.flush().with_context(cannot)?;
        }
        self.files.push_back(path);
        (self.in_file, self.began, self.flushed) = (0, 0, 0);
        while let Some(keep) = self.form.keep
            && self.files.len() > keep.max(1)
            && let Some(oldest) = self.files.pop_front()
        {
            // Somebody may have moved it away: that is their right.
            let _ = std::fs::remove_file(oldest);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some(writer) = self.writer.take() {
            writer
                .finish()
                .and_then(|mut output| output.flush())
                .with_context(|| format!("cannot complete the capture {}", self.form.path))?;
        }
        self.total_bytes += self.bytes.load(Ordering::Relaxed);
        Ok(())
    }

    /// Completes the last file.
    ///
    /// # Errors
    /// When it cannot be written, now or before.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let closed = self.close();
        match self.fault.take() {
            Some(fault) => Err(fault),
            None => closed,
        }
    }

    fn write(&mut self, record: &Record<'_>, state: &State, context: &Context) -> Result<bool> {
        let passes = match &self.filter {
            Some(filter) if context.visible => {
                let view = EventView::new(record, state, context, &self.env);
                filter.matches(&view, &mut self.memo)
            }
            _ => true,
        };
        let for_state = record.info.flags.contains(EventFlags::MODIFIES_STATE)
            || record.code.number() == codes::ASYNCEVENT_E;
        if !passes && !for_state {
            return Ok(true);
        }
        let mut record = record.clone();
        if !passes {
            record.flags |= RecordFlags::STATE_ONLY;
        }
        if let Some(writer) = &mut self.writer {
            writer
                .event(&record)
                .with_context(|| format!("cannot write the capture {}", self.form.path))?;
        }
        // A reader counts from the first event that it sees.
        if passes && context.visible {
            self.written += 1;
            self.in_file += 1;
            if self.began == 0 {
                (self.began, self.flushed) = (record.ts, record.ts);
            }
        }
        if self
            .form
            .most_events
            .is_some_and(|most| self.written >= most)
        {
            return Ok(false);
        }
        if self.is_full(record.ts) {
            self.close()?;
            self.open(state)?;
        }
        Ok(true)
    }

    fn is_full(&self, time: u64) -> bool {
        let form = &self.form;
        let bytes = self.bytes.load(Ordering::Relaxed);
        form.rotate_events.is_some_and(|most| self.in_file >= most)
            || form.rotate_bytes.is_some_and(|most| bytes >= most)
            || form
                .rotate_time
                .is_some_and(|most| self.began != 0 && time.saturating_sub(self.began) >= most)
    }
}

impl Work for Recorder {
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        self.env.see(record);
        let is_exec = matches!(
            record.code.number(),
            codes::SYSCALL_EXECVE_19_X | codes::SYSCALL_EXECVEAT_X
        );
        if self.form.identify
            && is_exec
            && let Some(ix) = context.thread
        {
            // The answer comes as an event, and is written like any.
            let _ = state.program(state.thread(ix));
        }
        match self.write(record, state, context) {
            Ok(goes_on) => goes_on,
            Err(fault) => {
                self.fault = Some(fault);
                false
            }
        }
    }

    fn due(&self) -> u64 {
        self.flushed.saturating_add(FLUSH)
    }

    fn timed(&mut self, time: u64, _events: u64, _state: &State) -> Result<()> {
        self.flushed = time;
        if let Some(writer) = &mut self.writer {
            writer
                .flush()
                .with_context(|| format!("cannot write the capture {}", self.form.path))?;
        }
        Ok(())
    }
}

/// Writes what stands: the begin of a capture.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn standing<W: Write>(
    writer: &mut Writer<W>,
    state: &State,
    dumped: &[Vec<u8>],
) -> io::Result<()> {
    writer.machine(state.machine())?;
    writer.interfaces(state.interfaces())?;
    writer.users(&state.save_users())?;
    state.save_processes(|process| writer.process(process))?;
    state.save_descriptors(|descriptor| writer.descriptor(descriptor))?;
    for message in Message::standing(state) {
        // Without a time of their own: they stood when the file began.
        let bytes = message.record(u64::MAX);
        let record = Record::parse(&bytes, 0, RecordFlags::STATE_ONLY);
        writer.event(&record.map_err(io::Error::other)?)?;
    }
    for bytes in provenance::Answer::standing(state) {
        let record = Record::parse(&bytes, 0, RecordFlags::STATE_ONLY);
        writer.event(&record.map_err(io::Error::other)?)?;
    }
    for bytes in dumped {
        let record = Record::parse(bytes, 0, RecordFlags::default());
        writer.event(&record.map_err(io::Error::other)?)?;
    }
    Ok(())
}

/// `trace.scap` as `trace.0001.scap`.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{number:04}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_before_their_ending() {
        let of = |path: &str| numbered(Path::new(path), 7).display().to_string();
        assert_eq!(of("/a/trace.scap"), "/a/trace.0007.scap");
        assert_eq!(of("trace"), "trace.0007");
        assert_eq!(of("a.b.scap"), "a.b.0007.scap");
    }
}
