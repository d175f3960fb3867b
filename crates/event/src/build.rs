//! Makes record bytes: for the converter, for tests and for synthetic captures.

use crate::info::EventFlags;
use crate::record::{EventCode, HEADER_LEN};

/// Collects parameters of one event and lays them out as a record.
///
/// ```
/// use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
///
/// let bytes = RecordBuilder::new(EventCode::new(codes::SYSCALL_CLOSE_X), 17, 100)
///     .i64(0)
///     .i64(3)
///     .finish();
/// let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
/// assert_eq!(record.i64(1), Some(3));
/// ```
#[derive(Clone, Debug)]
pub struct RecordBuilder {
    code: EventCode,
    ts: u64,
    tid: i64,
    lengths: Vec<u32>,
    data: Vec<u8>,
}

impl RecordBuilder {
    /// Starts a record of type `code` at `ts` nanoseconds for thread `tid`.
    #[must_use]
    pub fn new(code: EventCode, ts: u64, tid: i64) -> Self {
        Self {
            code,
            ts,
            tid,
            lengths: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Appends a parameter's bytes as they are.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.push(bytes);
        self
    }

    /// Appends a parameter's bytes as they are.
    pub fn push(&mut self, bytes: &[u8]) {
        self.lengths.push(bytes.len() as u32);
        self.data.extend_from_slice(bytes);
    }

    /// Appends an absent parameter.
    #[must_use]
    pub fn empty(self) -> Self {
        self.bytes(&[])
    }

    /// Appends 8 signed bytes.
    #[must_use]
    pub fn i64(self, v: i64) -> Self {
        self.bytes(&v.to_le_bytes())
    }

    /// Appends 8 unsigned bytes.
    #[must_use]
    pub fn u64(self, v: u64) -> Self {
        self.bytes(&v.to_le_bytes())
    }

    /// Appends 4 unsigned bytes.
    #[must_use]
    pub fn u32(self, v: u32) -> Self {
        self.bytes(&v.to_le_bytes())
    }

    /// Appends 2 bytes.
    #[must_use]
    pub fn u16(self, v: u16) -> Self {
        self.bytes(&v.to_le_bytes())
    }

    /// Appends 1 byte.
    #[must_use]
    pub fn u8(self, v: u8) -> Self {
        self.bytes(&[v])
    }

    /// Appends text and its NUL.
    #[must_use]
    pub fn text(mut self, v: impl AsRef<[u8]>) -> Self {
        let v = v.as_ref();
        self.lengths.push(v.len() as u32 + 1);
        self.data.extend_from_slice(v);
        self.data.push(0);
        self
    }

    /// Lays out header, lengths and parameters.
    ///
    /// # Panics
    /// When a parameter is longer than the type's length field can say.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_to(&mut out);
        out
    }

    /// Lays the record out at the end of `out`.
    ///
    /// # Panics
    /// As [`RecordBuilder::finish`].
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let wide = self
            .code
            .info()
            .is_some_and(|i| i.flags.contains(EventFlags::LARGE_PAYLOAD));
        let width = if wide { 4 } else { 2 };
        let len = HEADER_LEN + self.lengths.len() * width + self.data.len();
        out.reserve(len);
        out.extend_from_slice(&self.ts.to_le_bytes());
        out.extend_from_slice(&self.tid.to_le_bytes());
        out.extend_from_slice(&(len as u32).to_le_bytes());
        out.extend_from_slice(&self.code.number().to_le_bytes());
        out.extend_from_slice(&(self.lengths.len() as u32).to_le_bytes());
        for &l in &self.lengths {
            if wide {
                out.extend_from_slice(&l.to_le_bytes());
            } else {
                let l = u16::try_from(l).expect("parameter longer than 65535 bytes");
                out.extend_from_slice(&l.to_le_bytes());
            }
        }
        out.extend_from_slice(&self.data);
    }
}
