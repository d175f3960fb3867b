//! What receives: programs that are started, killed and asked.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A receiver with all that stands behind it.
pub trait Engine {
    /// Takes it away, as roughly as it may be.
    fn interrupt(&mut self);
    /// Brings it back.
    fn resume(&mut self);
    /// Node and file of each alert that it has, as often as it has it.
    fn received(&mut self) -> Vec<(String, String)>;
}

/// Node and file of an alert in JSON.
pub fn alert(line: &str) -> (String, String) {
    let alert: serde_json::Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (
        text(&alert["hostname"]),
        text(&alert["output_fields"]["fd.name"]),
    )
}

/// A program that ends with the test.
pub struct Daemon(Child);

impl Daemon {
    /// `None`, and a word about it, where the program is not installed. What it says goes to the end of `log`.
    pub fn start(program: &str, args: &[&str], log: &Path) -> Option<Self> {
        Self::of(Command::new(program).args(args), log)
    }

    /// The same with what a command may have besides.
    pub fn of(command: &mut Command, log: &Path) -> Option<Self> {
        let log: File = OpenOptions::new()
            .append(true)
            .create(true)
            .open(log)
            .unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        match command.spawn() {
            Ok(child) => Some(Self(child)),
            Err(error) => {
                let program = command.get_program().to_string_lossy().into_owned();
                missing(&format!("{program}: {error}"));
                None
            }
        }
    }

    /// Asks it to end, and waits for it.
    pub fn end(mut self) {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, Signal::TERM).unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    /// Without a warning to it.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Leaves a test out, where that is allowed.
pub fn missing(what: &str) {
    assert!(
        std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_none_or(|value| value != "1"),
        "{what}"
    );
    eprintln!("left out: {what}");
}
