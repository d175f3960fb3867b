//! The format of a segment: a file that messages are appended to, and that is deleted as a whole.
//!
//! ```text
//! "PGSPOOL1"                                                    8 bytes
//! length of text  u32 │ CRC-32 of all that follows  u32 │ priority  u8 │ text     for each message
//! ```
//!
//! All numbers are little-endian. A record counts if all of it is there and its sum is right; what
//! follows the first that does not count is not looked at: it was being written when something
//! ended the process or the machine.

use rules::Priority;

/// How every segment begins.
pub const MAGIC: &[u8; 8] = b"PGSPOOL1";
/// Bytes before a record's text.
pub const HEAD: usize = 9;
/// Longest text.
pub const MAX_TEXT: usize = 16 << 20;

/// Appends a record.
pub fn write(priority: Priority, text: &[u8], out: &mut Vec<u8>) {
    let text = &text[..text.len().min(MAX_TEXT)];
    let length = u32::try_from(text.len()).expect("it was cut to less");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&sum(priority as u8, text).to_le_bytes());
    out.push(priority as u8);
    out.extend_from_slice(text);
}

fn sum(priority: u8, text: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[priority]);
    hasher.update(text);
    hasher.finalize()
}

/// The record at the begin of `bytes` and its whole length; `None` where there is none that counts.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<(Priority, &[u8], usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (expected, rest) = rest.split_first_chunk::<4>()?;
    let (&priority, rest) = rest.split_first()?;
    let length = usize::try_from(u32::from_le_bytes(*length))
        .ok()
        .filter(|l| *l <= MAX_TEXT)?;
    let text = rest.get(..length)?;
    if sum(priority, text) != u32::from_le_bytes(*expected) {
        return None;
    }
    let priority = *Priority::ALL.get(usize::from(priority))?;
    Some((priority, text, HEAD + length))
}

/// How many records at the begin of a whole segment count, and where the last of them ends.
/// `None`: this is no segment.
#[must_use]
pub fn scan(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut records = 0;
    while let Some((_, _, length)) = read(rest) {
        rest = &rest[length..];
        records += 1;
    }
    Some((records, bytes.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_torn_ones_do_not() {
        let mut bytes = MAGIC.to_vec();
        write(Priority::Critical, b"first", &mut bytes);
        let first = bytes.len();
        write(Priority::Debug, b"", &mut bytes);
        assert_eq!(scan(&bytes), Some((2, bytes.len())));
        let (priority, text, _) = read(&bytes[8..]).unwrap();
        assert_eq!((priority, text), (Priority::Critical, b"first".as_slice()));
        for cut in first..bytes.len() {
            assert_eq!(scan(&bytes[..cut]), Some((1, first)), "cut at {cut}");
        }
        for at in 8..first {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(scan(&damaged), Some((0, 8)), "damaged at {at}");
        }
        assert_eq!(scan(b"PGSPOOL"), None);
    }
}
