//! A crowd of processes with many descriptors, for whoever reads `/proc`.
//!
//! Each of them runs `sleep` and holds the same mixture: files, a pipe, sockets. They end with the
//! [`Crowd`], and by themselves after some minutes should nobody be left to end them.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};

/// Seconds after which they end anyway.
const LIFE: &str = "300";

/// Processes that sleep.
#[derive(Debug)]
pub struct Crowd {
    children: Vec<Child>,
    _dir: tempfile::TempDir,
}

impl Crowd {
    /// Starts `processes` processes with `descriptors` descriptors each, standard ones included.
    ///
    /// # Errors
    /// The machine has not enough of something.
    pub fn start(processes: usize, descriptors: usize) -> std::io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("crowd-").tempdir()?;
        let mut held: Vec<OwnedFd> = Vec::new();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        while held.len() + 3 < descriptors {
            let n = held.len();
            match n % 10 {
                0 => {
                    held.push(TcpStream::connect(listener.local_addr()?)?.into());
                    drop(listener.accept()?);
                }
                1 => held.push(UnixStream::pair()?.0.into()),
                2 => held.push(std::io::pipe()?.1.into()),
                _ => held.push(File::create(dir.path().join(format!("file-{n}")))?.into()),
            }
        }
        for fd in &held {
            fcntl_setfd(fd.as_fd(), FdFlags::empty())?;
        }
        let mut crowd = Self {
            children: Vec::with_capacity(processes),
            _dir: dir,
        };
        for _ in 0..processes {
            let mut sleep = Command::new("sleep");
            sleep.arg(LIFE).stdin(Stdio::null()).stdout(Stdio::null());
            crowd.children.push(sleep.spawn()?);
        }
        Ok(crowd)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}
