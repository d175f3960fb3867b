//! Shell patterns, as `fnmatch` with flags 0 reads them.
//!
//! `*` and `?` match slashes and leading dots; `[...]` knows `!` and `^`, ranges and the classes
//! of POSIX in the C locale; a backslash takes the next byte as it is. A `[` without its `]` is
//! an ordinary byte; a pattern that ends in a lone backslash matches nothing. All on bytes.
//!
//! The pattern is cut at its stars. The first and last piece are tied to the ends of the value,
//! those between are searched from left to right and never reconsidered: leftmost is best. So the
//! time is at most length of value times length of pattern, which is bounded by 255.

use memchr::memmem::Finder;

/// A set of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ByteSet([u64; 4]);

impl ByteSet {
    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }
}

#[derive(Clone, Debug)]
enum Unit {
    Byte(u8),
    Any,
    Set(Box<ByteSet>),
}

impl Unit {
    fn fits(&self, byte: u8, fold: bool) -> bool {
        match self {
            Self::Byte(own) if fold => own.eq_ignore_ascii_case(&byte),
            Self::Byte(own) => *own == byte,
            Self::Any => true,
            Self::Set(set) => set.has(byte),
        }
    }
}

#[derive(Clone, Debug)]
struct Piece {
    units: Box<[Unit]>,
    /// Where all units are plain bytes and case matters.
    literal: Option<Finder<'static>>,
}

impl Piece {
    fn new(units: Vec<Unit>, fold: bool) -> Self {
        let plain = |unit: &Unit| match unit {
            Unit::Byte(byte) => Some(*byte),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = if fold {
            None
        } else {
            units.iter().map(plain).collect()
        };
        let literal = bytes.map(|bytes| Finder::new(&bytes).into_owned());
        Self {
            units: units.into(),
            literal,
        }
    }

    fn fits(&self, value: &[u8], fold: bool) -> bool {
        value.len() == self.units.len()
            && self
                .units
                .iter()
                .zip(value)
                .all(|(unit, &byte)| unit.fits(byte, fold))
    }

    fn find(&self, value: &[u8], fold: bool) -> Option<usize> {
        if let Some(finder) = &self.literal {
            return finder.find(value);
        }
        if self.units.is_empty() {
            return Some(0);
        }
        value
            .windows(self.units.len())
            .position(|window| self.fits(window, fold))
    }
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    pieces: Box<[Piece]>,
    fold: bool,
    impossible: bool,
}

impl Glob {
    /// Any bytes are a pattern. With `fold`, ASCII letters match in both cases.
    pub(crate) fn new(pattern: &[u8], fold: bool) -> Self {
        let mut pieces = Vec::new();
        let mut units = Vec::new();
        let mut impossible = false;
        let mut rest = pattern;
        while let [first, after @ ..] = rest {
            rest = after;
            match first {
                b'*' => pieces.push(Piece::new(std::mem::take(&mut units), fold)),
                b'?' => units.push(Unit::Any),
                b'\\' => match after {
                    [next, after @ ..] => {
                        units.push(Unit::Byte(*next));
                        rest = after;
                    }
                    [] => impossible = true,
                },
                b'[' => match bracket(after, fold) {
                    Some((set, after)) => {
                        units.push(Unit::Set(Box::new(set)));
                        rest = after;
                    }
                    None => units.push(Unit::Byte(b'[')),
                },
                byte => units.push(Unit::Byte(*byte)),
            }
        }
        pieces.push(Piece::new(units, fold));
        Self {
            pieces: pieces.into(),
            fold,
            impossible,
        }
    }

    /// Whether the whole value matches.
    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        if self.impossible {
            return false;
        }
        let (first, middle, last) = match &*self.pieces {
            [] => return value.is_empty(),
            [only] => return only.fits(value, self.fold),
            [first, middle @ .., last] => (first, middle, last),
        };
        let ends = first.units.len() + last.units.len();
        if value.len() < ends {
            return false;
        }
        let (head, rest) = value.split_at(first.units.len());
        let (mut rest, tail) = rest.split_at(rest.len() - last.units.len());
        if !first.fits(head, self.fold) || !last.fits(tail, self.fold) {
            return false;
        }
        for piece in middle {
            match piece.find(rest, self.fold) {
                Some(at) => rest = &rest[at + piece.units.len()..],
                None => return false,
            }
        }
        true
    }

    /// Whether a pattern has anything but plain bytes, as path components decide it.
    pub(crate) fn is_special(pattern: &[u8]) -> bool {
        memchr::memchr3(b'?', b'*', b'[', pattern).is_some()
    }
}

