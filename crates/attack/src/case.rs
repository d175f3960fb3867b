//! Cases: what is done, on which stage, and whether the rule should fire.
//!
//! ```text
//! rule Read sensitive file untrusted
//!   fires cat reads the hashes
//!     run cat /etc/shadow
//!   silent [container] the same file, by a program that may
//!     as /usr/bin/chage chage -l root
//!       read /etc/shadow
//! ```
//!
//! A line that is deeper than an `as`, `become` or `leave` is what that program does. `given` in front of a line: it is
//! done before, under no case's name. Words are split at blanks; quotes keep them together.
//!
//! In brackets stands where: `container`, `privileged`, or what a container runtime says of the container: `image NAME`,
//! and with commas `namespace NAME`, `pod NAME`, `mount PATH`, `privileged`.
//!
//! Products that write where nobody should have cases of a shorter form, which [`products`](crate::products) spells out.

use std::fmt;
use std::path::Path;

use anyhow::Context as _;

use crate::runtime::Description;

/// The files with the cases.
const TEXTS: [(&str, &str); 5] = [
    ("stable.attacks", include_str!("../attacks/stable.attacks")),
    (
        "incubating.attacks",
        include_str!("../attacks/incubating.attacks"),
    ),
    (
        "sandbox.attacks",
        include_str!("../attacks/sandbox.attacks"),
    ),
    ("narrow.attacks", include_str!("../attacks/narrow.attacks")),
    (
        "stateful.attacks",
        include_str!("../attacks/stateful.attacks"),
    ),
];

/// The file with the products.
const PRODUCTS: (&str, &str) = (
    "products.attacks",
    include_str!("../attacks/products.attacks"),
);

/// The name under which a case concerns every rule: all of them should be silent.
pub const ANY_RULE: &str = "*";

/// Where a case is performed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// As a process of the machine.
    Host,
    /// As a process of a container that no runtime knows.
    Container,
    /// As one of a container that has all privileges, says the container runtime.
    Privileged,
    /// As one of a container of which the runtime says this.
    Described(Description),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("on the host"),
            Self::Container => f.write_str("in a container"),
            Self::Privileged => f.write_str("in a privileged container"),
            Self::Described(about) => write!(f, "in a container of {}", about.image),
        }
    }
}

/// One behaviour and what should come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The rule that it is about.
    pub rule: String,
    /// True if the rule should fire.
    pub fires: bool,
    /// What is done, in words.
    pub title: String,
    /// Where.
    pub place: Place,
    /// The file it comes from, without its ending.
    pub file: String,
    /// What is done before, under no case's name.
    pub given: Vec<Line>,
    /// What is done.
    pub does: Vec<Line>,
}

/// One operation, with what the program that it starts does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The operation and its arguments.
    pub words: Vec<String>,
    /// Lines that are deeper.
    pub inner: Vec<Line>,
}

/// Why a text is none of cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.why)
    }
}

impl std::error::Error for Fault {}

/// All cases, in the order of their files.
///
/// # Errors
/// The first line that cannot be understood.
pub fn all() -> Result<Vec<Case>, Fault> {
    let mut cases = Vec::new();
    for (file, text) in TEXTS {
        parse(file, text, &mut cases)?;
    }
    let products = crate::products::spelled_out(PRODUCTS.1);
    parse(PRODUCTS.0, &products, &mut cases)?;
    Ok(cases)
}

