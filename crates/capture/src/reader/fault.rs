//! Bytes asked from the window, and what is said when they are not there or make no sense.

use std::io::{self, Read};

use super::{Item, Reader};
use crate::cursor::Fault;
use crate::error::{Bound, Error, Place};
use crate::source::Compression;
use event::snapshot::{Interface, UserList};

impl<R: Read> Reader<R> {
    #[inline]
    pub(super) fn fill(&mut self, wanted: usize) -> Result<usize, Error> {
        match self.window.fill(wanted) {
            Ok(held) => Ok(held),
            Err(source) => Err(self.input_error(source)),
        }
    }

    #[inline]
    pub(super) fn pass(&mut self, count: u64) -> Result<(), Error> {
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
    pub(super) fn truncated(&self, what: &'static str, expected: u64, found: u64) -> Error {
        Error::Truncated {
            place: self.block,
            what,
            expected,
            found,
        }
    }

    #[cold]
    pub(super) fn bad_length(&self, expected: Bound) -> Error {
        Error::BlockLength {
            place: self.block,
            expected,
            found: self.length.into(),
        }
    }
}

/// Delivers what was held back before the fault that ends everything; that is told next.
#[cold]
pub(super) fn lists_before<'a>(
    error: Error,
    interfaces: &mut Option<Vec<Interface>>,
    users: &mut Option<UserList>,
    fault: &mut Option<Error>,
) -> Result<Option<Item<'a>>, Error> {
    let list = interfaces
        .take()
        .map(Item::Interfaces)
        .or_else(|| users.take().map(Item::Users));
    if list.is_none() {
        return Err(error);
    }
    *fault = Some(error);
    Ok(list)
}

/// An entry reaches beyond its block.
pub(super) fn entry_too_long(place: Place, what: &'static str, found: u64, left: u64) -> Error {
    Error::Value {
        place,
        what,
        expected: Bound::AtMost(left),
        found,
    }
}

/// A fault inside an entry, of which `held` bytes were in memory while its block has `left`.
#[cold]
pub(super) fn entry_error(place: Place, fault: Fault, held: u64, left: u64) -> Error {
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
