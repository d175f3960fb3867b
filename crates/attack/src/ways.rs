//! Which of the known ways around a rule its attacks take, read off what they do.

use std::collections::BTreeSet;

use crate::case::{Case, Line};

/// What an attack does to be overlooked, in the order in which the page has them.
pub const WAYS: [(&str, &str); 12] = [
    (
        "call",
        "a rarer call that does the same (openat2, a handle, *at, sendmsg)",
    ),
    ("path", "a path with detours, or a relative one"),
    ("/proc", "through /proc/self/root or a process's files"),
    ("link", "a link is made, or followed"),
    ("moved", "made elsewhere, then moved into place"),
    ("mode", "another mode, or by descriptor"),
    ("name", "a program under another name"),
    (
        "impostor",
        "a program that calls itself what is allowed, where all may write",
    ),
    ("execveat", "started by descriptor"),
    ("memory", "started from memory"),
    ("io_uring", "through a ring"),
    ("words", "a known command with more behind it, or inside"),
];

/// The ways that this attack takes.
#[must_use]
pub fn of(case: &Case) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let linked: Vec<&str> = case
        .given
        .iter()
        .filter(|line| line.words[0] == "symlink")
        .filter_map(|line| line.words.get(2).map(String::as_str))
        .collect();
    for line in &case.does {
        walk(line, &linked, &mut found);
    }
    found
}

fn walk(line: &Line, linked: &[&str], found: &mut BTreeSet<&'static str>) {
    let at = usize::from(line.words[0] == "try");
    let operation = line.words.get(at).map_or("", String::as_str);
    let words = &line.words[(at + 1).min(line.words.len())..];
    let starts = |beginning: &str| words.iter().any(|word| word.starts_with(beginning));
    match operation {
        "rename" | "renameat" | "renameat2" => {
            found.insert("moved");
        }
        "link" | "linkat" | "symlink" | "symlinkat" => {
            found.insert("link");
        }
        "exec-at" => {
            found.insert("execveat");
        }
        "memory" | "memory-link" => {
            found.insert("memory");
        }
        "fchmod" | "fchmodat" => {
            found.insert("mode");
        }
        "cd" => {
            found.insert("path");
        }
        _ => {}
    }
    if operation.starts_with("ring-") {
        found.insert("io_uring");
    }
    if [
        "-at",
        "-openat2",
        "-handle",
        "-open",
        "send-message",
        "creat",
        "linkat",
        "unlinkat",
    ]
    .iter()
    .any(|end| operation.ends_with(end))
        && operation != "exec-at"
    {
        found.insert("call");
    }
    if operation == "stream" && words[0] != "dup2" {
        found.insert("call");
    }
    if starts("/proc/") {
        found.insert("/proc");
    }
    if words
        .iter()
        .any(|word| word.contains("..") || word.starts_with("./"))
    {
        found.insert("path");
    }
    match operation {
        "run" | "exec" if linked.contains(&words[0].as_str()) => {
            found.insert("name");
        }
        "as" if ["/tmp/", "/dev/shm/", "/var/tmp/"]
            .iter()
            .any(|place| words[0].starts_with(place)) =>
        {
            found.insert("impostor");
        }
        "as" if words[0].ends_with("/busybox") => {
            found.insert("name");
        }
        _ => {}
    }
    let command = words
        .iter()
        .any(|word| word.contains(' ') && word.contains([';', '#', '$', '`', '|', '&']));
    if command {
        found.insert("words");
    }
    for line in &line.inner {
        walk(line, linked, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_attacks_take_every_way() {
        let mut all = BTreeSet::new();
        for case in crate::case::all().unwrap().iter().filter(|case| case.fires) {
            all.extend(of(case));
        }
        for (way, _) in WAYS {
            assert!(all.contains(way), "no attack goes by {way}");
        }
    }
}