/// A bracket expression after its `[`, and what follows its `]`; `None` if it isn't closed.
fn bracket(text: &[u8], fold: bool) -> Option<(ByteSet, &[u8])> {
    let mut set = ByteSet([0; 4]);
    let (negated, mut rest) = match text {
        [b'!' | b'^', after @ ..] => (true, after),
        _ => (false, text),
    };
    let mut first = true;
    loop {
        match rest {
            [] => return None,
            [b']', after @ ..] if !first => {
                if fold {
                    for byte in b'a'..=b'z' {
                        let upper = byte.to_ascii_uppercase();
                        if set.has(byte) || set.has(upper) {
                            set.add(byte);
                            set.add(upper);
                        }
                    }
                }
                if negated {
                    set.0.iter_mut().for_each(|word| *word = !*word);
                }
                return Some((set, after));
            }
            [b'[', b':', after @ ..] => {
                let Some(end) = memchr::memmem::find(after, b":]") else {
                    set.add(b'[');
                    rest = &rest[1..];
                    first = false;
                    continue;
                };
                add_class(&mut set, &after[..end]);
                rest = &after[end + 2..];
            }
            _ => {
                let (low, after) = element(rest)?;
                rest = after;
                let mut high = low;
                if let [b'-', next, ..] = rest
                    && *next != b']'
                {
                    (high, rest) = element(&rest[1..])?;
                }
                for byte in low..=high {
                    set.add(byte);
                }
            }
        }
        first = false;
    }
}

/// One end of a range: a byte, an escaped byte, `[.x.]` or `[=x=]`.
fn element(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'[', b'.', byte, b'.', b']', rest @ ..] | [b'[', b'=', byte, b'=', b']', rest @ ..] => {
            Some((*byte, rest))
        }
        [b'\\', byte, rest @ ..] => Some((*byte, rest)),
        [b'\\'] | [] => None,
        [byte, rest @ ..] => Some((*byte, rest)),
    }
}

fn add_class(set: &mut ByteSet, name: &[u8]) {
    let member: fn(&u8) -> bool = match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => |_| false,
    };
    (0..=u8::MAX).filter(member).for_each(|byte| set.add(byte));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Glob;

    /// The definition, by trying all.
    fn naive(pattern: &[u8], value: &[u8]) -> bool {
        match (pattern, value) {
            ([], _) => value.is_empty(),
            ([b'*', rest @ ..], _) => (0..=value.len()).any(|cut| naive(rest, &value[cut..])),
            ([b'?', rest @ ..], [_, after @ ..]) => naive(rest, after),
            ([b'\\', own, rest @ ..], [byte, after @ ..]) => own == byte && naive(rest, after),
            ([b'\\' | b'?', ..], _) => false,
            ([b'[', b'!', own, b']', rest @ ..], [byte, after @ ..]) => {
                own != byte && naive(rest, after)
            }
            ([b'[', low, b'-', high, b']', rest @ ..], [byte, after @ ..]) => {
                (low..=high).contains(&byte) && naive(rest, after)
            }
            ([own, rest @ ..], [byte, after @ ..]) => own == byte && naive(rest, after),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            parts in proptest::collection::vec(
                proptest::sample::select(vec!["*", "?", "a", "b", "/", "[!a]", "[a-b]", "\\*", "*a"]), 0..8),
            value in "[abA*/]{0,12}",
        ) {
            let pattern = parts.concat();
            let fast = Glob::new(pattern.as_bytes(), false).matches(value.as_bytes());
            prop_assert_eq!(fast, naive(pattern.as_bytes(), value.as_bytes()));
        }

        #[test]
        fn folding_is_matching_in_lower_case(pattern in "[*?abAB]{0,8}", value in "[abAB]{0,10}") {
            let folded = Glob::new(pattern.as_bytes(), true).matches(value.as_bytes());
            let lower = Glob::new(pattern.to_lowercase().as_bytes(), false)
                .matches(value.to_lowercase().as_bytes());
            prop_assert_eq!(folded, lower);
        }

        #[test]
        fn any_bytes_are_a_pattern(pattern: Vec<u8>, value: Vec<u8>) {
            let _ = Glob::new(&pattern, true).matches(&value);
        }
    }

    #[test]
    fn brackets() {
        let case = |pattern: &str, value: &str| {
            Glob::new(pattern.as_bytes(), false).matches(value.as_bytes())
        };
        assert!(case("[]a]", "]"));
        assert!(case("[]", "[]"));
        assert!(case("x[f", "x[f"));
        assert!(
            case("[[:alpha:]0]", "q") && case("[[:alpha:]0]", "0") && !case("[[:alpha:]0]", "1")
        );
        assert!(case("[^a]", "b") && !case("[^a]", "a"));
        assert!(case("[a-]", "-") && case("[a\\]]", "]") && !case("[z-a]", "b"));
        assert!(case("[[.-.]-0]", ".") && case("[[=a=]]", "a"));
        assert!(!case("a\\", "a") && !case("a\\", "a\\"));
    }
}
