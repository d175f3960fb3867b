//! What a code of a message means.

use anyhow::Result;
use diag::Code;

use crate::output;

/// All codes there are.
fn tables() -> [&'static [&'static Code]; 3] {
    [rules::code::ALL, workbench::lint::code::ALL, config::CODES]
}

/// Whether a word has the form of a code: a letter and four digits.
pub(super) fn is_code(word: &str) -> bool {
    let digits = word.strip_prefix(['P', 'p']);
    digits.is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Prints all codes with their titles.
pub(super) fn list() -> Result<u8> {
    let codes = tables().into_iter().flatten();
    let list: String = codes
        .map(|code| format!("{}  {}\n", code.id, code.title))
        .collect();
    output::print(&list)?;
    Ok(0)
}

/// Prints the explanation of a code.
pub(super) fn explain(id: &str) -> Result<u8> {
    let Some(code) = diag::code::find(&tables(), id) else {
        eprintln!("error: there is no code {id}; `peregrine explain` lists all codes");
        return Ok(1);
    };
    output::print(&format!(
        "{}: {}\n\n{}\n",
        code.id,
        code.title,
        wrapped(code.explanation)
    ))?;
    Ok(0)
}

/// Wraps paragraphs at 80 columns.
pub(super) fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > 80 {
            out.push('\n');
            column = 0;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
