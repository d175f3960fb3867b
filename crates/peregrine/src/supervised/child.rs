//! The command itself.

use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, ExitStatus};

use anyhow::{Context, Result};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

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
        let process = Command::new(program)
            .args(arguments)
            .spawn()
            .with_context(|| format!("cannot run {program}"))?;
        give_back_limit(&process);
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

/// The probe has raised our limit of descriptors; the command shall see the one that it would have had without us.
fn give_back_limit(process: &process::Child) {
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    let (Some(pid), Some(before)) = (pid, probe::room::before()) else {
        return;
    };
    let limit = Rlimit {
        current: Some(before),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    // It may have ended meanwhile: then there is nobody to limit.
    let _ = prlimit(Some(pid), Resource::Nofile, limit);
}
