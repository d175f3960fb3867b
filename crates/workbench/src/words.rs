//! A condition as words, each with its role: for layout, completion, hover and renaming.
//!
//! The parser of conditions stops at the first fault and knows nothing of a half-written text; this goes on to the end of
//! any text. Where the text is a condition, the roles are those that the parser sees.

use filter::{Function, Modifier, Operator};

/// What a word is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `and`, `or`, `not`
    Keyword,
    /// `proc.name`, `proc.aname[2]`
    Field,
    /// `tolower`, before its parenthesis
    Transformer,
    /// `=`, `startswith`, `in`, `exists`, `anyof`
    Operator,
    /// A bare word where a comparison could stand
    Macro,
    /// A constant, or the name of a list
    Value,
    /// A constant in parentheses behind an operator that takes several, or the name of a list
    Item,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
}

/// A word of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is there for.
    pub role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Check,
    Operator,
    Value,
    List,
    InList,
    After,
}

/// What may come next at the end of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A field, a macro, `not`.
    Check,
    /// An operator.
    Operator,
    /// A constant.
    Value,
    /// Constants and names of lists.
    Items,
    /// `and`, `or`.
    Joint,
    /// A field, inside of a transformer.
    Argument,
}

/// What may come behind a text, whose last word is whole.
#[must_use]
pub fn expected(text: &str) -> Expected {
    scan(text).1
}

/// The words of a text.
#[must_use]
pub fn words(text: &str) -> Vec<Word> {
    scan(text).0
}

fn scan(text: &str) -> (Vec<Word>, Expected) {
    let mut out = Vec::new();
    let mut lexer = Lexer { text, at: 0 };
    let mut state = State::Check;
    // Parentheses of transformers that are open, and what follows the outermost.
    let mut calls = 0_usize;
    let mut behind = State::Operator;
    while let Some((start, end)) = lexer.next(
        state == State::Operator && calls == 0,
        state == State::Check || calls > 0,
    ) {
        let word = &text[start..end];
        let mut push = |role| out.push(Word { start, end, role });
        if calls > 0 {
            match word {
                "(" => {
                    calls += 1;
                    push(Role::Open);
                }
                ")" => {
                    calls -= 1;
                    push(Role::Close);
                    if calls == 0 {
                        state = behind;
                    }
                }
                "," => push(Role::Comma),
                _ if Function::named(word).is_some() && lexer.opens() => push(Role::Transformer),
                _ if is_field(word) => push(Role::Field),
                _ => push(Role::Value),
            }
            continue;
        }
        let call = Function::named(word).is_some() && lexer.opens();
        if call && matches!(state, State::Check | State::Value | State::List) {
            push(Role::Transformer);
            behind = if state == State::Check {
                State::Operator
            } else {
                State::After
            };
            let open = lexer.at;
            lexer.at += 1;
            out.push(Word {
                start: open,
                end: open + 1,
                role: Role::Open,
            });
            calls = 1;
            continue;
        }
        state = match (state, word) {
            (State::InList, ")") => {
                push(Role::Close);
                State::After
            }
            (State::InList, ",") => {
                push(Role::Comma);
                State::InList
            }
            (State::InList, _) => {
                push(Role::Item);
                State::InList
            }
            (State::List, "(") => {
                push(Role::Open);
                State::InList
            }
            (_, "(") => {
                push(Role::Open);
                State::Check
            }
            (_, ")") => {
                push(Role::Close);
                State::After
            }
            (_, ",") => {
                push(Role::Comma);
                state
            }
            (State::Check | State::After, "and" | "or" | "not") => {
                push(Role::Keyword);
                State::Check
            }
            (State::Check | State::After, _) => {
                if is_field(word) {
                    push(Role::Field);
                    State::Operator
                } else {
                    push(Role::Macro);
                    State::After
                }
            }
            (State::Operator, _) => match Operator::named(word) {
                Some(Operator::Exists) => {
                    push(Role::Operator);
                    State::After
                }
                Some(operator) if operator.takes_list() => {
                    push(Role::Operator);
                    State::List
                }
                // Signs that are none by themselves are one that is half written.
                found if found.is_some() || word.starts_with(['=', '!', '<', '>']) => {
                    push(Role::Operator);
                    State::Value
                }
                // Something is missing here; the next comparison may be whole.
                _ => {
                    push(Role::Value);
                    State::After
                }
            },
            (State::Value, _) if Modifier::named(word).is_some() && lexer.list_follows() => {
                push(Role::Operator);
                State::List
            }
            (State::Value, _) => {
                push(Role::Value);
                State::After
            }
            (State::List, _) => {
                push(Role::Item);
                State::After
            }
        };
    }
    let expected = match state {
        _ if calls > 0 => Expected::Argument,
        State::Check => Expected::Check,
        State::Operator => Expected::Operator,
        State::Value => Expected::Value,
        State::List | State::InList => Expected::Items,
        State::After => Expected::Joint,
    };
    (out, expected)
}

/// Whether a word has the form of a field.
#[must_use]
pub fn is_field(word: &str) -> bool {
    let name = word.split('[').next().unwrap_or(word);
    name.contains('.')
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !name.ends_with('.')
}

/// The text with its words joined anew: one blank between them, none inside parentheses' edges.
#[must_use]
pub fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before: Option<Role> = None;
    for word in words(text) {
        if before.is_some_and(|before| blank_between(before, word.role)) {
            out.push(' ');
        }
        out.push_str(&text[word.start..word.end]);
        before = Some(word.role);
    }
    out
}

