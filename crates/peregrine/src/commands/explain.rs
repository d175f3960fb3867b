//! `peregrine explain`: what a code means.

use anyhow::Result;
use diag::Code;

use crate::cli::Explain;
use crate::output;

/// All codes there are.
fn tables() -> [&'static [&'static Code]; 2] {
    [rules::code::ALL, config::CODES]
}

/// Prints the explanation of a code, or all codes with their titles.
pub(crate) fn run(args: &Explain) -> Result<u8> {
    if args.kernel {
        return super::kernel::run(&args.rules);
    }
    let Some(id) = &args.code else {
        let codes = tables().into_iter().flatten();
        let list: String = codes
            .map(|code| format!("{}  {}\n", code.id, code.title))
            .collect();
        output::print(&list)?;
        return Ok(0);
    };
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
fn wrapped(text: &str) -> String {
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
