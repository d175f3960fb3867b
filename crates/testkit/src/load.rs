//! Work for a live machine that knows how many system calls it made.
//!
//! A monitor that says what it received and what it lost can be held against these numbers: the
//! sums must agree to the last call. Nothing here measures; [`Done`] tells turns and time.

use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::process::Pid;

/// What a turn does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Opens, reads and closes a file: `openat`, `read`, `close`, once each.
    Files,
    /// One `openat2` that fails: a call that few programs make.
    Openat2,
    /// One `linkat` that fails: likewise.
    Linkat,
    /// One `setpgid` that fails.
    Setpgid,
    /// One `getppid`.
    Getppid,
    /// A child that runs a program and ends: an `execve`, a process, its end.
    Exec,
    /// A bit of all that a busy machine does: files written, renamed and removed, a child, a
    /// connection over the loopback.
    Mixed,
}

impl Kind {
    /// All, with their names.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Files, "files"),
        (Self::Openat2, "openat2"),
        (Self::Linkat, "linkat"),
        (Self::Setpgid, "setpgid"),
        (Self::Getppid, "getppid"),
        (Self::Exec, "exec"),
        (Self::Mixed, "mixed"),
    ];

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, n)| *n == name);
        found.map(|(kind, _)| *kind)
    }

    /// Turns between two looks at the clock.
    const fn batch(self) -> u64 {
        match self {
            Self::Exec | Self::Mixed => 1,
            _ => 64,
        }
    }
}

/// When to stop, and how fast to go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Stop after so many turns.
    pub turns: Option<u64>,
    /// Stop after this time.
    pub time: Option<Duration>,
    /// At most so many turns a second.
    pub rate: Option<f64>,
}

/// What was done.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// Turns.
    pub turns: u64,
    /// Time they took, pauses for the pace included.
    pub elapsed: Duration,
}

/// The place and the program that turns need.
#[derive(Debug)]
pub struct Load {
    dir: tempfile::TempDir,
    program: PathBuf,
    listener: TcpListener,
}

impl Load {
    /// Makes a folder for it, gone when the load goes.
    ///
    /// # Errors
    /// The folder or a port of the loopback cannot be had.
    pub fn new() -> std::io::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("peregrine-load-")
            .tempdir()?;
        std::fs::write(dir.path().join("file"), b"some content\n")?;
        let program = ["/bin/true", "/usr/bin/true"].iter().map(Path::new);
        let program = program.into_iter().find(|p| p.exists());
        Ok(Self {
            program: program.unwrap_or(Path::new("true")).to_owned(),
            dir,
            listener: TcpListener::bind("127.0.0.1:0")?,
        })
    }

    /// Runs another program in the turns that run one.
    #[must_use]
    pub fn with_program(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    /// Works until the pace says that it is enough.
    ///
    /// # Errors
    /// A turn failed that should have succeeded; the count would be wrong.
    pub fn work(&self, kind: Kind, pace: Pace) -> std::io::Result<Done> {
        let begun = Instant::now();
        let mut turns = 0;
        loop {
            let left = pace.turns.map_or(u64::MAX, |limit| limit - turns);
            for _ in 0..kind.batch().min(left) {
                self.turn(kind)?;
                turns += 1;
            }
            let elapsed = begun.elapsed();
            if pace.turns.is_some_and(|limit| turns >= limit)
                || pace.time.is_some_and(|limit| elapsed >= limit)
            {
                return Ok(Done { turns, elapsed });
            }
            if let Some(rate) = pace.rate {
                #[allow(clippy::cast_precision_loss, reason = "a pace")]
                let due = Duration::from_secs_f64(turns as f64 / rate);
                std::thread::sleep(due.saturating_sub(elapsed));
            }
        }
    }

    /// One turn.
    fn turn(&self, kind: Kind) -> std::io::Result<()> {
        match kind {
            Kind::Files => {
                let mut buffer = [0; 64];
                let len = File::open(self.dir.path().join("file"))?.read(&mut buffer)?;
                debug_assert!(len > 0);
            }
            Kind::Openat2 => {
                let missing = c"/no/such/file";
                let flags = OFlags::RDONLY;
                let opened =
                    rustix::fs::openat2(CWD, missing, flags, Mode::empty(), ResolveFlags::empty());
                debug_assert!(opened.is_err());
            }
            Kind::Linkat => {
                let (from, to) = (c"/no/such/file", c"/no/such/link");
                let linked = rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty());
                debug_assert!(linked.is_err());
            }
            Kind::Setpgid => {
                let (init, root) = (Some(Pid::INIT), Some(Pid::INIT));
                let moved = rustix::process::setpgid(init, root);
                debug_assert!(moved.is_err());
            }
            Kind::Getppid => {
                let _ = rustix::process::getppid();
            }
            Kind::Exec => self.child()?,
            Kind::Mixed => self.mixture()?,
        }
        Ok(())
    }

    fn child(&self) -> std::io::Result<()> {
        let mut command = Command::new(&self.program);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let status = command.status()?;
        if status.success() {
            Ok(())
        } else {
            Err(std::io::Error::other(format!(
                "the child ended by {status}"
            )))
        }
    }

    fn mixture(&self) -> std::io::Result<()> {
        let dir = self.dir.path();
        for n in 0..20 {
            let (old, new) = (dir.join(format!("old{n}")), dir.join(format!("new{n}")));
            std::fs::write(&old, b"written")?;
            std::fs::rename(&old, &new)?;
            std::fs::read(&new)?;
            std::fs::remove_file(&new)?;
        }
        std::fs::create_dir(dir.join("folder"))?;
        std::fs::read_dir(dir)?.for_each(drop);
        std::fs::remove_dir(dir.join("folder"))?;
        let client = TcpStream::connect(self.listener.local_addr()?)?;
        drop(self.listener.accept()?);
        drop(client);
        for _ in 0..200 {
            self.turn(Kind::Files)?;
        }
        self.child()
    }
}