/// Whether a blank stands between two words.
pub(crate) fn blank_between(before: Role, now: Role) -> bool {
    !matches!(
        (before, now),
        (Role::Open | Role::Transformer, _) | (_, Role::Close | Role::Comma)
    )
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl Lexer<'_> {
    /// The next word. `operator`: one of signs may stand here; `name`: a field or a macro's name does.
    fn next(&mut self, operator: bool, name: bool) -> Option<(usize, usize)> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|&b| is_blank(b)) {
            self.at += 1;
        }
        let start = self.at;
        let first = *bytes.get(start)?;
        self.at = match first {
            b'(' | b')' | b',' => start + 1,
            b'"' | b'\'' => self.quoted(start, first),
            b'=' | b'!' | b'<' | b'>' if operator => self
                .run(start, |b| matches!(b, b'=' | b'!' | b'<' | b'>'))
                .min(start + 2),
            b'=' => self.run(start, |b| b == b'='),
            _ if operator => self
                .run(start, |b| b.is_ascii_alphanumeric() || b == b'_')
                .max(self.character(start)),
            _ if name && first.is_ascii_alphabetic() => self.name(start),
            _ => self.bare(start),
        };
        Some((start, self.at))
    }

    fn run(&self, start: usize, inside: impl Fn(u8) -> bool) -> usize {
        let rest = &self.text.as_bytes()[start..];
        start + rest.iter().position(|&b| !inside(b)).unwrap_or(rest.len())
    }

    /// The end of the character at a byte, so that nothing is cut.
    fn character(&self, start: usize) -> usize {
        start + self.text[start..].chars().next().map_or(1, char::len_utf8)
    }

    fn quoted(&self, start: usize, quote: u8) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while at < bytes.len() {
            if bytes[at] == quote && bytes[at - 1] != b'\\' {
                return at + 1;
            }
            at += 1;
        }
        bytes.len()
    }

    fn bare(&self, start: usize) -> usize {
        let end = self.run(start, |b| {
            !matches!(b, b'(' | b')' | b'"' | b'\'' | b'=' | b',') && !is_blank(b)
        });
        end.max(self.character(start))
    }

    /// A name and what stands behind it in brackets.
    fn name(&self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        let end = self.run(start, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.')
        });
        if bytes.get(end) != Some(&b'[') {
            return end;
        }
        let mut at = end + 1;
        while at < bytes.len() && bytes[at] != b']' {
            at = match bytes[at] {
                quote @ (b'"' | b'\'') => self.quoted(at, quote),
                b if is_blank(b) => return at,
                _ => at + 1,
            };
        }
        (at + 1).min(bytes.len())
    }

    fn opens(&self) -> bool {
        self.text.as_bytes().get(self.at) == Some(&b'(')
    }

    /// Whether a parenthesis, or a name that is no keyword, comes next.
    fn list_follows(&self) -> bool {
        let rest = self.text[self.at..].trim_start();
        let word = rest
            .split(|c: char| c.is_whitespace() || c == ')')
            .next()
            .unwrap_or_default();
        rest.starts_with('(') || !matches!(word, "" | "and" | "or" | "not")
    }
}

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(text: &str) -> String {
        let letter = |role| match role {
            Role::Keyword => 'k',
            Role::Field => 'f',
            Role::Transformer => 't',
            Role::Operator => 'o',
            Role::Macro => 'm',
            Role::Value => 'v',
            Role::Item => 'i',
            Role::Open => '(',
            Role::Close => ')',
            Role::Comma => ',',
        };
        words(text).iter().map(|word| letter(word.role)).collect()
    }

    #[test]
    fn roles_are_those_of_the_parser() {
        assert_eq!(
            roles("spawned and not proc.name in (bash, shells)"),
            "mkkfo(i,i)"
        );
        assert_eq!(roles("(a or fd.num>=0) and(b)"), "(mkfov)k(m)");
        assert_eq!(
            roles("fd.name startswith anyof (/etc, \"x y\") or c"),
            "foo(i,i)km"
        );
        assert_eq!(
            roles("basename(proc.exepath) in (a) and x.y = val(a.b)"),
            "t(f)o(i)kfot(f)"
        );
        assert_eq!(
            roles("fd.name contains concat(\"->\", proc.env[A], \":\")"),
            "fot(v,f,v)"
        );
        assert_eq!(
            roles("container.mount.dest[\"^/var[.]\"] exists and a.b = not"),
            "fokfov"
        );
        assert_eq!(roles("a.b in mine or a.b = oneof and c"), "foikfovkm");
        assert_eq!(roles("and not foo"), "kkm");
        assert_eq!(roles("proc.name"), "f");
    }

    #[test]
    fn words_are_joined_by_one_blank() {
        assert_eq!(
            joined("( a.b=c  and\n b.c in(x ,y)) or not(d)"),
            "(a.b = c and b.c in (x, y)) or not (d)"
        );
    }

    #[test]
    fn any_text_has_an_end() {
        for text in [
            "((((",
            "\"",
            "a.b[",
            "a.b = \"x",
            "= = =",
            ",,)",
            "a.b !",
            "a.b[\"",
            "é[",
            "a.b in (",
            "tolower(",
        ] {
            let all = words(text);
            assert!(
                all.iter()
                    .all(|word| word.start < word.end && text.get(word.start..word.end).is_some()),
                "{text}"
            );
        }
    }
}
