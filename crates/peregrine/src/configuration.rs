//! Finds and loads the configuration, and shows what is wrong with it.

use std::path::{Path, PathBuf};

use config::{Loaded, Override, Rejected, Request, SchemaStatus};
use diag::{Diagnostic, SourceMap};

use crate::{log, terminal};

/// Where the configuration lies when nothing names one; the first that exists is taken.
pub(crate) const PLACES: [&str; 2] = ["/etc/falco/falco.yaml", "/etc/peregrine/peregrine.yaml"];

/// What holds for the commands for people where no configuration file is named: an alert goes to
/// standard output.
const FOR_PEOPLE: &str = "stdout_output: {enabled: true}\n";

/// The file named by `-c`, or the first of the usual places.
pub(crate) fn find(named: Option<&str>) -> Option<PathBuf> {
    match named {
        Some(path) => Some(PathBuf::from(path)),
        None => PLACES.iter().map(PathBuf::from).find(|path| path.exists()),
    }
}

/// Loads a file with overrides.
///
/// # Errors
/// [`Rejected`] with all findings.
pub(crate) fn load(path: Option<&Path>, overrides: &[Override]) -> Result<Loaded, Box<Rejected>> {
    let variable = |name: &str| std::env::var(name).ok();
    let base = path.is_none().then_some(FOR_PEOPLE);
    config::load(&Request {
        path,
        base,
        overrides,
        variable: Some(&variable),
    })
}

/// Writes every finding to standard error.
pub(crate) fn show(findings: &[Diagnostic], sources: &SourceMap) {
    for found in findings {
        eprintln!(
            "{}\n",
            diag::text::render(sources, found, terminal::colour_stderr())
        );
    }
}

/// Logs the result of the schema checks, a line for each file, and the warnings.
pub(crate) fn log_checks(loaded: &Loaded) {
    for (path, status) in &loaded.files {
        let line = format!("{} | schema validation: {status}", path.display());
        match status {
            SchemaStatus::Failed(_) => log::warning(&line),
            SchemaStatus::Ok | SchemaStatus::None => log::info(&line),
        }
    }
    for found in loaded
        .warnings
        .iter()
        .filter(|found| found.code != &config::code::KEY)
    {
        log::warning(&diag::text::render(&loaded.sources, found, false));
    }
}
