//! Reads a capture, item by item, from anything that can be read once from front to back.
//!
//! ```text
//! section header, machine, processes, descriptors ...   initial-state events   events ...
//! `---------------- items as they come -----------'                          ^
//!          interface and user lists are held back until here, then Item::Loaded
//! ```
//!
//! The order is the one the state needs: user and group events that a recorder put in front are
//! older than the user list, so the list comes after them. In raw form nothing is told apart:
//! [`Item::Loaded`] comes before the first event.

mod events;
mod fault;
mod metadata;

use std::io::Read;

use event::snapshot::{Descriptor, Interface, MachineInfo, Process, UserList};
use event::{Record, RecordFlags};

use self::fault::{entry_error, entry_too_long, lists_before};
use crate::blocks::{self, BlockCode, Entries, Kind};
use crate::convert::Converter;
use crate::cursor::Order;
use crate::error::{Error, Place};
use crate::read::{descriptor, lists, process};
use crate::source::{Compression, Source};
use crate::window::Window;

/// Longest block of a single large event. Recorders write some megabytes at most.
pub const MAX_LARGE_EVENT: usize = 64 << 20;

/// One thing that a capture holds.
#[derive(Debug)]
#[non_exhaustive]
pub enum Item<'a> {
    /// The machine it was recorded on.
    Machine(Box<MachineInfo>),
    /// A thread at the start.
    Process(Box<Process<'a>>),
    /// A descriptor that a thread had open at the start.
    Descriptor(Box<Descriptor<'a>>),
    /// Network interfaces; replaces an earlier list.
    Interfaces(Vec<Interface>),
    /// Users and groups of the host; replaces an earlier list.
    Users(UserList),
    /// The initial state is complete: what follows happened after it.
    Loaded,
    /// An event. Those of the initial state are flagged [`RecordFlags::STATE_ONLY`].
    Event(Record<'a>),
    /// Another capture begins here: all state of the one before is void.
    Restart,
}

/// Items are handed on by value, millions a second: what is large and rare is boxed.
const _: () = assert!(size_of::<Item<'_>>() <= 72);

/// What a reader has met so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Events delivered.
    pub events: u64,
    /// Events of types that the table does not know, passed over.
    pub unknown_events: u64,
    /// Events that the conversion used up or dropped.
    pub dropped_events: u64,
    /// Blocks of unknown types, passed over.
    pub unknown_blocks: u64,
    /// Enter events that were forgotten before their exit came, for lack of room.
    pub forgotten_enters: u64,
    /// Decoded bytes.
    pub bytes: u64,
}

/// Reads one capture file or several that stand one after the other.
///
/// See the crate's head for its use.
pub struct Reader<R: Read> {
    window: Window<Source<R>>,
    order: Order,
    stage: Stage,
    /// Bytes of the item delivered last, passed over when the next one is asked for.
    due: u64,
    /// Code and length of the block that is being read.
    block: Place,
    length: u32,
    /// Whether this section's [`Item::Loaded`] has been delivered.
    loaded: bool,
    /// Whether a block of events has been met in this section.
    events_begun: bool,
    interfaces: Option<Vec<Interface>>,
    users: Option<UserList>,
    /// A fault that is told after the lists that were read before it.
    fault: Option<Error>,
    converter: Option<Converter>,
    completed: process::Completed,
    name: Vec<u8>,
    statistics: Statistics,
}

/// Where in the file's order the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before the first byte.
    Start,
    /// Before a section header that has been announced.
    Section,
    /// Between two blocks.
    Blocks,
    /// In a process list of this version; bytes left of its body.
    Processes { version: u8, left: u64 },
    /// In a thread's descriptor list; bytes left of its body.
    Descriptors {
        entries: Entries,
        tid: i64,
        left: u64,
    },
    /// Behind the last body, before the trailer, `left` bytes of padding in between.
    Trailer { left: u64 },
    /// At the end or behind a fault.
    Done,
}

/// What [`Reader::advance`] found; the parts that borrow are made from it afterwards.
enum Step {
    End,
    Machine(Box<MachineInfo>),
    Process {
        version: u8,
        left: u64,
    },
    Descriptor {
        entries: Entries,
        tid: i64,
        left: u64,
    },
    Interfaces(Vec<Interface>),
    Users(UserList),
    Loaded,
    Restart,
    /// An event that lies in the window, from its first byte to behind the block.
    Event {
        start: usize,
        end: usize,
        cpu: u16,
        flags: RecordFlags,
    },
    /// An event that the converter made.
    Made {
        cpu: u16,
        flags: RecordFlags,
    },
}

impl<R: Read> Reader<R> {
    /// Begins to read; events come in today's form.
    ///
    /// # Errors
    /// When the first bytes cannot be read, or no capture begins like this.
    pub fn new(input: R) -> Result<Self, Error> {
        Self::open(input, Some(Converter::new()))
    }

    /// Reads on in the middle of a capture, from the beginning of a block behind the initial state: what
    /// [`crate::Writer::continuing`] wrote.
    ///
    /// # Errors
    /// When the first bytes cannot be read.
    pub fn continuing(input: R) -> Result<Self, Error> {
        let mut reader = Self::before(input, Some(Converter::new()))?;
        reader.stage = Stage::Blocks;
        (reader.loaded, reader.events_begun) = (true, true);
        Ok(reader)
    }

    /// Begins to read; events come as recorded, with the header of format 1.2.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn raw(input: R) -> Result<Self, Error> {
        Self::open(input, None)
    }

    fn open(input: R, converter: Option<Converter>) -> Result<Self, Error> {
        let mut reader = Self::before(input, converter)?;
        reader.look()?;
        reader.section()?;
        Ok(reader)
    }

    /// A reader that has read nothing.
    fn before(input: R, converter: Option<Converter>) -> Result<Self, Error> {
        let source = Source::new(input).map_err(|source| Error::Io { offset: 0, source })?;
        Ok(Self {
            window: Window::new(source),
            order: Order::Little,
            stage: Stage::Start,
            due: 0,
            block: Place {
                offset: 0,
                block: BlockCode(0),
            },
            length: 0,
            loaded: false,
            events_begun: false,
            interfaces: None,
            users: None,
            fault: None,
            converter,
            completed: process::Completed::default(),
            name: Vec::new(),
            statistics: Statistics::default(),
        })
    }

    /// How the input is compressed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.window.source().compression()
    }

    /// Offset in the decoded stream of what is read next.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// Counts so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let forgotten_enters = self.converter.as_ref().map_or(0, Converter::forgotten);
        Statistics {
            forgotten_enters,
            bytes: self.window.offset(),
            ..self.statistics
        }
    }

    /// The next item; `None` at the end, and after an error.
    ///
    /// # Errors
    /// What is wrong with the capture. Everything before the fault has been delivered.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator's items could not borrow"
    )]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, Error> {
        let Some(event) = self.ready_event() else {
            return self.next_item();
        };
        let bytes = &self.window.held()[event.start..event.end];
        match Record::parse(bytes, event.cpu, event.flags) {
            Ok(record) => Ok(Some(Item::Event(record))),
            Err(source) => {
                self.stage = Stage::Done;
                let place = self.block;
                Err(Error::Record { place, source })
            }
        }
    }

    /// The next item, if it is an ordinary event. Where there is none, [`Reader::next`] has the item, or
    /// says why there is no more. For those who ask for millions of events: nothing is handed on by
    /// value from one function to the next, as an [`Item`] is.
    #[inline(always)]
    pub fn next_event(&mut self) -> Option<Record<'_>> {
        let event = self.ready_event()?;
        let bytes = &self.window.held()[event.start..event.end];
        match Record::parse(bytes, event.cpu, event.flags) {
            Ok(record) => Some(record),
            Err(source) => {
                let place = self.block;
                self.stage = Stage::Done;
                self.fault = Some(Error::Record { place, source });
                None
            }
        }
    }

    /// The next item, whatever it is.
    fn next_item(&mut self) -> Result<Option<Item<'_>>, Error> {
        let step = match self.advance() {
            Ok(step) => step,
            Err(error) => {
                self.stage = Stage::Done;
                return lists_before(
                    error,
                    &mut self.interfaces,
                    &mut self.users,
                    &mut self.fault,
                );
            }
        };
        // Only fields are touched from here on, so that the item can borrow the window.
        let place = self.block;
        let fault = match step {
            Step::Event {
                start,
                end,
                cpu,
                flags,
            } => match Record::parse(&self.window.held()[start..end], cpu, flags) {
                Ok(record) => return Ok(Some(Item::Event(record))),
                Err(source) => Error::Record { place, source },
            },
            Step::Made { cpu, flags } => {
                let made = self.converter.as_ref().map_or(&[][..], Converter::made);
                match Record::parse(made, cpu, flags) {
                    Ok(record) => return Ok(Some(Item::Event(record))),
                    Err(source) => Error::Record { place, source },
                }
            }
            Step::Process { version, left } => {
                let held = self.window.held();
                let bytes = &held[..held.len().min(left as usize)];
                match process::parse(bytes, self.order, version, &mut self.completed) {
                    Ok((process, used)) if used <= left => {
                        self.due = used;
                        self.stage = Stage::Processes {
                            version,
                            left: left - used,
                        };
                        return Ok(Some(Item::Process(Box::new(process))));
                    }
                    Ok((_, used)) => entry_too_long(place, "length of a process", used, left),
                    Err(fault) => entry_error(place, fault, bytes.len() as u64, left),
                }
            }
            Step::Descriptor { entries, tid, left } => {
                let held = self.window.held();
                let bytes = &held[..held.len().min(left as usize)];
                match descriptor::parse(bytes, self.order, entries, &mut self.name) {
                    Ok(entry) if entry.used <= left => {
                        // Behind an entry of unknown length the rest cannot be read.
                        self.due = if entry.last { left } else { entry.used };
                        let left = left - self.due;
                        self.stage = Stage::Descriptors { entries, tid, left };
                        let descriptor::Entry {
                            fd, ino, target, ..
                        } = entry;
                        let descriptor = Descriptor {
                            tid,
                            fd,
                            ino,
                            target,
                        };
                        return Ok(Some(Item::Descriptor(Box::new(descriptor))));
                    }
                    Ok(entry) => entry_too_long(place, "length of a descriptor", entry.used, left),
                    Err(fault) => entry_error(place, fault, bytes.len() as u64, left),
                }
            }
            Step::End => return Ok(None),
            Step::Machine(machine) => return Ok(Some(Item::Machine(machine))),
            Step::Interfaces(list) => return Ok(Some(Item::Interfaces(list))),
            Step::Users(list) => return Ok(Some(Item::Users(list))),
            Step::Loaded => return Ok(Some(Item::Loaded)),
            Step::Restart => return Ok(Some(Item::Restart)),
        };
        self.stage = Stage::Done;
        lists_before(
            fault,
            &mut self.interfaces,
            &mut self.users,
            &mut self.fault,
        )
    }

    /// Moves to the next item.
    #[inline]
    fn advance(&mut self) -> Result<Step, Error> {
        loop {
            if self.due > 0 {
                let due = std::mem::take(&mut self.due);
                self.pass(due)?;
            }
            if self.stage == Stage::Blocks {
                if let Some(step) = self.block()? {
                    return Ok(step);
                }
            } else if let Some(step) = self.other_stage()? {
                return Ok(step);
            }
        }
    }

    fn other_stage(&mut self) -> Result<Option<Step>, Error> {
        match self.stage {
            Stage::Start | Stage::Section => {
                self.section()?;
            }
            Stage::Blocks => {}
            Stage::Processes { version, left } => {
                if left >= lists::LEAST_ENTRY as u64 {
                    self.fill(left.min(process::MAX_KNOWN as u64) as usize)?;
                    return Ok(Some(Step::Process { version, left }));
                }
                self.stage = Stage::Trailer { left };
            }
            Stage::Descriptors { entries, tid, left } => {
                if left >= lists::LEAST_ENTRY as u64 {
                    self.fill(left.min(descriptor::MAX_KNOWN as u64) as usize)?;
                    return Ok(Some(Step::Descriptor { entries, tid, left }));
                }
                self.stage = Stage::Trailer { left };
            }
            Stage::Trailer { left } => {
                self.pass(left)?;
                self.trailer()?;
                self.stage = Stage::Blocks;
            }
            Stage::Done => {
                return self.fault.take().map_or(Ok(Some(Step::End)), Err);
            }
        }
        Ok(None)
    }

    /// Reads a block's head and acts on it. The block has been passed, or its body is next.
    #[inline]
    fn block(&mut self) -> Result<Option<Step>, Error> {
        let held = self.fill(blocks::HEADER_LEN)?;
        if held < blocks::HEADER_LEN {
            return self.end_of_stream(held);
        }
        let (code, length) = self.block_head();
        self.block = Place {
            offset: self.window.offset(),
            block: code,
        };
        self.length = length;
        match code.kind() {
            Kind::Event(layout) => self.event(layout),
            kind => self.metadata(kind),
        }
    }

    fn block_head(&self) -> (BlockCode, u32) {
        let held = self.window.held();
        let number = |at: usize| {
            let bytes = [held[at], held[at + 1], held[at + 2], held[at + 3]];
            match self.order {
                Order::Little => u32::from_le_bytes(bytes),
                Order::Big => u32::from_be_bytes(bytes),
            }
        };
        (BlockCode(number(0)), number(4))
    }

    fn end_of_stream(&mut self, held: usize) -> Result<Option<Step>, Error> {
        if held > 0 {
            self.block = Place {
                offset: self.window.offset(),
                block: BlockCode(0),
            };
            return Err(self.truncated("head of a block", blocks::HEADER_LEN as u64, held as u64));
        }
        if let Some(step) = self.load() {
            return Ok(Some(step));
        }
        if !self.events_begun {
            return Err(Error::NoEvents {
                offset: self.window.offset(),
            });
        }
        self.stage = Stage::Done;
        Ok(Some(Step::End))
    }

    /// What was held back until the initial state is complete, one by one.
    fn load(&mut self) -> Option<Step> {
        if self.loaded {
            return None;
        }
        if let Some(list) = self.interfaces.take() {
            return Some(Step::Interfaces(list));
        }
        if let Some(list) = self.users.take() {
            return Some(Step::Users(list));
        }
        self.loaded = true;
        Some(Step::Loaded)
    }
}
