//! Events with the state around them: in today's form, or as they were recorded.
//!
//! The state understands today's events only. To show recorded ones with the names of their
//! processes and files, the capture is read twice at the same time: a raw event is shown in the
//! state that the converted stream has reached, which has an event of the same time and thread
//! for it, or none where the raw one was used up by the conversion.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek};

use anyhow::{Context as _, Result};
use capture::{Item, Reader};
use event::{EventFlags, ParamType, Record, RecordFlags, codes};
use fields::{Environment, EventView};
use state::{Context, State};

use crate::items::absorb;
use crate::source::{self, Next, Source};
use crate::sources::AuditFile;

/// Events that wait in front of the next one; the conversion keeps the order, so few are needed.
const LOOK_AHEAD: usize = 64;

/// A stream of events. Internal ones (process accounting, containers that were found) take a number
/// and are not shown, as sysdig does it.
pub(crate) trait Events {
    /// Hands each visible event to `visit` until it returns false.
    ///
    /// # Errors
    /// When the capture is broken; what came before was handed out.
    fn each(
        &mut self,
        env: &mut Environment,
        visit: &mut dyn FnMut(&EventView<'_>) -> bool,
    ) -> Result<()>;
}

/// Whether the event brings an account to the state; such events take no number in sysdig.
fn is_account(record: &Record<'_>) -> bool {
    matches!(
        record.code.number(),
        codes::USER_ADDED_E | codes::USER_DELETED_E | codes::GROUP_ADDED_E | codes::GROUP_DELETED_E
    )
}

/// An empty state in which addresses get names.
fn naming() -> State {
    let mut state = State::new(state::Options::default());
    state.name_addresses(true);
    state
}

/// Events in today's form.
pub(crate) struct Converted<R: Read> {
    reader: Reader<R>,
    state: State,
}

impl<R: Read> Converted<R> {
    /// Events of a reader that converts.
    pub(crate) fn new(reader: Reader<R>) -> Self {
        Self {
            reader,
            state: naming(),
        }
    }
}

impl<R: Read> Events for Converted<R> {
    fn each(
        &mut self,
        env: &mut Environment,
        visit: &mut dyn FnMut(&EventView<'_>) -> bool,
    ) -> Result<()> {
        while let Some(item) = self.reader.next()? {
            let Some(record) = absorb(&mut self.state, item) else {
                continue;
            };
            let context = self.state.process(&record);
            if !context.visible {
                continue;
            }
            env.see(&record);
            if record.info.internal {
                continue;
            }
            let view = EventView::new(&record, &self.state, &context, env);
            if !visit(&view) {
                break;
            }
        }
        Ok(())
    }
}

/// Audit events of a JSON file.
pub(crate) struct Audited {
    file: AuditFile,
    state: State,
}

impl Audited {
    /// Events of an open file.
    pub(crate) fn new(file: AuditFile) -> Self {
        Self {
            file,
            state: naming(),
        }
    }
}

impl Events for Audited {
    fn each(
        &mut self,
        env: &mut Environment,
        visit: &mut dyn FnMut(&EventView<'_>) -> bool,
    ) -> Result<()> {
        env.source = audit::SOURCE.to_owned();
        while let Next::Item(Item::Event(record)) = Source::next(&mut self.file)? {
            let context = self.state.process(&record);
            env.see(&record);
            if !visit(&EventView::new(&record, &self.state, &context, env)) {
                break;
            }
        }
        Ok(())
    }
}

/// Events as recorded.
pub(crate) struct Raw {
    raw: Reader<File>,
    converted: Reader<File>,
    state: State,
    waiting: VecDeque<Waiting>,
    number: u64,
    /// An event has come that is none of the initial state.
    loaded: bool,
}

/// An event of the converted stream, kept until its raw one comes.
struct Waiting {
    bytes: Vec<u8>,
    cpu: u16,
    flags: RecordFlags,
    key: (u64, i64, bool),
}

impl Raw {
    /// Opens the capture twice; standard input goes to a temporary file first.
    pub(crate) fn open(path: &str) -> Result<Self> {
        // Reports what cannot be opened, once.
        let open = || -> Result<File> { Ok(File::open(path)?) };
        let (first, second) = if path == "-" {
            let mut copy = tempfile::tempfile().context("cannot make a temporary file")?;
            io::copy(&mut io::stdin().lock(), &mut copy).context("cannot read standard input")?;
            copy.rewind()?;
            // A second handle would share the position.
            let again = File::open(format!("/proc/self/fd/{}", descriptor(&copy)))?;
            (copy, again)
        } else {
            drop(source::open(path, true)?);
            (open()?, open()?)
        };
        let not_a_capture = || format!("cannot read {path} as a capture");
        Ok(Self {
            raw: Reader::raw(first).with_context(not_a_capture)?,
            converted: Reader::new(second).with_context(not_a_capture)?,
            state: naming(),
            waiting: VecDeque::new(),
            number: 0,
            loaded: false,
        })
    }

