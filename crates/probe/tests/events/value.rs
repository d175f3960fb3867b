//! What a parameter must be.

use std::ffi::{CStr, CString};
use std::fmt::Write as _;

type Check = Box<dyn Fn(&[u8]) -> bool + Send>;

/// The bytes wanted, or what must be true of them.
pub(crate) enum Value {
    /// These bytes.
    Is(Vec<u8>),
    /// A property: what it is, and its test.
    Has(String, Check),
}

impl Value {
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Is(want) => want == bytes,
            Self::Has(_, check) => check(bytes),
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Is(bytes) => f.write_str(&shown(bytes)),
            Self::Has(what, _) => f.write_str(what),
        }
    }
}

/// Bytes for people: text where it is text, a number where it may be one.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for b in bytes.iter().take(200) {
        let _ = write!(text, "{b:02x}");
    }
    if bytes.len() > 2 && bytes.iter().all(|b| *b == 0 || (32..127).contains(b)) {
        let _ = write!(text, " {:?}", String::from_utf8_lossy(bytes));
    }
    match bytes.len() {
        8 => drop(write!(
            text,
            " = {}",
            i64::from_le_bytes(bytes.try_into().unwrap())
        )),
        4 => drop(write!(
            text,
            " = {}",
            i32::from_le_bytes(bytes.try_into().unwrap())
        )),
        _ => {}
    }
    format!("[{}] {text}", bytes.len())
}

macro_rules! numbers {
    ($($ty:ty),*) => { $(impl From<$ty> for Value {
        fn from(n: $ty) -> Self { Self::Is(n.to_le_bytes().to_vec()) }
    })* };
}
numbers!(i64, u64, i32, u32, i16, u16, u8);

/// Text parameters hold their NUL.
impl From<&CString> for Value {
    fn from(text: &CString) -> Self {
        Self::Is(text.as_bytes_with_nul().to_vec())
    }
}
impl From<&CStr> for Value {
    fn from(text: &CStr) -> Self {
        Self::Is(text.to_bytes_with_nul().to_vec())
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Is(bytes)
    }
}
impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Is(bytes.to_vec())
    }
}

/// No bytes: an absent value.
pub(crate) fn none() -> Value {
    Value::Is(Vec::new())
}

/// A property.
pub(crate) fn has(
    what: impl Into<String>,
    check: impl Fn(&[u8]) -> bool + Send + 'static,
) -> Value {
    Value::Has(what.into(), Box::new(check))
}

/// Eight bytes that nobody can foretell (a count of page faults).
pub(crate) fn count() -> Value {
    has("a count of 8 bytes", |b| b.len() == 8)
}

/// Four bytes, not zero: memory in use, in kilobytes.
pub(crate) fn kilobytes() -> Value {
    has("kilobytes in use", |b| b.len() == 4 && b != [0; 4])
}

/// Four bytes, zero on a machine without swap.
pub(crate) fn swapped() -> Value {
    has("kilobytes swapped out", |b| b.len() == 4)
}

/// Text of which only the end is known to the NUL.
pub(crate) fn dynamic(index: u8, bytes: &[u8]) -> Value {
    let mut all = vec![index];
    all.extend_from_slice(bytes);
    Value::Is(all)
}
