//! The program's own log: a line with a time on standard error, or to syslog, from a level on.
//!
//! Alerts never go here, and what a user must see goes to standard error directly.

use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use jiff::Zoned;
use outputs::channel::syslog::{SyslogChannel, SyslogTarget};
use rules::Priority;

static LOG: OnceLock<Log> = OnceLock::new();

/// Where log lines go.
struct Log {
    level: Priority,
    stderr: bool,
    iso8601: bool,
    syslog: Option<Mutex<SyslogChannel>>,
}

/// Sets the log up; before that, and a second time, nothing happens.
pub(crate) fn start(settings: &config::Settings, verbose: bool) {
    let level = if verbose {
        Priority::Debug
    } else {
        settings.log.level
    };
    let syslog = settings
        .log
        .syslog
        .then(|| SyslogChannel::open(&SyslogTarget::local(ident())).ok())
        .flatten()
        .map(Mutex::new);
    let stderr = settings.log.stderr;
    let iso8601 = settings.outputs.time_format_iso_8601;
    let _ = LOG.set(Log {
        level,
        stderr,
        iso8601,
        syslog,
    });
}

/// What the program was called by, as the C library's syslog has it.
pub(crate) fn ident() -> String {
    let name = std::env::args_os().next().map(std::path::PathBuf::from);
    let name = name
        .as_ref()
        .and_then(|path| path.file_name())
        .and_then(|name| name.to_str());
    name.unwrap_or("peregrine").to_owned()
}

/// Says what somebody must hear: in the log, or where there is none to the person who started this.
pub(crate) fn say(priority: Priority, message: &str) {
    if LOG.get().is_some() {
        log(priority, message);
    } else {
        eprintln!("{}: {message}", priority.name().to_lowercase());
    }
}

/// Writes a line.
pub(crate) fn log(priority: Priority, message: &str) {
    let Some(log) = LOG.get().filter(|log| priority <= log.level) else {
        return;
    };
    if log.stderr {
        let form = if log.iso8601 {
            "%Y-%m-%dT%H:%M:%S%z"
        } else {
            "%a %b %e %H:%M:%S %Y"
        };
        let line = format!("{}: {message}\n", Zoned::now().strftime(form));
        // Nobody is left to be told that standard error is closed.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
    if let Some(syslog) = &log.syslog {
        // Machines without syslog are common, and the default configuration asks for it.
        let _ = syslog
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(priority, message.as_bytes());
    }
}

/// A line at level warning.
pub(crate) fn warning(message: &str) {
    log(Priority::Warning, message);
}

/// A line at level error.
pub(crate) fn error(message: &str) {
    log(Priority::Error, message);
}

/// A line at level info.
pub(crate) fn info(message: &str) {
    log(Priority::Informational, message);
}
