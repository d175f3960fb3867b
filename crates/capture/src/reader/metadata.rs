//! Section headers and the blocks of the initial state.

use std::io::Read;

use super::fault::entry_error;
use super::{Reader, Stage, Step};
use crate::blocks::{self, BlockCode, Kind};
use crate::cursor::{Cursor, Order};
use crate::error::{Bound, Error, Lookalike, Place};
use crate::read::{lists, machine};

/// Bytes of a section header's body that are known.
const SECTION_LEN: usize = 16;

impl<R: Read> Reader<R> {
    #[cold]
    pub(super) fn metadata(&mut self, kind: Kind) -> Result<Option<Step>, Error> {
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
                step = Some(Step::Machine(Box::new(info)));
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
    pub(super) fn trailer(&mut self) -> Result<(), Error> {
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
    pub(super) fn look(&mut self) -> Result<(), Error> {
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
    pub(super) fn section(&mut self) -> Result<(), Error> {
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
}
