//! A cursor over the text that recognises one token where it stands.
//!
//! There is no token stream: which tokens are possible depends on the place in the grammar
//! (`in` may be an operator, a value or a macro). All tokens are recognised on bytes; multi-byte
//! UTF-8 can only stand inside values and arguments and is never split.

use crate::error::{ParseError, ParseErrorKind};
use crate::span::Span;

/// Where the parser stands.
pub(crate) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    last: Span,
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x08 | b'\r' | b'\n')
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            last: Span::default(),
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a place where it stood before.
    pub(crate) fn rewind(&mut self, at: usize) {
        self.at = at;
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The last token that was taken, for the message about what follows it.
    pub(crate) fn last_token(&self) -> &'t str {
        self.text.get(self.last.range()).unwrap_or("")
    }

    pub(crate) fn error(&self, kind: ParseErrorKind) -> ParseError {
        ParseError { kind, at: self.at }
    }

    fn rest(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn take(&mut self, length: usize) -> (&'t str, Span) {
        let span = Span::new(self.at, self.at + length);
        self.at += length;
        self.last = span;
        (&self.text[span.range()], span)
    }

    /// Takes blanks; false if there are none.
    pub(crate) fn blank(&mut self) -> bool {
        let count = self
            .rest()
            .iter()
            .take_while(|&&byte| is_blank(byte))
            .count();
        self.at += count;
        count > 0
    }

    /// Takes exactly this text.
    pub(crate) fn word(&mut self, word: &str) -> Option<Span> {
        self.rest()
            .starts_with(word.as_bytes())
            .then(|| self.take(word.len()).1)
    }

    /// Takes this text if a blank follows, which stays.
    pub(crate) fn word_and_blank(&mut self, word: &str) -> Option<Span> {
        let rest = self.rest();
        let follows = rest.get(word.len()).is_some_and(|&byte| is_blank(byte));
        (follows && rest.starts_with(word.as_bytes())).then(|| self.take(word.len()).1)
    }

    /// Length of a letter and what may follow it in a name.
    fn name_length(bytes: &[u8]) -> usize {
        match bytes.first() {
            Some(first) if first.is_ascii_alphabetic() => {
                bytes.iter().take_while(|&&byte| is_word(byte)).count()
            }
            _ => 0,
        }
    }

    /// A macro's or list's name.
    pub(crate) fn identifier(&mut self) -> Option<(&'t str, Span)> {
        let length = Self::name_length(self.rest());
        (length > 0).then(|| self.take(length))
    }

    /// A field's name: at least one dot, each part begins with a letter.
    pub(crate) fn field_name(&mut self) -> Option<(&'t str, Span)> {
        let rest = self.rest();
        let mut length = Self::name_length(rest);
        let mut parts = usize::from(length > 0);
        while parts > 0 && rest.get(length) == Some(&b'.') {
            let more = Self::name_length(&rest[length + 1..]);
            if more == 0 {
                break;
            }
            length += 1 + more;
            parts += 1;
        }
        (parts > 1).then(|| self.take(length))
    }

    /// A number, hexadecimal or decimal.
    pub(crate) fn number(&mut self) -> Option<(&'t str, Span)> {
        let rest = self.rest();
        if let [b'0', b'x' | b'X', digits @ ..] = rest {
            let count = digits
                .iter()
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            if count > 0 {
                return Some(self.take(2 + count));
            }
        }
        let digits = |from: usize| {
            rest[from.min(rest.len())..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        };
        let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
        let whole = digits(sign);
        if whole == 0 {
            return None;
        }
        let mut length = sign + whole;
        if rest.get(length) == Some(&b'.') {
            length += 1;
            length += digits(length);
        }
        let exponent = (rest.get(length), rest.get(length + 1));
        if let (Some(b'e' | b'E'), Some(b'+' | b'-')) = exponent {
            let power = digits(length + 2);
            if power > 0 {
                length += 2 + power;
            }
        }
        Some(self.take(length))
    }

    /// A value without quotes.
    pub(crate) fn bare(&mut self) -> Option<(&'t str, Span)> {
        self.run(|byte| {
            !is_space(byte) && !matches!(byte, b'(' | b')' | b'"' | b'\'' | b'=' | b',')
        })
    }

    /// A field's argument without quotes.
    pub(crate) fn bare_argument(&mut self) -> Option<(&'t str, Span)> {
        self.run(|byte| !is_space(byte) && !matches!(byte, b'[' | b']' | b'"' | b'\''))
    }

    fn run(&mut self, fits: impl Fn(u8) -> bool) -> Option<(&'t str, Span)> {
        let length = self.rest().iter().take_while(|&&byte| fits(byte)).count();
        (length > 0).then(|| self.take(length))
    }

    /// A quoted text; `None` if there is no quote here or it isn't closed.
    /// A quote closes if the byte before it is no backslash, even where that one is itself escaped.
    pub(crate) fn quoted(&mut self) -> Result<Option<(Vec<u8>, Span)>, ParseError> {
        let rest = self.rest();
        let Some(&quote @ (b'"' | b'\'')) = rest.first() else {
            return Ok(None);
        };
        let closing = (1..rest.len()).find(|&i| rest[i] == quote && rest[i - 1] != b'\\');
        let Some(closing) = closing else {
            return Ok(None);
        };
        let (text, span) = self.take(closing + 1);
        let bytes = self.unescape(&text[1..closing], quote)?;
        Ok(Some((bytes, span)))
    }

    fn unescape(&self, inner: &str, quote: u8) -> Result<Vec<u8>, ParseError> {
        let bytes = inner.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            at += 1;
            if byte != b'\\' {
                out.push(byte);
                continue;
            }
            let rest = &inner[at..];
            let Some(escape) = rest.chars().next() else {
                // A closing quote has no backslash before it, so one always follows.
                out.push(b'\\');
                break;
            };
            at += escape.len_utf8();
            out.push(match escape {
                'b' => 0x08,
                'f' => 0x0c,
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                '\\' | ' ' => b'\\',
                '/' => b'/',
                '"' | '\'' if escape == quote as char => quote,
                '"' | '\'' => {
                    let kind = ParseErrorKind::ForeignQuote {
                        quote: escape,
                        within: quote as char,
                    };
                    return Err(self.error(kind));
                }
                'x' => match bytes.get(at..at + 2).and_then(hex_byte) {
                    Some(value) => {
                        at += 2;
                        value
                    }
                    None => return Err(self.error(ParseErrorKind::UnknownEscape { escape })),
                },
                _ => return Err(self.error(ParseErrorKind::UnknownEscape { escape })),
            });
        }
        Ok(out)
    }
}

/// Two hexadecimal digits.
pub(crate) fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| {
        (byte as char)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    match digits {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}
