//! `regex`: the syntax of RE2 in its POSIX mode, run by the `regex` crate.
//!
//! The pattern is read here, so that exactly what the original accepts is accepted, and handed on
//! in a form in which nothing is left to interpretation: each character as a number, classes as
//! ranges. What the crate could do beyond (look-around aside, it has `\d`, `(?i)`, Unicode
//! classes) is refused, because a rule that uses it would not load elsewhere.
//!
//! In this mode `^` and `$` also match at line ends, `.` and no class spares the line feed, a
//! repetition may follow a repetition, and a `{` that begins no count is a character.
//! The whole value must match. A value that is not UTF-8 is matched with U+FFFD for each invalid
//! sequence.

use std::hash::{Hash, Hasher};

use bumpalo::Bump;
use regex::bytes::{Regex, RegexBuilder};

/// A compiled regular expression; equal if its text is.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: Box<str>,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Pattern {
    /// Compiles; the error says what is wrong in our words.
    pub(crate) fn new(pattern: &[u8]) -> Result<Self, String> {
        let Ok(text) = std::str::from_utf8(pattern) else {
            return Err("it is not UTF-8".to_owned());
        };
        let own = Translator::new(text).run()?;
        let regex = RegexBuilder::new(&format!(r"\A(?:{own})\z"))
            .size_limit(16 << 20)
            .nest_limit(2000)
            .build()
            .map_err(|_| "it becomes too large".to_owned())?;
        Ok(Self {
            text: text.into(),
            regex,
        })
    }

    /// Whether the whole value matches.
    pub(crate) fn matches(&self, value: &[u8], scratch: &Bump) -> bool {
        // A pattern of whole characters can only match the whole of a valid text.
        if self.regex.is_match(value) {
            return true;
        }
        if std::str::from_utf8(value).is_ok() {
            return false;
        }
        let mut clean = bumpalo::collections::Vec::with_capacity_in(value.len() + 16, scratch);
        for chunk in value.utf8_chunks() {
            clean.extend_from_slice(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                clean.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
        self.regex.is_match(&clean)
    }

    /// Whether a plain operator would do as well: nothing special but anchors and one repeated
    /// dot at either end.
    pub(crate) fn is_plain(pattern: &[u8]) -> bool {
        let mut rest = pattern;
        rest = rest.strip_prefix(b"^").unwrap_or(rest);
        rest = rest.strip_suffix(b"$").unwrap_or(rest);
        if let [b'.', b'+' | b'*' | b'?', inner @ ..] = rest {
            rest = inner;
        }
        if let [inner @ .., b'.', b'+' | b'*' | b'?'] = rest {
            rest = inner;
        }
        !rest.iter().any(|byte| br".+*?^$()[]{}|\".contains(byte))
    }
}

/// Highest count of a repetition, also of nested ones multiplied.
const MOST_REPEATS: u32 = 1000;

#[derive(Clone, Copy)]
struct Atom {
    /// Where it begins in the output.
    start: usize,
    /// Product of the counts nested in it.
    cost: u32,
}

struct Group {
    start: usize,
    cost: u32,
    last: Option<Atom>,
}

struct Translator<'p> {
    rest: &'p str,
    out: String,
    groups: Vec<Group>,
}

impl<'p> Translator<'p> {
    fn new(text: &'p str) -> Self {
        Self {
            rest: text,
            out: String::new(),
            groups: vec![Group {
                start: 0,
                cost: 1,
                last: None,
            }],
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    fn group(&mut self) -> &mut Group {
        self.groups
            .last_mut()
            .expect("the outermost group is never closed")
    }

    fn atom(&mut self, text: &str) {
        let start = self.out.len();
        self.out.push_str(text);
        self.group().last = Some(Atom { start, cost: 1 });
    }

    fn run(mut self) -> Result<String, String> {
        while let Some(c) = self.next() {
            match c {
                '(' => {
                    let start = self.out.len();
                    self.out.push_str("(?:");
                    self.groups.push(Group {
                        start,
                        cost: 1,
                        last: None,
                    });
                }
                ')' => {
                    if self.groups.len() == 1 {
                        return Err("a `)` closes nothing".to_owned());
                    }
                    let closed = self.groups.pop().expect("counted above");
                    self.out.push(')');
                    let cost = closed.cost;
                    let group = self.group();
                    group.last = Some(Atom {
                        start: closed.start,
                        cost,
                    });
                    group.cost = group.cost.max(cost);
                }
                '|' => {
                    self.out.push('|');
                    self.group().last = None;
                }
                '^' => self.atom("(?m:^)"),
                '$' => self.atom("(?m:$)"),
                '.' => self.atom("[^\\n]"),
                '*' => self.repeat("*", 0)?,
                '+' => self.repeat("+", 0)?,
                '?' => self.repeat("?", 0)?,
                '{' => match self.count() {
                    Some((low, high)) => {
                        let most = high.unwrap_or(low);
                        if low > MOST_REPEATS || most > MOST_REPEATS || most < low {
                            return Err("a repetition count is above 1000 or reversed".to_owned());
                        }
                        let text = match high {
                            Some(high) => format!("{{{low},{high}}}"),
                            None => format!("{{{low},}}"),
                        };
                        self.repeat(&text, most)?;
                    }
                    None => self.atom("\\{"),
                },
                '[' => {
                    let class = self.class()?;
                    self.atom(&class);
                }
                '\\' => {
                    let code = self.escape()?;
                    let text = range(code, code);
                    self.atom(&format!("[{text}]"));
                }
                c => {
                    let text = range(c as u32, c as u32);
                    self.atom(&format!("[{text}]"));
                }
            }
        }
        match self.groups.len() {
            1 => Ok(self.out),
            _ => Err("a `)` is missing".to_owned()),
        }
    }

    /// Repeats the last atom; `most` is the highest count, 0 for `*`, `+`, `?`.
    fn repeat(&mut self, text: &str, most: u32) -> Result<(), String> {
        let Some(mut atom) = self.group().last else {
            return Err("a repetition has nothing to repeat".to_owned());
        };
        atom.cost = atom.cost.saturating_mul(most.max(1));
        if most >= 2 && atom.cost > MOST_REPEATS {
            return Err("nested repetitions multiply to more than 1000".to_owned());
        }
        self.out.insert_str(atom.start, "(?:");
        self.out.push(')');
        self.out.push_str(text);
        // A repetition behind a repetition must not be read as a lazy one.
        self.out.insert_str(atom.start, "(?:");
        self.out.push(')');
        let group = self.group();
        group.cost = group.cost.max(atom.cost);
        group.last = Some(atom);
        Ok(())
    }

    /// A count after its `{`; takes nothing if there is none.
    fn count(&mut self) -> Option<(u32, Option<u32>)> {
        let end = self.rest.find('}')?;
        let inner = &self.rest[..end];
        let number = |text: &str| {
            let fits = !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'));
            fits.then(|| text.parse().unwrap_or(u32::MAX))
        };
        let (low, high) = match inner.split_once(',') {
            None => (number(inner)?, Some(number(inner)?)),
            Some((low, "")) => (number(low)?, None),
            Some((low, high)) => (number(low)?, Some(number(high)?)),
        };
        self.rest = &self.rest[end + 1..];
        Some((low, high))
    }

    /// A bracket expression after its `[`.
    fn class(&mut self) -> Result<String, String> {
        let mut out = String::from("[");
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            out.push('^');
        }
        let mut ranges = String::new();
        let mut first = true;
        loop {
            if self.rest.is_empty() {
                return Err("a `]` is missing".to_owned());
            }
            if let (false, Some(rest)) = (first, self.rest.strip_prefix(']')) {
                self.rest = rest;
                break;
            }
            let dash = self.rest.strip_prefix('-');
            if !first && dash.is_some_and(|rest| !rest.starts_with(']')) {
                return Err("a `-` inside brackets stands neither first nor last".to_owned());
            }
            first = false;
            if let Some(inner) = self.rest.strip_prefix("[:")
                && let Some(end) = inner.find(":]")
            {
                let name = &inner[..end];
                if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return Err(format!("[:{name}:] is no character class"));
                }
                ranges.push_str("[:");
                ranges.push_str(name);
                ranges.push_str(":]");
                self.rest = &inner[end + 2..];
                continue;
            }
            let low = self.class_member()?;
            let mut high = low;
            if let Some(rest) = self.rest.strip_prefix('-')
                && !rest.is_empty()
                && !rest.starts_with(']')
            {
                self.rest = rest;
                high = self.class_member()?;
                if high < low {
                    return Err("a range inside brackets is reversed".to_owned());
                }
            }
            ranges.push_str(&range(low, high));
        }
        out.push_str(&ranges);
        out.push(']');
        Ok(out)
    }

    fn class_member(&mut self) -> Result<u32, String> {
        match self.next() {
            None => Err("a `]` is missing".to_owned()),
            Some('\\') => self.escape(),
            Some(c) => Ok(c as u32),
        }
    }

    /// The code point of an escape after its backslash.
    fn escape(&mut self) -> Result<u32, String> {
        let Some(c) = self.next() else {
            return Err("it ends in a lone backslash".to_owned());
        };
        let bad = || Err(format!("`\\{c}` is no escape sequence here"));
        let octal = |text: &str| text.chars().next().and_then(|c| c.to_digit(8));
        match c {
            '0'..='7' => {
                if c != '0' && octal(self.rest).is_none() {
                    return bad();
                }
                let mut code = c.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    if let Some(digit) = octal(self.rest) {
                        code = code * 8 + digit;
                        self.rest = &self.rest[1..];
                    }
                }
                Ok(code)
            }
            'x' => {
                let (digits, after) = match self.rest.strip_prefix('{') {
                    Some(rest) => match rest.split_once('}') {
                        Some(parts) => parts,
                        None => return bad(),
                    },
                    None if self.rest.is_char_boundary(2) => self.rest.split_at(2),
                    None => return bad(),
                };
                let fits =
                    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let code = digits
                    .bytes()
                    .try_fold(0_u32, |code, byte| {
                        Some(code * 16 + (byte as char).to_digit(16)?)
                            .filter(|&code| code <= 0x10_ffff)
                    })
                    .filter(|_| fits);
                match code {
                    Some(code) => {
                        self.rest = after;
                        Ok(code)
                    }
                    None => bad(),
                }
            }
            'a' => Ok(7),
            'f' => Ok(12),
            'n' => Ok(10),
            'r' => Ok(13),
            't' => Ok(9),
            'v' => Ok(11),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(c as u32),
            _ => bad(),
        }
    }
}

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// A class in a class that has no member.
const NOTHING: &str = "[^\\x{0}-\\x{10ffff}]";

