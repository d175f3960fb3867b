//! Finds and reads rule files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The rules that ship with the program.
const SHIPPED: &str = include_str!("../../../rules/peregrine_rules.yaml");
/// Those for Kubernetes audit events.
const SHIPPED_AUDIT: &str = include_str!("../../../rules/k8s_audit_rules.yaml");
/// Where a machine can put rules of its own in their place.
const SHIPPED_PLACE: &str = "/etc/peregrine/";
/// Larger files are not read: no rule set is a hundredth of it.
const MAX_SIZE: u64 = 64 << 20;

/// A rule file with its content.
#[derive(Clone, Debug)]
pub(crate) struct RuleFile {
    /// As named, for messages.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) content: Vec<u8>,
}

/// The shipped rules, or the machine's own in their place: those for system calls, or those for audit events.
pub(crate) fn shipped(audit_events: bool) -> Result<Vec<RuleFile>> {
    let (name, content) = if audit_events {
        ("k8s_audit_rules.yaml", SHIPPED_AUDIT)
    } else {
        ("peregrine_rules.yaml", SHIPPED)
    };
    let place = Path::new(SHIPPED_PLACE).join(name);
    if place.exists() {
        return Ok(vec![read(&place)?]);
    }
    Ok(vec![RuleFile {
        name: format!("{name} (shipped)"),
        content: content.as_bytes().to_vec(),
    }])
}

/// Reads files and directories in order; `named` by a person, who hears of what is missing, or by
/// a configuration that names what may be there.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn collect(
    paths: &[String],
    named: bool,
    skipped: &mut Vec<String>,
) -> Result<Vec<RuleFile>> {
    let mut files = Vec::new();
    for path in paths.iter().map(PathBuf::from) {
        if path.is_dir() {
            for file in directory(&path)? {
                files.push(read(&file)?);
            }
        } else if !named && !path.exists() {
            skipped.push(format!("{} does not exist; skipped", path.display()));
        } else if path.exists() && !has_extension(&path) {
            skipped.push(format!(
                "{} is skipped: rule files end in .yaml or .yml",
                path.display()
            ));
        } else {
            files.push(read(&path)?);
        }
    }
    Ok(files)
}

/// The rule files of a directory in order of their paths.
fn directory(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path)
        .with_context(|| format!("cannot read the rules directory {}", path.display()))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| has_extension(path) && path.is_file())
        .collect();
    files.sort();
    Ok(files)
}

fn has_extension(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Reads one file, whatever it is called.
///
/// # Errors
/// When it cannot be read or is too large.
pub(crate) fn read(path: &Path) -> Result<RuleFile> {
    if path.is_dir() {
        bail!(
            "{} is a directory; name the rule file in it",
            path.display()
        );
    }
    let cannot = || format!("cannot read the rules file {}", path.display());
    let file = File::open(path).with_context(cannot)?;
    let mut content = Vec::new();
    file.take(MAX_SIZE + 1)
        .read_to_end(&mut content)
        .with_context(cannot)?;
    if content.len() as u64 > MAX_SIZE {
        bail!(
            "the rules file {} is larger than {} MB",
            path.display(),
            MAX_SIZE >> 20
        );
    }
    Ok(RuleFile {
        name: path.display().to_string(),
        content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_what_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        for name in ["b.yaml", "a.yml", "c.txt"] {
            std::fs::write(path(name), name).unwrap();
        }
        std::fs::create_dir(path("d.yaml")).unwrap();
        let mut skipped = Vec::new();
        let paths = [
            dir.path().display().to_string(),
            path("c.txt"),
            path("none.yaml"),
        ];
        let files = collect(&paths, false, &mut skipped).unwrap();
        let names: Vec<&[u8]> = files.iter().map(|file| file.content.as_slice()).collect();
        assert_eq!(names, [&b"a.yml"[..], b"b.yaml"]);
        assert_eq!(skipped.len(), 2);
        let error = collect(&paths, true, &mut skipped).unwrap_err().to_string();
        assert!(error.contains("none.yaml"));
    }

    #[test]
    fn the_shipped_rules_are_embedded() {
        assert!(SHIPPED.contains("- rule:") && SHIPPED_AUDIT.contains("- rule:"));
    }
}
