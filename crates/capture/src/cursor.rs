//! Reads numbers and texts from foreign bytes, checked, in either byte order.

/// Byte order of a section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    #[default]
    Little,
    Big,
}

/// What did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Fewer bytes than `what` takes.
    Short {
        what: &'static str,
        expected: u64,
        found: u64,
    },
    /// A length or number beyond its limit.
    Limit {
        what: &'static str,
        limit: u64,
        found: u64,
    },
    /// A number smaller than it can be.
    Small {
        what: &'static str,
        least: u64,
        found: u64,
    },
    /// A number that means nothing.
    Choice {
        what: &'static str,
        choices: &'static str,
        found: u64,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    order: Order,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], order: Order) -> Self {
        Self {
            bytes,
            at: 0,
            order,
        }
    }

    /// Bytes read so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Bytes left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn take(&mut self, what: &'static str, count: usize) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..];
        let Some(taken) = rest.get(..count) else {
            let (expected, found) = (count as u64, rest.len() as u64);
            return Err(Fault::Short {
                what,
                expected,
                found,
            });
        };
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Fault> {
        let taken = self.take(what, N)?;
        let mut array = [0; N];
        array.copy_from_slice(taken);
        if self.order == Order::Big {
            array.reverse();
        }
        Ok(array)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Fault> {
        self.array(what).map(|[b]| b)
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Fault> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Fault> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, Fault> {
        self.array(what).map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self, what: &'static str) -> Result<i64, Fault> {
        self.array(what).map(i64::from_le_bytes)
    }

    /// Text after a two-byte length of at most `limit`.
    pub(crate) fn text(&mut self, what: &'static str, limit: u64) -> Result<&'a [u8], Fault> {
        let len = self.u16(what)?;
        if u64::from(len) > limit {
            return Err(Fault::Limit {
                what,
                limit,
                found: len.into(),
            });
        }
        self.take(what, len.into())
    }
}
