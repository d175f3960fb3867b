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

use std::io::{self, Read};

use event::record::HEADER_LEN;
use event::snapshot::{Descriptor, Interface, MachineInfo, Process, UserList};
use event::table::events::EVENTS;
use event::{Record, RecordFlags};

use crate::blocks::{self, BlockCode, Entries, EventLayout, Kind};
use crate::convert::{Converter, Decision, Outcome, is_initial_state};
use crate::cursor::{Cursor, Fault, Order};
use crate::error::{Bound, Error, Lookalike, Place};
use crate::read::{descriptor, event as event_body, lists, machine, process};
use crate::source::{Compression, Source};
use crate::window::Window;

/// Longest block of a single large event. Recorders write some megabytes at most.
pub const MAX_LARGE_EVENT: usize = 64 << 20;
/// Bytes of a section header's body that are known.
const SECTION_LEN: usize = 16;

/// One thing that a capture holds.
#[derive(Debug)]
#[non_exhaustive]
pub enum Item<'a> {
    /// The machine it was recorded on.
    Machine(MachineInfo),
    /// A thread at the start.
    Process(Process<'a>),
    /// A descriptor that a thread had open at the start.
    Descriptor(Descriptor<'a>),
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
    Machine(MachineInfo),
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

    /// Begins to read; events come as recorded, with the header of format 1.2.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn raw(input: R) -> Result<Self, Error> {
        Self::open(input, None)
    }

    fn open(input: R, converter: Option<Converter>) -> Result<Self, Error> {
        let source = Source::new(input).map_err(|source| Error::Io { offset: 0, source })?;
        let mut reader = Self {
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
            converter,
            completed: process::Completed::default(),
            name: Vec::new(),
            statistics: Statistics::default(),
        };
        reader.look()?;
        reader.section()?;
        Ok(reader)
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
    pub fn next(&mut self) -> Result<Option<Item<'_>>, Error> {
        let step = match self.advance() {
            Ok(step) => step,
            Err(error) => {
                self.stage = Stage::Done;
                return Err(error);
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
                        return Ok(Some(Item::Process(process)));
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
                        return Ok(Some(Item::Descriptor(Descriptor {
                            tid,
                            fd,
                            ino,
                            target,
                        })));
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
        Err(fault)
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
            Stage::Done => return Ok(Some(Step::End)),
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

    #[inline]
    fn event(&mut self, layout: EventLayout) -> Result<Option<Step>, Error> {
        let total = self.length as usize;
        let header = if layout.old_header {
            event_body::OLD_HEADER_LEN
        } else {
            HEADER_LEN
        };
        // Block head, CPU, flags; then the event.
        let at = blocks::HEADER_LEN + if layout.flags { 6 } else { 2 };
        let least = at + header + blocks::TRAILER_LEN;
        let most = blocks::HEADER_LEN
            + if layout.large {
                MAX_LARGE_EVENT
            } else {
                blocks::MAX_EVENT
            };
        if total < least {
            return Err(self.bad_length(Bound::AtLeast(least as u64)));
        }
        if total > most {
            return Err(self.bad_length(Bound::AtMost(most as u64)));
        }
        let held = self.fill(total)?;
        if held < total {
            return Err(self.truncated("event", total as u64, held as u64));
        }
        let block = &mut self.window.held_mut()[..total];
        let mut flags = RecordFlags::empty();
        let mut cpu = [block[8], block[9]];
        if self.order == Order::Big {
            cpu.reverse();
        }
        if layout.flags {
            // All flags that are known lie in the lowest byte.
            let lowest = if self.order == Order::Big {
                block[13]
            } else {
                block[10]
            };
            flags = RecordFlags::from_bits_truncate(lowest.into());
        }
        let cpu = u16::from_le_bytes(cpu);
        let code = event_body::code(&block[at..], self.order).unwrap_or(u16::MAX);
        self.events_begun = true;
        if usize::from(code) >= EVENTS.len() {
            self.statistics.unknown_events += 1;
            self.due = total as u64;
            return Ok(None);
        }
        if !self.loaded {
            if self.converter.is_some() && is_initial_state(code) {
                flags |= RecordFlags::STATE_ONLY;
            } else if let Some(step) = self.load() {
                return Ok(Some(step));
            }
        }
        let block = &mut self.window.held_mut()[..total];
        let mut start = at;
        if layout.old_header || self.order == Order::Big {
            let modern = event_body::modernise(block, at, layout.old_header, self.order);
            start = modern.map_err(|event_body::NoCount { code, len }| Error::ParamCount {
                place: self.block,
                code,
                len,
            })?;
        }
        self.due = total as u64;
        let Some(converter) = &mut self.converter else {
            self.statistics.events += 1;
            return Ok(Some(Step::Event {
                start,
                end: total,
                cpu,
                flags,
            }));
        };
        let event = &self.window.held()[start..total];
        let count = u32::from_le_bytes([event[22], event[23], event[24], event[25]]);
        let decision = converter.decide(code, count);
        let outcome = match decision {
            Decision::Pass => Outcome::AsRead,
            Decision::Drop => Outcome::Dropped,
            _ => {
                let place = self.block;
                let record = Record::parse(event, cpu, flags)
                    .map_err(|source| Error::Record { place, source })?;
                converter
                    .convert(&record, count, decision)
                    .map_err(|source| Error::Convert { place, source })?
            }
        };
        self.statistics.events += u64::from(outcome != Outcome::Dropped);
        self.statistics.dropped_events += u64::from(outcome == Outcome::Dropped);
        Ok(match outcome {
            Outcome::AsRead => Some(Step::Event {
                start,
                end: total,
                cpu,
                flags,
            }),
            Outcome::Made => Some(Step::Made { cpu, flags }),
            Outcome::Dropped => None,
        })
    }

    #[cold]
    fn metadata(&mut self, kind: Kind) -> Result<Option<Step>, Error> {
        if kind == Kind::Section {
            if let Some(step) = self.load() {
                return Ok(Some(step));
            }
            self.stage = Stage::Section;
            return Ok(Some(Step::Restart));
        }
        if self.events_begun {
            return Err(Error::UnexpectedBlock(self.block));
        }
        let Some(body) = u64::from(self.length).checked_sub(blocks::FRAME_LEN as u64) else {
            return Err(self.bad_length(Bound::AtLeast(blocks::FRAME_LEN as u64)));
        };
        let mut step = None;
        match kind {
            Kind::Packets => return Err(Error::NotCapture(Lookalike::Pcapng)),
            Kind::Machine => {
                let least = machine::LEN + blocks::FRAME_LEN;
                if body < machine::LEN as u64 {
                    return Err(self.bad_length(Bound::AtLeast(least as u64)));
                }
                self.pass(blocks::HEADER_LEN as u64)?;
                let held = self.fill(machine::LEN)?;
                let parsed = machine::parse(&self.window.held()[..held], self.order);
                let info = parsed.map_err(|f| entry_error(self.block, f, held as u64, body))?;
                self.stage = Stage::Trailer { left: body };
                step = Some(Step::Machine(info));
            }
            Kind::Processes(version) => {
                self.pass(blocks::HEADER_LEN as u64)?;
                self.stage = Stage::Processes {
                    version,
                    left: body,
                };
            }
            Kind::Descriptors(entries) => {
                if body < 8 {
                    return Err(self.bad_length(Bound::AtLeast(8 + blocks::FRAME_LEN as u64)));
                }
                self.pass(blocks::HEADER_LEN as u64)?;
                let held = self.fill(8)?;
                let tid = Cursor::new(&self.window.held()[..held], self.order)
                    .i64("thread of the descriptors")
                    .map_err(|f| entry_error(self.block, f, held as u64, body))?;
                self.pass(8)?;
                self.stage = Stage::Descriptors {
                    entries,
                    tid,
                    left: body - 8,
                };
            }
            Kind::Interfaces(entries) => {
                let held = self.list(body)?;
                let parsed = lists::interfaces(&self.window.held()[..held], self.order, entries);
                let list = parsed.map_err(|f| entry_error(self.block, f, body, body))?;
                self.interfaces = Some(list);
            }
            Kind::Users(entries) => {
                let held = self.list(body)?;
                let parsed = lists::users(&self.window.held()[..held], self.order, entries);
                let list = parsed.map_err(|f| entry_error(self.block, f, body, body))?;
                self.users = Some(list);
            }
            Kind::Unknown | Kind::Section | Kind::Event(_) => {
                self.statistics.unknown_blocks += 1;
                self.pass(blocks::HEADER_LEN as u64)?;
                self.stage = Stage::Trailer { left: body };
            }
        }
        Ok(step)
    }

    /// Brings the body of a list that is read whole into the window.
    fn list(&mut self, body: u64) -> Result<usize, Error> {
        if body > lists::MAX_LIST {
            return Err(self.bad_length(Bound::AtMost(lists::MAX_LIST + blocks::FRAME_LEN as u64)));
        }
        self.pass(blocks::HEADER_LEN as u64)?;
        let held = self.fill(body as usize)?;
        if (held as u64) < body {
            return Err(self.truncated("list", body, held as u64));
        }
        self.stage = Stage::Trailer { left: body };
        Ok(held)
    }

    /// Compares the length behind a block with the one before it.
    fn trailer(&mut self) -> Result<(), Error> {
        let held = self.fill(blocks::TRAILER_LEN)?;
        let read = Cursor::new(&self.window.held()[..held], self.order).u32("end of the block");
        let trailer = read.map_err(|f| entry_error(self.block, f, held as u64, u64::MAX))?;
        if trailer != self.length {
            let (place, header) = (self.block, self.length);
            return Err(Error::Trailer {
                place,
                header,
                trailer,
            });
        }
        self.pass(blocks::TRAILER_LEN as u64)
    }

    /// Names what the input is when it can't be a capture.
    fn look(&mut self) -> Result<(), Error> {
        let held = self.fill(512)?;
        let head = &self.window.held()[..held];
        if head.is_empty() {
            return Err(Error::Empty);
        }
        let begins = head.starts_with(&blocks::SECTION.to_le_bytes());
        if !begins && !blocks::SECTION.to_le_bytes().starts_with(head) {
            return Err(Error::NotCapture(Lookalike::of(head)));
        }
        Ok(())
    }

    /// Reads a section header: byte order and version.
    fn section(&mut self) -> Result<(), Error> {
        const LEAST: usize = blocks::FRAME_LEN + SECTION_LEN;
        let offset = self.window.offset();
        self.block = Place {
            offset,
            block: BlockCode(blocks::SECTION),
        };
        let held = self.fill(LEAST)?;
        if held < LEAST {
            return Err(self.truncated("section header", LEAST as u64, held as u64));
        }
        let head = &self.window.held()[..LEAST];
        let magic = [head[8], head[9], head[10], head[11]];
        self.order = if magic == blocks::MAGIC.to_le_bytes() {
            Order::Little
        } else if magic == blocks::MAGIC.to_be_bytes() {
            Order::Big
        } else {
            let found = u32::from_le_bytes(magic).into();
            let expected = Bound::OneOf("1a2b3c4d in either byte order");
            return Err(Error::Value {
                place: self.block,
                what: "magic number",
                expected,
                found,
            });
        };
        let mut c = Cursor::new(&head[4..], self.order);
        let fields = (|| {
            Ok((
                c.u32("length")?,
                c.u32("magic")?,
                c.u16("major")?,
                c.u16("minor")?,
            ))
        })();
        let (length, _, major, minor) =
            fields.map_err(|f| entry_error(self.block, f, LEAST as u64, u64::MAX))?;
        if major > blocks::MAJOR {
            return Err(Error::NewerFormat { major, minor });
        }
        self.length = length;
        if (length as usize) < LEAST {
            return Err(self.bad_length(Bound::AtLeast(LEAST as u64)));
        }
        self.pass(length.into())?;
        self.loaded = false;
        self.events_begun = false;
        self.interfaces = None;
        self.users = None;
        self.stage = Stage::Blocks;
        Ok(())
    }

    #[inline]
    fn fill(&mut self, wanted: usize) -> Result<usize, Error> {
        match self.window.fill(wanted) {
            Ok(held) => Ok(held),
            Err(source) => Err(self.input_error(source)),
        }
    }

    #[inline]
    fn pass(&mut self, count: u64) -> Result<(), Error> {
        match self.window.pass(count) {
            Ok(passed) if passed == count => Ok(()),
            Ok(passed) => Err(self.truncated("rest of the block", count, passed)),
            Err(source) => Err(self.input_error(source)),
        }
    }

    #[cold]
    fn input_error(&self, source: io::Error) -> Error {
        let offset = self.window.end_offset();
        let compression = self.compression();
        // Decoders report damage with these kinds; a system call never does.
        let damage = matches!(
            source.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other
        );
        if compression != Compression::None && damage {
            Error::Compression {
                compression,
                offset,
                source,
            }
        } else {
            Error::Io { offset, source }
        }
    }

    #[cold]
    fn truncated(&self, what: &'static str, expected: u64, found: u64) -> Error {
        Error::Truncated {
            place: self.block,
            what,
            expected,
            found,
        }
    }

    #[cold]
    fn bad_length(&self, expected: Bound) -> Error {
        Error::BlockLength {
            place: self.block,
            expected,
            found: self.length.into(),
        }
    }
}

/// An entry reaches beyond its block.
fn entry_too_long(place: Place, what: &'static str, found: u64, left: u64) -> Error {
    Error::Value {
        place,
        what,
        expected: Bound::AtMost(left),
        found,
    }
}

/// A fault inside an entry, of which `held` bytes were in memory while its block has `left`.
#[cold]
fn entry_error(place: Place, fault: Fault, held: u64, left: u64) -> Error {
    match fault {
        // The block goes on, the stream does not.
        Fault::Short {
            what,
            expected,
            found,
        } if held < left => Error::Truncated {
            place,
            what,
            expected,
            found,
        },
        Fault::Short {
            what,
            expected,
            found,
        } => {
            let what = match what {
                "" => "field",
                what => what,
            };
            Error::Value {
                place,
                what,
                expected: Bound::AtMost(found),
                found: expected,
            }
        }
        Fault::Limit { what, limit, found } => Error::Value {
            place,
            what,
            expected: Bound::AtMost(limit),
            found,
        },
        Fault::Small { what, least, found } => Error::Value {
            place,
            what,
            expected: Bound::AtLeast(least),
            found,
        },
        Fault::Choice {
            what,
            choices,
            found,
        } => Error::Value {
            place,
            what,
            expected: Bound::OneOf(choices),
            found,
        },
    }
}
