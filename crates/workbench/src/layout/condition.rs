//! A condition over several lines.

use crate::words::{Role, Word, blank_between, joined, words};

/// The condition in lines of at most `width` bytes, if that can be: a clause of the outermost `and` and `or` begins a line
/// with its word. A clause that is too long is broken at its own `and` and `or`, and at commas. `None`: a word of it
/// has a line break inside, or there is none.
pub(super) fn lines(text: &str, width: usize) -> Option<Vec<String>> {
    let all = words(text);
    if all.is_empty()
        || all
            .iter()
            .any(|word| text[word.start..word.end].contains(['\n', '\r']))
    {
        return None;
    }
    let whole = joined(text);
    if whole.len() <= width {
        return Some(vec![whole]);
    }
    let mut out = Vec::new();
    let mut clause: Vec<Word> = Vec::new();
    let mut depth = 0_usize;
    for word in all {
        match word.role {
            Role::Open => depth += 1,
            Role::Close => depth = depth.saturating_sub(1),
            Role::Keyword
                if depth == 0 && !clause.is_empty() && &text[word.start..word.end] != "not" =>
            {
                fill(text, &clause, width, &mut out);
                clause.clear();
            }
            _ => {}
        }
        clause.push(word);
    }
    fill(text, &clause, width, &mut out);
    // A line that begins so would be no line of a folded text any more.
    out.iter()
        .all(|line| !line.starts_with([' ', '\t']))
        .then_some(out)
}

/// Fills lines with a clause. A line may break before `and` and `or`, and behind a comma; before other words only where
/// nothing else helps.
fn fill(text: &str, clause: &[Word], width: usize, out: &mut Vec<String>) {
    let mut line = String::new();
    // The last place in the line where it may break.
    let mut good: Option<usize> = None;
    let mut before: Option<Role> = None;
    for word in clause {
        let shown = &text[word.start..word.end];
        let blank = before.is_some_and(|before| blank_between(before, word.role));
        if blank
            && (before == Some(Role::Comma)
                || (word.role == Role::Keyword && shown != "not" && before.is_some()))
        {
            good = Some(line.len());
        }
        if !line.is_empty() && line.len() + usize::from(blank) + shown.len() > width {
            if let Some(at) = good.take() {
                let rest = line.split_off(at);
                out.push(std::mem::replace(&mut line, rest.trim_start().to_owned()));
            } else if blank {
                out.push(std::mem::take(&mut line));
            }
        }
        if blank && !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
        line.push_str(shown);
        before = Some(word.role);
    }
    if !line.is_empty() {
        out.push(line);
    }
}
