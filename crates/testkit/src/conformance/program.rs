//! Runs the binary under test and collects what it prints.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The binary, and the folder that it is started in.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    folder: PathBuf,
    host: PathBuf,
    limit: Duration,
}

/// What one run gave.
#[derive(Clone, Debug)]
pub struct Run {
    /// Exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// True if it was ended because it took too long.
    pub timed_out: bool,
}

impl Program {
    /// The binary at `path`, started in `folder`, with `host` for the machine's root.
    #[must_use]
    pub fn new(path: &Path, folder: &Path, host: &Path) -> Self {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Self {
            path,
            folder: folder.to_owned(),
            host: host.to_owned(),
            limit: Duration::from_secs(180),
        }
    }

    /// The same binary started in another folder.
    #[must_use]
    pub fn inside(&self, folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            ..self.clone()
        }
    }

    /// Runs it to its end, or to the time limit.
    ///
    /// # Panics
    /// When it cannot be started at all.
    pub fn run<S: AsRef<str>>(&self, args: &[S]) -> Run {
        self.run_with(args, &[])
    }

    /// The same, with environment variables.
    ///
    /// # Panics
    /// When it cannot be started at all.
    pub fn run_with<S: AsRef<str>>(&self, args: &[S], env: &[(String, String)]) -> Run {
        let mut command = Command::new(&self.path);
        command
            .args(args.iter().map(AsRef::as_ref))
            .current_dir(&self.folder);
        command
            .env("TZ", "UTC")
            .env("FALCO_HOSTNAME", "golden")
            .env("NO_COLOR", "1");
        command.env("HOST_ROOT", &self.host);
        command.envs(env.iter().map(|(k, v)| (k, v)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", self.path.display()));
        let out = child.stdout.take().map(collect);
        let err = child.stderr.take().map(collect);
        let start = Instant::now();
        let mut timed_out = false;
        let mut pause = Duration::from_millis(1);
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if start.elapsed() > self.limit => {
                    timed_out = true;
                    let _ = child.kill();
                    break child.wait().ok();
                }
                Ok(None) => std::thread::sleep(pause),
                Err(_) => break None,
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        let bytes = |thread: Option<std::thread::JoinHandle<Vec<u8>>>| {
            thread.and_then(|t| t.join().ok()).unwrap_or_default()
        };
        Run {
            code: status.and_then(|s| s.code()),
            stdout: bytes(out),
            stderr: bytes(err),
            timed_out,
        }
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

impl Run {
    /// Standard output as text.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Standard output as one JSON document; log lines before it are passed over.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        let text = self.out();
        serde_json::from_str(text.trim()).ok().or_else(|| {
            text.lines()
                .rev()
                .find_map(|line| serde_json::from_str(line).ok())
        })
    }

    /// How it ended and the last lines of standard error, for a report.
    #[must_use]
    pub fn ending(&self) -> String {
        let err = self.err();
        let lines: Vec<&str> = err.lines().collect();
        let tail = lines[lines.len().saturating_sub(6)..].join("\n");
        let how = match (self.timed_out, self.code) {
            (true, _) => "took too long".to_owned(),
            (_, Some(code)) => format!("exit code {code}"),
            (_, None) => "ended by a signal".to_owned(),
        };
        format!("{how}; standard error ends:\n{}", super::brief(&tail))
    }
}
