//! What the actor is told: scripts, and the paths under which it must be found.
//!
//! A case becomes a few flat scripts, one for each process. In them words are divided by tabs, since the actor knows no
//! quotes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::case::{Case, Line};

/// The script that does nothing, for programs that are only there.
pub const IDLE: &str = "idle";

/// A case, ready to be performed.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    /// Name and content of each.
    pub texts: Vec<(String, String)>,
    /// Where copies of the actor have to lie before the stage opens.
    pub installed: BTreeSet<String>,
}

/// Places that are empty when the stage opens: the actor brings its copies there itself.
const FLEETING: [&str; 6] = ["/tmp/", "/dev/", "/run/", "/proc/", "/var/tmp/", "./"];

/// Programs that cases run as they are: a copy of the actor under such a name lies elsewhere.
const REAL: [&str; 18] = [
    "bash", "cat", "chmod", "dash", "echo", "env", "find", "grep", "id", "ln", "ls", "perl", "rm",
    "sh", "shred", "tar", "true", "truncate",
];

/// Where copies under the name of a real program lie.
const ELSEWHERE: &str = "/usr/libexec/peregrine-attack";

fn place(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("/bin" | "/usr/bin", name)) if REAL.contains(&name) => format!("{ELSEWHERE}/{name}"),
        _ => path.to_owned(),
    }
}

impl Scripts {
    /// The scripts of a case: `NAME` for what it does, `NAME-given` for what is done before.
    #[must_use]
    pub fn of(case: &Case, name: &str) -> Self {
        let mut all = Self::default();
        all.add(name, &case.does);
        if !case.given.is_empty() {
            all.add(&format!("{name}-given"), &case.given);
        }
        all
    }

    fn add(&mut self, name: &str, lines: &[Line]) {
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            let mut words = line.words.clone();
            let at = usize::from(words.first().is_some_and(|word| word == "try"));
            let operation = words.get(at).cloned().unwrap_or_default();
            match operation.as_str() {
                "as" | "become" | "leave" => {
                    let path = place(words.get(at + 1).map_or("", String::as_str));
                    words[at + 1].clone_from(&path);
                    if words.len() == at + 2 {
                        // Without arguments it is called by its own name.
                        words.push(path.rsplit('/').next().unwrap_or_default().to_owned());
                    }
                    self.install(&path);
                    let inner = if line.inner.is_empty() {
                        IDLE.to_owned()
                    } else {
                        let inner = format!("{name}.{index}");
                        self.add(&inner, &line.inner);
                        inner
                    };
                    words.insert(at + 1, inner);
                }
                "exec-at" => {
                    let path = place(words.get(at + 1).map_or("", String::as_str));
                    words[at + 1].clone_from(&path);
                    self.install(&path);
                }
                _ => {}
            }
            writeln!(text, "{}", words.join("\t")).expect("memory");
        }
        self.texts.push((name.to_owned(), text));
    }

    fn install(&mut self, path: &str) {
        if path.starts_with('/') && !FLEETING.iter().any(|place| path.starts_with(place)) {
            self.installed.insert(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Place;

    fn line(words: &[&str], inner: Vec<Line>) -> Line {
        Line {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            inner,
        }
    }

    #[test]
    fn a_program_within_a_program_has_a_script_of_its_own() {
        let case = Case {
            rule: "R".to_owned(),
            fires: true,
            title: "t".to_owned(),
            place: Place::Host,
            file: "x".to_owned(),
            given: vec![line(&["file", "/a"], vec![])],
            does: vec![line(
                &["as", "/usr/sbin/nginx", "nginx"],
                vec![
                    line(&["as", "/tmp/x"], vec![]),
                    line(&["read", "/b c"], vec![]),
                ],
            )],
        };
        let scripts = Scripts::of(&case, "7");
        let text = |name: &str| {
            let found = scripts.texts.iter().find(|(known, _)| known == name);
            found.map(|(_, text)| text.as_str()).unwrap()
        };
        assert_eq!(text("7"), "as\t7.0\t/usr/sbin/nginx\tnginx\n");
        assert_eq!(text("7.0"), "as\tidle\t/tmp/x\tx\nread\t/b c\n");
        assert_eq!(text("7-given"), "file\t/a\n");
        assert_eq!(Vec::from_iter(&scripts.installed), ["/usr/sbin/nginx"]);
    }
}
