//! Conditions as words: enough of the language to take a rule apart, put its macros in, and change one word.
//!
//! It is not a second parser. A word that cannot be placed is left as it is, and a condition that no longer loads after a
//! change is a change that is not counted.

use std::collections::BTreeMap;

/// What a word is in its condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// A parenthesis or a comma.
    Sign(char),
    /// `and`, `or`, `not`.
    Logic(String),
    /// A field, with its argument, or a transformer's call as a whole.
    Field(String),
    /// `=`, `in`, `startswith`, `anyof` and the like.
    Operator(String),
    /// What is compared with, quotes and all.
    Value(String),
    /// A macro, where none was put in.
    Name(String),
}

const OPERATORS: [&str; 24] = [
    "=",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "intersects",
    "pmatch",
    "contains",
    "icontains",
    "startswith",
    "endswith",
    "glob",
    "iglob",
    "regex",
    "bcontains",
    "bstartswith",
    "exists",
    "anyof",
    "allof",
    "oneof",
    "is",
];

const TRANSFORMERS: [&str; 6] = [
    "basename(",
    "tolower(",
    "toupper(",
    "concat(",
    "len(",
    "val(",
];

/// The words of a condition.
#[must_use]
pub fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    // True where a value must stand: after an operator, and within the list that follows one.
    let mut value_next = false;
    let mut lists: Vec<bool> = Vec::new();
    while let Some(first) = rest.chars().next() {
        let within = lists.last().copied().unwrap_or(false);
        let (word, length) = match first {
            '(' | ')' | ',' => {
                match first {
                    '(' => lists.push(value_next),
                    ')' => {
                        lists.pop();
                    }
                    _ => {}
                }
                value_next = false;
                (Word::Sign(first), 1)
            }
            '"' | '\'' => {
                let length = quoted(rest);
                value_next = false;
                (Word::Value(rest[..length].to_owned()), length)
            }
            _ => {
                let length = plain(rest, value_next || within);
                let text = &rest[..length];
                if OPERATORS.contains(&text) && !within {
                    value_next = text != "exists";
                    (Word::Operator(text.to_owned()), length)
                } else if TRANSFORMERS.iter().any(|name| text.starts_with(name)) {
                    value_next = false;
                    (Word::Field(text.to_owned()), length)
                } else if value_next || within {
                    value_next = false;
                    (Word::Value(text.to_owned()), length)
                } else if matches!(text, "and" | "or" | "not") {
                    (Word::Logic(text.to_owned()), length)
                } else if text.contains('.') {
                    (Word::Field(text.to_owned()), length)
                } else {
                    (Word::Name(text.to_owned()), length)
                }
            }
        };
        found.push(word);
        rest = rest[length..].trim_start();
    }
    found
}

/// The length of a quoted word: it ends at a quote that no backslash precedes.
fn quoted(text: &str) -> usize {
    let bytes = text.as_bytes();
    (1..bytes.len())
        .find(|&at| bytes[at] == bytes[0] && bytes[at - 1] != b'\\')
        .map_or(bytes.len(), |at| at + 1)
}

