//! Rule files in one layout: `peregrine fmt`.
//!
//! The tree of a file knows where every value stands, and the bytes between the values are comments, blanks and signs. So a
//! file is written anew from its tree, each value in its own words, each comment before or behind the value that it
//! stood at. What changes is indentation, blank lines, the places where lines break, and the blanks between the words of
//! a condition. Keys keep their order, values their quotes.
//!
//! An item with anything rare in it (anchors, tags, comments inside brackets, ...) stays as it is. And nothing is
//! believed: the result is read again, and if any value or comment differs the file is refused ([`Refusal`]).

mod comments;
mod condition;
mod same;
mod write;

use rules::yaml::{self, Kind, Limits};

/// Longest line.
pub const WIDTH: usize = 120;

/// Why a text is not laid out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is no YAML.
    #[error("{message}")]
    NotYaml {
        /// What is wrong.
        message: String,
        /// The byte.
        offset: usize,
    },
    /// Something that is neither a list nor a mapping.
    #[error("only lists and mappings are laid out")]
    Shape,
    /// The result would mean something else.
    #[error("the layout would change what the file says ({0}); it stays as it is")]
    Meaning(&'static str),
}

/// The text in the one layout.
///
/// # Errors
/// [`Refusal`]; the text is to be left alone.
pub fn format(text: &str) -> Result<String, Refusal> {
    let limits = Limits::default();
    let tree = yaml::parse(text, &limits).map_err(|fault| Refusal::NotYaml {
        message: fault.message,
        offset: fault.offset,
    })?;
    let root = match tree.documents[..] {
        [] => return Ok(text.to_owned()),
        [root] => root,
        _ => return documents(text, tree.documents.len()),
    };
    match tree.node(root).kind {
        Kind::Null => return Ok(text.to_owned()),
        Kind::Sequence(_) | Kind::Mapping(_) => {}
        Kind::Scalar(_) => return Err(Refusal::Shape),
    }
    let remarks = comments::find(text, &tree);
    let out = write::Writer::new(text, &tree, &remarks)
        .file(root)
        .ok_or(Refusal::Shape)?;
    let again =
        yaml::parse(&out, &limits).map_err(|_| Refusal::Meaning("it could not be read again"))?;
    same::compare(&tree, &again)?;
    let kept = comments::find(&out, &again);
    let texts = |all: &[comments::Comment], text: &str| -> Vec<String> {
        all.iter()
            .map(|one| text[one.start..one.end].trim_end().to_owned())
            .collect()
    };
    if texts(&remarks, text) != texts(&kept, &out) {
        return Err(Refusal::Meaning("a comment would be lost"));
    }
    Ok(out)
}

/// Each document by itself, the markers between them kept.
fn documents(text: &str, count: usize) -> Result<String, Refusal> {
    let mut parts: Vec<String> = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "---" {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push_str(line);
        }
    }
    let begins_with_marker = parts[0].trim().is_empty();
    if parts.len() - usize::from(begins_with_marker) != count {
        return Err(Refusal::Shape);
    }
    let mut out = Vec::new();
    for part in &parts {
        let laid_out = format(part)?;
        out.push(laid_out.trim_matches('\n').to_owned());
    }
    let mut whole = out.join("\n\n---\n\n").trim_start_matches('\n').to_owned();
    whole.push('\n');
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let out = format(text).unwrap();
        assert_eq!(out, expected);
        assert_eq!(format(&out).unwrap(), out, "a second time");
    }

    #[test]
    fn items_keys_and_comments() {
        check(
            "# head\n\n\n-   rule:   A  # name\n    desc: d\n\n    condition: >\n          evt.type=open   and\n          ( fd.name = x )\n    # why\n    output: \"o: %fd.name\"\n    priority: INFO\n    tags: [ a,b ]\n- list: l\n  items:\n  - a  # one\n  # two\n  - b\n# end\n",
            "# head\n\n- rule: A # name\n  desc: d\n\n  condition: >\n    evt.type = open and (fd.name = x)\n  # why\n  output: \"o: %fd.name\"\n  priority: INFO\n  tags: [a, b]\n\n- list: l\n  items:\n    - a # one\n    # two\n    - b\n\n# end\n",
        );
    }

    #[test]
    fn long_conditions_break_before_and_and_or() {
        let clause = "proc.name in (aaaaaaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbbbbbbbbbbb)";
        check(
            &format!("- macro: m\n  condition: >\n    {clause} and {clause} or {clause}\n"),
            &format!(
                "- macro: m\n  condition: >\n    {clause}\n    and {clause}\n    or {clause}\n"
            ),
        );
    }

    #[test]
    fn long_lists_fill_lines() {
        let words: Vec<String> = (0..30).map(|n| format!("program{n}")).collect();
        let out = format(&format!("- list: l\n  items: [{}]\n", words.join(","))).unwrap();
        assert!(
            out.lines().all(|line| line.len() <= WIDTH) && out.lines().count() == 4,
            "{out}"
        );
        assert!(
            out.lines().nth(2).unwrap().starts_with("          program"),
            "{out}"
        );
        assert_eq!(format(&out).unwrap(), out);
    }

    #[test]
    fn rare_things_stay() {
        for text in [
            "- rule: &a A\n  desc:   d\n",
            "- list: l\n  items: [a,   # one\n          b]\n",
            "- macro: m\n  condition: |+\n     a\n\n\n",
        ] {
            assert_eq!(format(text).unwrap().trim_end(), text.trim_end());
        }
        assert_eq!(
            format("- list:  a\n---\n- list:   b\n").unwrap(),
            "- list: a\n\n---\n\n- list: b\n"
        );
        assert_eq!(format("text\n"), Err(Refusal::Shape));
        assert!(matches!(format("- [a\n"), Err(Refusal::NotYaml { .. })));
    }
}
