//! What rules with `first_seen` have learned, as bytes that outlive a restart.
//!
//! ```text
//! "PGSEEN1\n" | secret: 2 × u64 | number of rules: u32
//! a rule: name, identity (u32 length, bytes) | groups: u32 | known: u32
//!         a group: key u128, last u64, began u64 | known: key u128, last u64
//! the end: CRC-32 of all before: u32
//! ```
//!
//! Numbers are little-endian. The secret is in it, so the file is its owner's alone to read.
//! *Invariant:* bytes that were cut, or changed by accident, are refused as a whole.

use super::key::Keyer;

const MAGIC: &[u8; 8] = b"PGSEEN1\n";

/// What a rule has learned, the least recently used first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The rule.
    pub rule: String,
    /// Its definition.
    pub identity: String,
    /// Groups: key, when last used, when they began to learn.
    pub groups: Vec<(u128, u64, u64)>,
    /// Combinations: key, when last seen.
    pub known: Vec<(u128, u64)>,
}

/// Why stored bytes are of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Spoilt {
    /// Something else.
    #[error("it does not begin as a store of first sights does")]
    Foreign,
    /// Cut, or changed.
    #[error("it is cut or damaged")]
    Damaged,
}

/// As bytes.
#[must_use]
pub fn encode(keyer: Keyer, learned: &[Learned]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for word in keyer.secret() {
        out.extend_from_slice(&word.to_le_bytes());
    }
    let count = |len: usize| (len as u32).to_le_bytes();
    out.extend_from_slice(&count(learned.len()));
    for one in learned {
        for text in [&one.rule, &one.identity] {
            out.extend_from_slice(&count(text.len()));
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(&count(one.groups.len()));
        out.extend_from_slice(&count(one.known.len()));
        for (key, last, began) in &one.groups {
            out.extend_from_slice(&key.to_le_bytes());
            out.extend_from_slice(&last.to_le_bytes());
            out.extend_from_slice(&began.to_le_bytes());
        }
        for (key, last) in &one.known {
            out.extend_from_slice(&key.to_le_bytes());
            out.extend_from_slice(&last.to_le_bytes());
        }
    }
    let sum = crc32fast::hash(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// From bytes.
///
/// # Errors
/// [`Spoilt`] when they are not what [`encode`] made.
pub fn decode(bytes: &[u8]) -> Result<(Keyer, Vec<Learned>), Spoilt> {
    if !bytes.starts_with(MAGIC) {
        return Err(Spoilt::Foreign);
    }
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or(Spoilt::Damaged)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return Err(Spoilt::Damaged);
    }
    let mut rest = &body[MAGIC.len()..];
    read(&mut rest)
        .filter(|_| rest.is_empty())
        .ok_or(Spoilt::Damaged)
}

fn read(rest: &mut &[u8]) -> Option<(Keyer, Vec<Learned>)> {
    let keyer = Keyer::with_secret([u64_of(rest)?, u64_of(rest)?]);
    let rules = u32_of(rest)?;
    let mut all = Vec::new();
    for _ in 0..rules {
        let mut text = || {
            let length = u32_of(rest)? as usize;
            let (text, after) = rest.split_at_checked(length)?;
            *rest = after;
            String::from_utf8(text.to_vec()).ok()
        };
        let (rule, identity) = (text()?, text()?);
        let (groups, known) = (u32_of(rest)?, u32_of(rest)?);
        let mut one = Learned {
            rule,
            identity,
            groups: Vec::new(),
            known: Vec::new(),
        };
        for _ in 0..groups {
            one.groups
                .push((u128_of(rest)?, u64_of(rest)?, u64_of(rest)?));
        }
        for _ in 0..known {
            one.known.push((u128_of(rest)?, u64_of(rest)?));
        }
        all.push(one);
    }
    Some((keyer, all))
}

fn chunk<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*chunk)
}

fn u32_of(rest: &mut &[u8]) -> Option<u32> {
    chunk(rest).map(u32::from_le_bytes)
}

fn u64_of(rest: &mut &[u8]) -> Option<u64> {
    chunk(rest).map(u64::from_le_bytes)
}

fn u128_of(rest: &mut &[u8]) -> Option<u128> {
    chunk(rest).map(u128::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let keyer = Keyer::with_secret([3, 4]);
        let learned = vec![Learned {
            rule: "R".to_owned(),
            identity: "first_seen by x".to_owned(),
            groups: vec![(1 << 100, 5, 4)],
            known: vec![(7, 8), (9, 10)],
        }];
        let bytes = encode(keyer, &learned);
        assert_eq!(decode(&bytes), Ok((keyer, learned)));
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "{cut}");
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x10;
            assert!(decode(&other).is_err(), "{at}");
        }
        assert_eq!(decode(b"something else"), Err(Spoilt::Foreign));
    }
}
