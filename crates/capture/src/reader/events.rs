//! Event blocks: checked, brought into today's layout in place, converted.

use std::io::Read;

use event::record::HEADER_LEN;
use event::table::events::EVENTS;
use event::{Record, RecordFlags};

use super::{MAX_LARGE_EVENT, Reader, Stage, Step};
use crate::blocks::{self, BlockCode, EventLayout};
use crate::convert::{Decision, Outcome, is_initial_state};
use crate::cursor::Order;
use crate::error::{Bound, Error, Place};
use crate::read::event as event_body;

/// Where an event lies in the window.
pub(super) struct Ready {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) cpu: u16,
    pub(super) flags: RecordFlags,
}

impl<R: Read> Reader<R> {
    /// The ordinary case, and nothing else: the next block is an event of today's layout, lies whole
    /// in the window and needs no conversion. All checks are those of [`Reader::event`]; where one of
    /// them fails, that function is asked and says what is wrong.
    #[inline(always)]
    pub(super) fn ready_event(&mut self) -> Option<Ready> {
        if self.stage != Stage::Blocks || !self.loaded || self.order != Order::Little {
            return None;
        }
        let due = usize::try_from(self.due).ok()?;
        let block = self.window.held().get(due..)?;
        let head: &[u8; 40] = block.first_chunk()?;
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let block_code = BlockCode(number(0));
        let flagged = match block_code.0 {
            blocks::EVENT => false,
            blocks::EVENT_FLAGS => true,
            _ => return None,
        };
        let start = blocks::HEADER_LEN + if flagged { 6 } else { 2 };
        let end = number(4) as usize;
        if end < start + HEADER_LEN + blocks::TRAILER_LEN
            || end > blocks::HEADER_LEN + blocks::MAX_EVENT
            || end > block.len()
        {
            return None;
        }
        let code = u16::from_le_bytes([head[start + 20], head[start + 21]]);
        if usize::from(code) >= EVENTS.len() {
            return None;
        }
        if let Some(converter) = &self.converter
            && converter.decide(code, number(start + 22)) != Decision::Pass
        {
            return None;
        }
        let flags = if flagged {
            RecordFlags::from_bits_truncate(head[10].into())
        } else {
            RecordFlags::empty()
        };
        let cpu = u16::from_le_bytes([head[8], head[9]]);
        let length = number(4);
        self.window.skip(due);
        self.block = Place {
            offset: self.window.offset(),
            block: block_code,
        };
        self.length = length;
        self.due = end as u64;
        self.statistics.events += 1;
        Some(Ready {
            start,
            end,
            cpu,
            flags,
        })
    }

    pub(super) fn event(&mut self, layout: EventLayout) -> Result<Option<Step>, Error> {
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
}