    /// Reads the converted stream until an event of this time, thread and direction waits; true if
    /// one does.
    fn await_twin(&mut self, key: (u64, i64, bool)) -> Result<bool> {
        loop {
            if self.waiting.iter().any(|waiting| waiting.key == key) {
                return Ok(true);
            }
            // What lies later than the raw event is not its twin, and neither is anything behind.
            if self.waiting.len() >= LOOK_AHEAD
                || self
                    .waiting
                    .back()
                    .is_some_and(|waiting| waiting.key.0 > key.0)
            {
                return Ok(false);
            }
            let Some(item) = self.converted.next()? else {
                return Ok(false);
            };
            if let Some(record) = absorb(&mut self.state, item) {
                self.waiting.push_back(Waiting {
                    bytes: record.bytes().to_vec(),
                    cpu: record.cpu,
                    flags: record.flags,
                    key: (record.ts, record.tid, record.code.is_enter()),
                });
            }
        }
    }
}

/// The descriptor that an old enter event speaks of; the table names one for today's events only.
fn descriptor_of(record: &Record<'_>) -> Option<i64> {
    if !record.info.flags.contains(EventFlags::USES_FD) {
        return None;
    }
    let at = record
        .info
        .params
        .iter()
        .position(|param| param.ty == ParamType::Fd)?;
    record.i64(at)
}

fn descriptor(file: &File) -> i32 {
    use std::os::fd::AsRawFd;
    file.as_raw_fd()
}

impl Events for Raw {
    fn each(
        &mut self,
        env: &mut Environment,
        visit: &mut dyn FnMut(&EventView<'_>) -> bool,
    ) -> Result<()> {
        loop {
            let (bytes, cpu, flags) = match self.raw.next()? {
                None => return Ok(()),
                Some(Item::Event(record)) => (record.bytes().to_vec(), record.cpu, record.flags),
                Some(Item::Restart) => {
                    self.loaded = false;
                    continue;
                }
                Some(_) => continue,
            };
            let record = Record::parse(&bytes, cpu, flags)?;
            let key = (record.ts, record.tid, record.code.is_enter());
            let mut context = Context::default();
            if self.await_twin(key)? {
                while let Some(twin) = self.waiting.pop_front() {
                    let twin_record = Record::parse(&twin.bytes, twin.cpu, twin.flags)?;
                    context = self.state.process(&twin_record);
                    if twin.key == key {
                        break;
                    }
                }
            } else if record.code.is_enter() {
                // Old enter events change nothing but say who is about to do something.
                context = self.state.process(&record);
                context.fd = context.fd.or_else(|| descriptor_of(&record));
            } else {
                context.thread = self.state.by_tid(record.tid);
            }
            if is_account(&record) {
                continue;
            }
            self.number += 1;
            context.number = self.number;
            self.loaded |= !capture::is_initial_state(record.code.number());
            if !self.loaded {
                continue;
            }
            env.see(&record);
            if record.info.internal {
                continue;
            }
            let view = EventView::new(&record, &self.state, &context, env);
            if !visit(&view) {
                return Ok(());
            }
        }
    }
}
