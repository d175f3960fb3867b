//! `peregrine fmt`: rule files in one layout.

use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use workbench::layout;

use crate::cli::Fmt;
use crate::output;
use crate::rulefiles::{self, RuleFile};

/// Lays files out, or says which are not.
pub(crate) fn run(args: &Fmt) -> Result<u8> {
    if args.files == ["-"] {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
        return match layout::format(&text) {
            Ok(out) => {
                output::print(&out)?;
                Ok(0)
            }
            Err(refusal) => {
                eprintln!("error: {refusal}");
                Ok(1)
            }
        };
    }
    let mut code = 0;
    for file in gather(&args.files)? {
        let Ok(text) = String::from_utf8(file.content) else {
            eprintln!("error: {} is not text", file.name);
            code = 1;
            continue;
        };
        match layout::format(&text) {
            Ok(out) if out == text => {}
            Ok(_) if args.check => {
                println!("{}", file.name);
                code = 1;
            }
            Ok(out) => {
                replace(Path::new(&file.name), out.as_bytes())?;
                eprintln!("{}: laid out", file.name);
            }
            Err(refusal) => {
                eprintln!("error: {}: {refusal}", file.name);
                code = 1;
            }
        }
    }
    Ok(code)
}

fn gather(paths: &[String]) -> Result<Vec<RuleFile>> {
    let mut files = Vec::new();
    for path in paths {
        if Path::new(path).is_dir() {
            files.extend(rulefiles::collect(
                std::slice::from_ref(path),
                true,
                &mut Vec::new(),
            )?);
        } else {
            files.push(rulefiles::read(Path::new(path))?);
        }
    }
    Ok(files)
}

/// Writes a file so that whoever reads it sees the old or the new one whole.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    // Behind a link the file itself is replaced.
    let path = std::fs::canonicalize(path).with_context(cannot)?;
    let folder = path.parent().context("a file lies in a folder")?;
    let mut new = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    new.write_all(content).with_context(cannot)?;
    let permissions = std::fs::metadata(&path).with_context(cannot)?.permissions();
    new.as_file()
        .set_permissions(permissions)
        .with_context(cannot)?;
    new.persist(&path).with_context(cannot)?;
    Ok(())
}