/// The cases of the files of a folder that end in `.attacks`, in the order of their names.
///
/// # Errors
/// A file that cannot be read, or the first line that cannot be understood.
pub fn of_folder(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let read = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(read)? {
        names.push(
            entry
                .with_context(read)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.retain(|name| name.ends_with(".attacks"));
    names.sort();
    let mut cases = Vec::new();
    for name in names {
        let text = std::fs::read_to_string(folder.join(&name)).with_context(read)?;
        if name == PRODUCTS.0 {
            parse(&name, &crate::products::spelled_out(&text), &mut cases)?;
        } else {
            parse(&name, &text, &mut cases)?;
        }
    }
    if cases.is_empty() {
        anyhow::bail!(
            "{} has no cases: files that end in .attacks",
            folder.display()
        );
    }
    Ok(cases)
}

fn parse(file: &str, text: &str, cases: &mut Vec<Case>) -> Result<(), Fault> {
    let mut rule = None;
    // Where the next line belongs: the depth of each open block.
    let mut depths: Vec<usize> = Vec::new();
    let mut preparing = false;
    let first = cases.len();
    for (number, line) in text.lines().enumerate() {
        let fault = |why: &str| Fault {
            file: file.to_owned(),
            line: number + 1,
            why: why.to_owned(),
        };
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let depth = line.len() - content.len();
        match depth {
            0 => {
                let name = content
                    .strip_prefix("rule ")
                    .ok_or_else(|| fault("a rule should stand here"))?;
                rule = Some(name.trim().to_owned());
            }
            2 => {
                let rule = rule.clone().ok_or_else(|| fault("no rule yet"))?;
                cases.push(heading(file, rule, content).map_err(&fault)?);
                depths.clear();
            }
            _ => {
                let case = cases[first..]
                    .last_mut()
                    .ok_or_else(|| fault("no case yet"))?;
                while depths.last().is_some_and(|open| *open >= depth) {
                    depths.pop();
                }
                let content = match content.strip_prefix("given ") {
                    Some(rest) if depths.is_empty() => {
                        preparing = true;
                        rest
                    }
                    _ => {
                        preparing &= !depths.is_empty();
                        content
                    }
                };
                let mut into = if preparing {
                    &mut case.given
                } else {
                    &mut case.does
                };
                for _ in 0..depths.len() {
                    into = &mut into.last_mut().ok_or_else(|| fault("too deep"))?.inner;
                }
                into.push(Line {
                    words: words(content).ok_or_else(|| fault("a quote is open"))?,
                    inner: Vec::new(),
                });
                depths.push(depth);
            }
        }
    }
    Ok(())
}

fn heading(file: &str, rule: String, content: &str) -> Result<Case, &'static str> {
    let (kind, rest) = content.split_once(' ').unwrap_or((content, ""));
    let fires = match kind {
        "fires" => true,
        "silent" => false,
        _ => return Err("`fires` or `silent` should stand here"),
    };
    let (place, title) = match rest
        .trim()
        .strip_prefix('[')
        .and_then(|r| r.split_once(']'))
    {
        Some(("container", title)) => (Place::Container, title),
        Some(("privileged", title)) => (Place::Privileged, title),
        Some((words, title)) => (
            Place::Described(Description::read(words).ok_or("there is no such stage")?),
            title,
        ),
        None => (Place::Host, rest),
    };
    let title = title.trim().to_owned();
    if title.is_empty() {
        return Err("a case needs words that say what is done");
    }
    Ok(Case {
        rule,
        fires,
        title,
        place,
        file: file.trim_end_matches(".attacks").to_owned(),
        given: Vec::new(),
        does: Vec::new(),
    })
}

/// Words between blanks; single or double quotes keep blanks, a doubled word `''` is an empty one.
fn words(line: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => found.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    found.extend(word);
    quote.is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_nest_and_what_is_given_stands_apart() {
        let text = "rule A rule\n  fires [container] one thing\n    given file /a 'two words'\n    as /b b\n      read /c\n      as /d d\n        read /e\n    read /f\n";
        let mut cases = Vec::new();
        parse("x.attacks", text, &mut cases).unwrap();
        let case = &cases[0];
        assert_eq!(case.rule, "A rule");
        assert_eq!(case.place, Place::Container);
        assert_eq!(case.given[0].words, ["file", "/a", "two words"]);
        assert_eq!(case.does.len(), 2);
        assert_eq!(case.does[0].inner[1].inner[0].words, ["read", "/e"]);
        assert_eq!(case.does[1].words, ["read", "/f"]);
    }

    #[test]
    fn faults_say_where() {
        let fault = parse("x.attacks", "rule A\n  perhaps so\n", &mut Vec::new()).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "x.attacks:2: `fires` or `silent` should stand here"
        );
    }

    #[test]
    fn the_shipped_cases_can_be_read() {
        let cases = all().unwrap();
        assert!(cases.len() > 100, "{}", cases.len());
        assert!(cases.iter().all(|case| !case.does.is_empty()));
    }
}
