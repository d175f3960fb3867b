//! Products that keep files of the system up to date: three cases for each line of a table.
//!
//! ```text
//! rule Write below etc
//!   httpd keeps its configuration | /etc/httpd/conf/x | /usr/bin/run-httpd run-httpd | /usr/bin/sed sed -i x
//! ```
//!
//! The product itself is silent. The same programs with another file fire, and so does another program with the same file:
//! an exception is as narrow as what it is for. `*` in front of the file: the exception is for the programs, whatever they
//! write. `@container` or `@[...]` in front of the words: there.

use std::fmt::Write as _;

/// The table as cases, in the form that [`case`](crate::case) reads.
#[must_use]
pub fn spelled_out(table: &str) -> String {
    let mut text = String::new();
    for line in table.lines() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if content.starts_with("rule ") {
            let _ = writeln!(text, "{content}");
            continue;
        }
        let mut parts = content.split(" | ").map(str::trim);
        let (title, place) = placed(parts.next().unwrap_or_default());
        let file = parts.next().unwrap_or_default();
        let (file, anywhere) = match file.strip_prefix('*') {
            Some(file) => (file, true),
            None => (file, false),
        };
        let chain: Vec<&str> = parts.collect();
        let others = vec!["/usr/bin/othertool othertool"; chain.len()];
        let place = place.as_str();
        add(&mut text, "silent", place, &title, file, &chain);
        add(
            &mut text,
            "fires",
            place,
            &format!("{title}: another program"),
            file,
            &others,
        );
        if !anywhere {
            let place_of_file = if file.starts_with("/etc/") {
                "/etc/other-place/x"
            } else {
                "/root/other-place/x"
            };
            add(
                &mut text,
                "fires",
                place,
                &format!("{title}: another file"),
                place_of_file,
                &chain,
            );
        }
    }
    text
}

/// The words without the place that stands in front of them, and the place as a case's heading has it.
fn placed(words: &str) -> (String, String) {
    if let Some(title) = words.strip_prefix("@container ") {
        return (title.to_owned(), "[container] ".to_owned());
    }
    match words
        .strip_prefix("@[")
        .and_then(|rest| rest.split_once(']'))
    {
        Some((place, title)) => (title.trim().to_owned(), format!("[{place}] ")),
        None => (words.to_owned(), String::new()),
    }
}

fn add(text: &mut String, kind: &str, place: &str, title: &str, file: &str, chain: &[&str]) {
    let _ = writeln!(text, "  {kind} {place}{title}");
    let _ = writeln!(text, "    given file {file}");
    let mut depth = 4;
    for program in chain {
        let _ = writeln!(text, "{:depth$}as {program}", "");
        depth += 2;
    }
    let _ = writeln!(text, "{:depth$}append {file}", "");
}