/// The length of a bare word. A transformer goes on to its closing parenthesis, a field's argument to its bracket.
fn plain(text: &str, value: bool) -> usize {
    if TRANSFORMERS.iter().any(|name| text.starts_with(name)) {
        let mut depth = 0;
        for (at, c) in text.char_indices() {
            match c {
                '(' => depth += 1,
                ')' if depth == 1 => return at + 1,
                ')' => depth -= 1,
                _ => {}
            }
        }
        return text.len();
    }
    if !value
        && (text.starts_with('=')
            || text.starts_with('!')
            || text.starts_with('<')
            || text.starts_with('>'))
    {
        return text
            .find(|c| !matches!(c, '=' | '!' | '<' | '>'))
            .unwrap_or(text.len());
    }
    let mut bracket = false;
    for (at, c) in text.char_indices() {
        match c {
            '[' if !value => bracket = true,
            ']' if !value => bracket = false,
            _ if bracket => {}
            '(' | ')' | ',' => return at,
            '=' if !value => return at,
            c if c.is_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

/// The words as a text that loads.
#[must_use]
pub fn text(words: &[Word]) -> String {
    let mut text = String::new();
    for word in words {
        let word = match word {
            Word::Sign(sign) => &sign.to_string(),
            Word::Logic(word)
            | Word::Field(word)
            | Word::Operator(word)
            | Word::Value(word)
            | Word::Name(word) => word,
        };
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// The words with every macro in its place, and the macros of those.
#[must_use]
pub fn expanded(text: &str, macros: &BTreeMap<String, String>) -> Vec<Word> {
    let mut whole = Vec::new();
    for word in words(text) {
        match &word {
            Word::Name(name) if macros.contains_key(name) => {
                whole.push(Word::Sign('('));
                whole.extend(expanded(&macros[name], macros));
                whole.push(Word::Sign(')'));
            }
            _ => whole.push(word),
        }
    }
    whole
}

/// Every condition that differs in one word, with what was changed.
#[must_use]
pub fn mutants(original: &[Word]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (at, word) in original.iter().enumerate() {
        let mut put = |new: Vec<Word>, what: String| {
            let mut changed = original[..at].to_vec();
            changed.extend(new);
            changed.extend_from_slice(&original[at + 1..]);
            all.push((text(&changed), what));
        };
        match word {
            Word::Logic(logic) => match logic.as_str() {
                "and" => put(vec![Word::Logic("or".to_owned())], "and -> or".to_owned()),
                "or" => put(vec![Word::Logic("and".to_owned())], "or -> and".to_owned()),
                _ => put(Vec::new(), "not -> nothing".to_owned()),
            },
            Word::Operator(operator) => {
                if let Some(other) = other_operator(operator) {
                    put(
                        vec![Word::Operator(other.to_owned())],
                        format!("{operator} -> {other}"),
                    );
                }
            }
            Word::Field(field) => {
                // A check turned round is the change of an operator that has no opposite word.
                let negated = vec![Word::Logic("not".to_owned()), word.clone()];
                let left = !matches!(original.get(at.wrapping_sub(1)), Some(Word::Operator(_)));
                if left {
                    put(negated, format!("not {field}"));
                }
                if let Some(other) = other_field(field) {
                    put(
                        vec![Word::Field(other.clone())],
                        format!("{field} -> {other}"),
                    );
                }
            }
            Word::Value(value) => {
                let field = original[..at].iter().rev().find_map(|word| match word {
                    Word::Field(field) => Some(field.as_str()),
                    _ => None,
                });
                let other = other_value(value, field.unwrap_or_default());
                put(
                    vec![Word::Value(other.clone())],
                    format!("{value} -> {other}"),
                );
            }
            Word::Name(name) => put(
                vec![Word::Logic("not".to_owned()), word.clone()],
                format!("not {name}"),
            ),
            Word::Sign(_) => {}
        }
    }
    all
}

fn other_operator(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "=" | "==" => "!=",
        "!=" => "=",
        "<" => ">=",
        "<=" => ">",
        ">" => "<=",
        ">=" => "<",
        "startswith" => "endswith",
        "endswith" => "startswith",
        "contains" | "icontains" => "endswith",
        "anyof" => "allof",
        _ => return None,
    })
}

fn other_field(field: &str) -> Option<String> {
    const PAIRS: [(&str, &str); 26] = [
        ("proc.name", "proc.pname"),
        ("proc.pname", "proc.name"),
        ("proc.args", "proc.cwd"),
        ("proc.cmdline", "proc.cwd"),
        ("proc.pcmdline", "proc.cmdline"),
        ("proc.exe", "proc.cwd"),
        ("proc.pexe", "proc.exe"),
        ("proc.exepath", "proc.cwd"),
        ("proc.pexepath", "proc.exepath"),
        ("proc.cwd", "proc.exepath"),
        ("proc.aname", "proc.name"),
        ("proc.sname", "proc.name"),
        ("proc.pgid.name", "proc.name"),
        ("fd.name", "fd.filename"),
        ("fd.filename", "fd.name"),
        ("fd.directory", "fd.filename"),
        ("fd.nameraw", "fd.name"),
        ("fs.path.name", "fs.path.source"),
        ("fs.path.source", "fs.path.target"),
        ("fs.path.target", "fs.path.source"),
        ("user.name", "proc.name"),
        ("container.id", "proc.name"),
        ("fd.sport", "fd.cport"),
        ("fd.l4proto", "fd.type"),
        ("proc.is_exe_upper_layer", "proc.is_exe_lower_layer"),
        ("user.uid", "group.gid"),
    ];
    if let Some(inner) = field
        .strip_prefix("basename(")
        .and_then(|rest| rest.strip_suffix(')'))
    {
        return Some(inner.to_owned());
    }
    let (name, argument) = field
        .split_once('[')
        .map_or((field, ""), |(name, argument)| (name, argument));
    if name == "proc.aname" && !argument.is_empty() {
        return Some("proc.exe".to_owned());
    }
    PAIRS
        .iter()
        .find(|(known, _)| *known == field)
        .map(|(_, other)| (*other).to_owned())
}

fn other_value(value: &str, field: &str) -> String {
    if field == "evt.type" {
        return if value == "nanosleep" {
            "pause"
        } else {
            "nanosleep"
        }
        .to_owned();
    }
    if matches!(value, "true" | "false") {
        return if value == "true" { "false" } else { "true" }.to_owned();
    }
    if let Ok(number) = value.trim_matches('"').parse::<i64>() {
        return format!("{}", number + 7);
    }
    let bare = value.trim_matches(['"', '\'']);
    if bare.contains('/')
        && bare
            .split('/')
            .next()
            .is_some_and(|net| net.parse::<std::net::IpAddr>().is_ok())
    {
        return "\"192.0.2.0/24\"".to_owned();
    }
    if bare.parse::<std::net::IpAddr>().is_ok() && !field.contains("name") {
        return "\"192.0.2.9\"".to_owned();
    }
    // A name of a list becomes one, too: whatever stood in it is missing.
    match value.chars().last() {
        Some(quote @ ('"' | '\'')) => format!("{}-changed{quote}", &value[..value.len() - 1]),
        _ => format!("{value}-changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_placed() {
        let found = words(
            r#"evt.type in (open, openat) and not basename(proc.exepath) in (sh) and m and fd.name startswith anyof (/a, "/b c") and proc.args[0] endswith val(proc.name)"#,
        );
        let kinds: String = found
            .iter()
            .map(|word| match word {
                Word::Sign(sign) => *sign,
                Word::Logic(_) => 'l',
                Word::Field(_) => 'f',
                Word::Operator(_) => 'o',
                Word::Value(_) => 'v',
                Word::Name(_) => 'n',
            })
            .collect();
        assert_eq!(kinds, "fo(v,v)llfo(v)lnlfoo(v,v)lfof");
    }

    #[test]
    fn macros_go_in_whole() {
        let macros = BTreeMap::from([
            ("a".to_owned(), "b or proc.name = x".to_owned()),
            ("b".to_owned(), "(proc.name = y)".to_owned()),
        ]);
        assert_eq!(
            text(&expanded("a and fd.num >= 0", &macros)),
            "( ( ( proc.name = y ) ) or proc.name = x ) and fd.num >= 0"
        );
    }

    #[test]
    fn each_mutant_differs_in_one_word() {
        let original = words("evt.type = open and not proc.name in (x)");
        let texts: Vec<String> = mutants(&original)
            .into_iter()
            .map(|(text, _)| text)
            .collect();
        assert!(
            texts.contains(&"evt.type != open and not proc.name in ( x )".to_owned()),
            "{texts:?}"
        );
        assert!(texts.contains(&"evt.type = nanosleep and not proc.name in ( x )".to_owned()));
        assert!(texts.contains(&"evt.type = open and proc.name in ( x )".to_owned()));
        assert!(texts.contains(&"evt.type = open or not proc.name in ( x )".to_owned()));
        assert!(texts.contains(&"evt.type = open and not proc.pname in ( x )".to_owned()));
        assert!(texts.contains(&"evt.type = open and not proc.name in ( x-changed )".to_owned()));
    }
}
