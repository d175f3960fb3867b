//! What a segment is known by: when it begins, which run of the program wrote it, and its place there.

use std::fmt;

/// Names a segment. In the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    /// Nanoseconds since the epoch of the state that it begins with.
    pub start: u64,
    /// The run that wrote it.
    pub run: u64,
    /// Counts within the run; a number is left out where events between two segments are missing.
    pub number: u64,
}

impl SegmentId {
    /// Whether it goes on where `before` ended, and nothing is missing between the two.
    #[must_use]
    pub fn follows(&self, before: &Self) -> bool {
        self.run == before.run && before.number.checked_add(1) == Some(self.number)
    }

    /// Reads the name of a segment's file.
    #[must_use]
    pub fn from_file_name(name: &str) -> Option<Self> {
        let mut parts = name
            .strip_prefix("flight-")?
            .strip_suffix(".scap")?
            .split('-');
        let (start, run, number) = (parts.next()?, parts.next()?, parts.next()?);
        let plain = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        if parts.next().is_some() || !plain(start, 20) || !plain(run, 16) || !plain(number, 10) {
            return None;
        }
        Some(Self {
            start: start.parse().ok()?,
            run: u64::from_str_radix(run, 16).ok()?,
            number: number.parse().ok()?,
        })
    }
}

/// The name of its file.
impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, run, number } = self;
        write!(f, "flight-{start:020}-{run:016x}-{number:010}.scap")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_none() {
        let id = SegmentId {
            start: 1_700_000_000_000_000_001,
            run: 0xfeed,
            number: 12,
        };
        let name = id.to_string();
        assert_eq!(SegmentId::from_file_name(&name), Some(id));
        for other in [
            "",
            "flight-1-2-3.scap",
            "x.scap",
            &name[1..],
            &format!("{name}.new"),
        ] {
            assert_eq!(SegmentId::from_file_name(other), None, "{other}");
        }
        let next = SegmentId { number: 13, ..id };
        assert!(next.follows(&id) && !id.follows(&next) && !id.follows(&id));
        assert!(!SegmentId { run: 1, ..next }.follows(&id));
        assert!(!id.follows(&SegmentId {
            number: u64::MAX,
            ..id
        }));
    }
}
