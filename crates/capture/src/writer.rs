//! Writes captures that today's and older readers of the format understand.
//!
//! The order is the caller's: machine, interfaces, users, processes, descriptors, then events.
//! Processes that follow one another share a block, and so do the descriptors of one thread.

use std::io::{self, BufWriter, Write};

use ::event::snapshot::{Descriptor, Interface, MachineInfo, Process, UserList};
use ::event::{Record, RecordFlags};

use crate::blocks;
use crate::read::machine::HOSTNAME_LEN;
use crate::reader::Item;
use crate::source::Compression;
use crate::write::{descriptor, event, lists, process};

/// A list block is closed when it has grown to this.
const LIST_LEN: usize = 1 << 20;

/// Writes one capture.
///
/// Call [`Writer::finish`] at the end: without it a compressed file lacks its last bytes (readers
/// then get everything up to the last [`Writer::flush`]).
pub struct Writer<W: Write> {
    sink: Sink<W>,
    /// The list block that is open, of which the body so far is in `body`.
    open: Option<List>,
    body: Vec<u8>,
    /// The block being laid out.
    block: Vec<u8>,
    /// What becomes of events on their way.
    form: event::Form,
    made: event::Made,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Processes,
    Descriptors(i64),
}

enum Sink<W: Write> {
    Plain(BufWriter<W>),
    Gzip(Box<flate2::write::GzEncoder<W>>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Writer<W> {
    /// Writes the section header.
    ///
    /// # Errors
    /// When the output fails.
    pub fn new(output: W, compression: Compression) -> io::Result<Self> {
        let mut writer = Self::continuing(output, compression)?;
        writer.section()?;
        Ok(writer)
    }

    /// Goes on where another writer has ended: what is written is a part of a capture and none by itself.
    ///
    /// # Errors
    /// When the output fails.
    pub fn continuing(output: W, compression: Compression) -> io::Result<Self> {
        let sink = match compression {
            Compression::None => Sink::Plain(BufWriter::with_capacity(64 * 1024, output)),
            Compression::Gzip => {
                let level = flate2::Compression::default();
                Sink::Gzip(Box::new(flate2::write::GzEncoder::new(output, level)))
            }
            Compression::Zstd => Sink::Zstd(zstd::stream::write::Encoder::new(output, 0)?),
        };
        Ok(Self {
            sink,
            open: None,
            body: Vec::new(),
            block: Vec::new(),
            form: event::Form::default(),
            made: event::Made::default(),
        })
    }

    /// Leaves environments out, of processes and of events: they often hold secrets.
    #[must_use]
    pub fn redact_environments(mut self, on: bool) -> Self {
        self.form.redact_env = on;
        self
    }

    /// Writes what sysdig 0.29.3 understands: events and descriptors that came later take the form
    /// of older ones, see [`crate::compat`].
    #[must_use]
    pub fn compatible(mut self, on: bool) -> Self {
        self.form.compat = on;
        self
    }

    /// Begins another capture in the same file.
    ///
    /// # Errors
    /// When the output fails.
    pub fn section(&mut self) -> io::Result<()> {
        self.close_list()?;
        self.body.extend_from_slice(&blocks::MAGIC.to_le_bytes());
        self.body.extend_from_slice(&blocks::MAJOR.to_le_bytes());
        self.body.extend_from_slice(&blocks::MINOR.to_le_bytes());
        self.body.extend_from_slice(&u64::MAX.to_le_bytes());
        self.write_body(blocks::SECTION)
    }

    /// Writes machine information.
    ///
    /// # Errors
    /// When the output fails.
    pub fn machine(&mut self, machine: &MachineInfo) -> io::Result<()> {
        self.close_list()?;
        let body = &mut self.body;
        body.extend_from_slice(&machine.cpus.to_le_bytes());
        body.extend_from_slice(&machine.memory.to_le_bytes());
        body.extend_from_slice(&machine.max_pid.to_le_bytes());
        // Older readers take the name for a C string: its last byte stays zero.
        let name = &machine.hostname[..machine.hostname.len().min(HOSTNAME_LEN - 1)];
        let end = body.len() + HOSTNAME_LEN;
        body.extend_from_slice(name);
        body.resize(end, 0);
        body.extend_from_slice(&machine.boot_time.to_le_bytes());
        body.extend_from_slice(&machine.flags.to_le_bytes());
        body.extend_from_slice(&[0; 16]);
        self.write_body(blocks::MACHINE)
    }

    /// Writes the interface list.
    ///
    /// # Errors
    /// When the output fails.
    pub fn interfaces(&mut self, list: &[Interface]) -> io::Result<()> {
        self.close_list()?;
        lists::interfaces(&mut self.body, list);
        self.write_body(blocks::INTERFACES)
    }

    /// Writes users and groups.
    ///
    /// # Errors
    /// When the output fails.
    pub fn users(&mut self, list: &UserList) -> io::Result<()> {
        self.close_list()?;
        lists::users(&mut self.body, list);
        self.write_body(blocks::USERS)
    }

    /// Adds a thread to the process list.
    ///
    /// # Errors
    /// When the output fails.
    pub fn process(&mut self, process: &Process<'_>) -> io::Result<()> {
        self.open_list(List::Processes)?;
        if self.form.redact_env {
            let bare = Process {
                env: b"",
                ..process.clone()
            };
            process::write(&mut self.body, &bare);
        } else {
            process::write(&mut self.body, process);
        }
        Ok(())
    }

    /// Adds a descriptor to its thread's list.
    ///
    /// # Errors
    /// When the output fails.
    pub fn descriptor(&mut self, descriptor: &Descriptor<'_>) -> io::Result<()> {
        self.open_list(List::Descriptors(descriptor.tid))?;
        if self.form.compat {
            descriptor::write(&mut self.body, &crate::compat::descriptor(descriptor));
        } else {
            descriptor::write(&mut self.body, descriptor);
        }
        Ok(())
    }

    /// Writes an event as it is: its type and its parameters.
    ///
    /// # Errors
    /// When the output fails, or the event is longer than a block can say.
    pub fn event(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.close_list()?;
        if !self.form.changes(record) {
            return self.event_as_is(record);
        }
        let mut made = std::mem::take(&mut self.made);
        self.form.convert(record, &mut made);
        let written = made.records(record).try_for_each(|r| self.event_as_is(&r));
        self.made = made;
        written
    }

    fn event_as_is(&mut self, record: &Record<'_>) -> io::Result<()> {
        let flagged = !record.flags.is_empty();
        let before = blocks::HEADER_LEN + if flagged { 6 } else { 2 };
        let unpadded = before + record.bytes().len();
        let total = unpadded.next_multiple_of(4) + blocks::TRAILER_LEN;
        let Ok(length) = u32::try_from(total) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "event longer than 4 GiB",
            ));
        };
        let code = match (flagged, total - blocks::HEADER_LEN > blocks::MAX_EVENT) {
            (false, false) => blocks::EVENT,
            (true, false) => blocks::EVENT_FLAGS,
            (false, true) => blocks::EVENT_LARGE,
            (true, true) => blocks::EVENT_FLAGS_LARGE,
        };
        let block = &mut self.block;
        block.clear();
        block.extend_from_slice(&code.to_le_bytes());
        block.extend_from_slice(&length.to_le_bytes());
        block.extend_from_slice(&record.cpu.to_le_bytes());
        if flagged {
            block.extend_from_slice(&(record.flags & RecordFlags::all()).bits().to_le_bytes());
        }
        block.extend_from_slice(record.bytes());
        block.resize(total - blocks::TRAILER_LEN, 0);
        block.extend_from_slice(&length.to_le_bytes());
        self.sink.write_all(&self.block)
    }

    /// Writes whatever a reader delivered, so that reading and writing in turn copies a capture.
    ///
    /// # Errors
    /// When the output fails.
    pub fn item(&mut self, item: &Item<'_>) -> io::Result<()> {
        match item {
            Item::Machine(machine) => self.machine(machine),
            Item::Process(process) => self.process(process),
            Item::Descriptor(descriptor) => self.descriptor(descriptor),
            Item::Interfaces(list) => self.interfaces(list),
            Item::Users(list) => self.users(list),
            Item::Event(record) => self.event(record),
            Item::Restart => self.section(),
            Item::Loaded => Ok(()),
        }
    }

    /// Hands on everything so far in a form that can be read already, while more is to come.
    ///
    /// # Errors
    /// When the output fails.
    pub fn flush(&mut self) -> io::Result<()> {
        self.close_list()?;
        self.sink.flush()
    }

    /// Completes the file and gives the output back.
    ///
    /// # Errors
    /// When the output fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.close_list()?;
        match self.sink {
            Sink::Plain(buffer) => buffer.into_inner().map_err(io::IntoInnerError::into_error),
            Sink::Gzip(encoder) => encoder.finish(),
            Sink::Zstd(encoder) => encoder.finish(),
        }
    }

    fn open_list(&mut self, list: List) -> io::Result<()> {
        if self.open != Some(list) || self.body.len() >= LIST_LEN {
            self.close_list()?;
            self.open = Some(list);
            if let List::Descriptors(tid) = list {
                self.body.extend_from_slice(&tid.to_le_bytes());
            }
        }
        Ok(())
    }

    #[inline]
    fn close_list(&mut self) -> io::Result<()> {
        match self.open.take() {
            None => Ok(()),
            Some(List::Processes) => self.write_body(blocks::PROCESSES),
            Some(List::Descriptors(_)) => self.write_body(blocks::DESCRIPTORS),
        }
    }

    /// Writes a block around `self.body` and empties that.
    fn write_body(&mut self, code: u32) -> io::Result<()> {
        let padded = self.body.len().next_multiple_of(4);
        let Ok(length) = u32::try_from(padded + blocks::FRAME_LEN) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "list longer than 4 GiB",
            ));
        };
        self.body.resize(padded, 0);
        self.block.clear();
        self.block.extend_from_slice(&code.to_le_bytes());
        self.block.extend_from_slice(&length.to_le_bytes());
        self.sink.write_all(&self.block)?;
        self.sink.write_all(&self.body)?;
        self.body.clear();
        self.sink.write_all(&length.to_le_bytes())
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(buffer) => buffer.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(buffer) => buffer.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
