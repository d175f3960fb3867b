//! The command itself.

use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, ExitStatus};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// A running command.
pub(crate) struct Child {
    process: process::Child,
    status: Option<ExitStatus>,
}

impl Child {
    /// Starts it; it has our terminal.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &[String]) -> Result<Self> {
        let (program, arguments) = command.split_first().context("no command to run")?;
        let mut command = Command::new(program);
        command.args(arguments);
        // The probe has raised our limit of descriptors; the command shall see what it would have had without us.
        probe::room::give_back(&mut command);
        let process = command
            .spawn()
            .with_context(|| format!("cannot run {program}"))?;
        Ok(Self {
            process,
            status: None,
        })
    }

    /// Its process id, in our namespace.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.process.try_wait().ok().flatten();
        }
        self.status.is_some()
    }

    /// Waits for its end; its exit code.
    pub(crate) fn wait(&mut self) -> u8 {
        if self.status.is_none() {
            self.status = self.process.wait().ok();
        }
        let Some(status) = self.status else { return 1 };
        let code = status
            .code()
            .or_else(|| status.signal().map(|signal| 128 + signal));
        u8::try_from(code.unwrap_or(1)).unwrap_or(1)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.status.is_none()
            && let Some(pid) = i32::try_from(self.process.id())
                .ok()
                .and_then(Pid::from_raw)
        {
            // It may have ended meanwhile: then there is nobody to tell.
            let _ = kill_process(pid, signal);
        }
    }
}
