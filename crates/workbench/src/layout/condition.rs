//! A condition over several lines.

use crate::words::{Role, Word, blank_between, joined, words};

/// The condition in lines of at most `width` bytes, if that can be. What does not fit into one line is broken before
/// all of its outermost `and` and `or`, each part likewise, and what has none at its commas. `None`: a word of it has a
/// line break inside, or there is none.
pub(super) fn lines(text: &str, width: usize) -> Option<Vec<String>> {
    let all = words(text);
    let broken = |word: &Word| text[word.start..word.end].contains(['\n', '\r']);
    if all.is_empty() || all.iter().any(broken) {
        return None;
    }
    let whole = joined(text);
    if whole.len() <= width {
        return Some(vec![whole]);
    }
    let depths = depths(&all);
    let mut out = Vec::new();
    // Parts that are still to be laid out, the next one last; a stack, as parentheses nest without end.
    let mut open = vec![(0, all.len())];
    while let Some((start, end)) = open.pop() {
        let line = shown(text, &all[start..end]);
        if line.len() <= width {
            out.push(line);
            continue;
        }
        let joins = |at: &usize| {
            let word = &all[*at];
            word.role == Role::Keyword && &text[word.start..word.end] != "not"
        };
        let inner = start + 1..end;
        let Some(least) = inner.clone().filter(joins).map(|at| depths[at]).min() else {
            fill(text, &all[start..end], width, &mut out);
            continue;
        };
        let mut parts = Vec::new();
        let mut from = start;
        for at in inner.filter(joins).filter(|&at| depths[at] == least) {
            parts.push((from, at));
            from = at;
        }
        parts.push((from, end));
        open.extend(parts.into_iter().rev());
    }
    // A line that begins so would be no line of a folded text any more.
    out.iter()
        .all(|line| !line.starts_with([' ', '\t']))
        .then_some(out)
}

/// How many parentheses are open around each word.
fn depths(all: &[Word]) -> Vec<usize> {
    let mut depth = 0_usize;
    let of = |word: &Word| {
        if word.role == Role::Close {
            depth = depth.saturating_sub(1);
        }
        let own = depth;
        depth += usize::from(word.role == Role::Open);
        own
    };
    all.iter().map(of).collect()
}

/// Words in one line.
fn shown(text: &str, words: &[Word]) -> String {
    let mut out = String::new();
    let mut before: Option<Role> = None;
    for word in words {
        if before.is_some_and(|before| blank_between(before, word.role)) {
            out.push(' ');
        }
        out.push_str(&text[word.start..word.end]);
        before = Some(word.role);
    }
    out
}

/// Fills lines with a comparison that is too long for one. A line may break behind a comma; before other words only
/// where nothing else helps.
fn fill(text: &str, clause: &[Word], width: usize, out: &mut Vec<String>) {
    let mut line = String::new();
    // The last place in the line where it may break.
    let mut good: Option<usize> = None;
    let mut before: Option<Role> = None;
    for word in clause {
        let shown = &text[word.start..word.end];
        let blank = before.is_some_and(|before| blank_between(before, word.role));
        if blank && before == Some(Role::Comma) {
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