/// A range without the surrogates, which no text contains.
fn range(low: u32, high: u32) -> String {
    let low = if (0xd800..=0xdfff).contains(&low) {
        0xe000
    } else {
        low
    };
    let high = if (0xd800..=0xdfff).contains(&high) {
        0xd7ff
    } else {
        high
    };
    if low > high {
        return NOTHING.to_owned();
    }
    format!("\\x{{{low:x}}}-\\x{{{high:x}}}")
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::Pattern;

    fn is(pattern: &str, value: &[u8]) -> bool {
        Pattern::new(pattern.as_bytes())
            .expect(pattern)
            .matches(value, &Bump::new())
    }

    #[test]
    fn reads_posix_syntax() {
        assert!(is("a*+b**", b"aab") && is("x.*?", b"xyz") && is("a{2}{3}", b"aaaaaa"));
        assert!(is("a{", b"a{") && is("a{,2}", b"a{,2}") && is("()|a", b"") && is("(|a)+", b"aa"));
        assert!(is("[]a]+", b"]a") && is("[a-]", b"-") && is("[-a]", b"-") && is("[^]]", b"x"));
        assert!(is("[[:alpha:][:digit:]_]+", b"a1_") && is("[[:^alpha:]]", b"1"));
        assert!(is(r"\x{e4}\.\_\101\0", "ä._A\0".as_bytes()) && is(r"[\]x]", b"]"));
        assert!(is("[[:x]", b":") && is("^*a", b"a") && is("a$[^b]^c", b"a\nc"));
        assert!(!is(".", b"\n") && is("[^a]", b"\n") && !is("a", b"ab") && !is("[A-Z]", b"a"));
        assert!(is("[a&&b~~]+", b"a&b~") && is("[a[]", b"["));
        assert!(!is(r"\x{d800}", b"x") && is(r"[\x{d800}a]", b"a"));
    }

    #[test]
    fn refuses_what_the_original_refuses() {
        for pattern in [
            r"\w",
            r"\d",
            r"\b",
            r"\pL",
            r"\Q",
            r"\8",
            r"\1",
            r"\xg0",
            r"\x{}",
            r"\x{110000}",
            r"\",
            "(?i)a",
            "*a",
            "a|*",
            "(*)",
            "{2}",
            "a{1001}",
            "a{3,2}",
            "(a{500}){3}",
            "(",
            ")",
            "[",
            "[a",
            "[]",
            "[b-a]",
            "[a-c-e]",
            "[[:foo:]]",
            r"[\w]",
            r"\é",
        ] {
            assert!(Pattern::new(pattern.as_bytes()).is_err(), "{pattern}");
        }
        assert!(Pattern::new(b"\xff").is_err());
    }

    #[test]
    fn invalid_utf8_counts_as_replacement_character() {
        assert!(is("a.b", b"a\xffb") && is("a\u{fffd}b", b"a\xffb") && !is("a..b", b"a\xffb"));
        assert!(is("a[^x]b", b"a\xe2\x82b"));
    }

    #[test]
    fn plain_patterns_are_known() {
        for plain in ["", "a", "^/tmp", "/tmp/.*", ".*tmp.*$", ".+a.?"] {
            assert!(Pattern::is_plain(plain.as_bytes()), "{plain}");
        }
        for special in ["a.b", "a|b", "[a]", "a*", r"a\.b"] {
            assert!(!Pattern::is_plain(special.as_bytes()), "{special}");
        }
    }
}
