//! Accepts connections, within bounds, and gives each a thread.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::connection::serve;
use crate::deadline::{Deadline, Timed};
use crate::router::Router;
use crate::tls::Tls;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, io::Error),
    /// A certificate file is of no use.
    #[error("certificate {}: {fault}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// No thread.
    #[error("cannot start the server's thread: {0}")]
    Thread(io::Error),
}

/// What a client may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request's head.
    pub head_size: usize,
    /// Time from the start of waiting for a request to the end of its head, TLS included.
    pub head_time: Duration,
    /// Time for a body.
    pub body_time: Duration,
    /// Time for an answer; for each piece of one that goes on.
    pub answer_time: Duration,
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one address.
    pub from_one: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_size: 16 << 10,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            answer_time: Duration::from_secs(15),
            connections: 64,
            from_one: 32,
        }
    }
}

/// Where and how a server listens.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Encryption.
    pub tls: Option<Tls>,
    /// Limits.
    pub limits: Limits,
}

impl Options {
    /// Without TLS, with the usual limits.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            tls: None,
            limits: Limits::default(),
        }
    }
}

/// A running server; dropping it ends it. Connections that are being served finish by themselves.
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens and serves.
    ///
    /// # Errors
    /// When the address is taken, a certificate is of no use, or there is no thread to be had.
    pub fn start(options: &Options, router: Router) -> Result<Self, Error> {
        let tls = options.tls.as_ref().map(Tls::load).transpose()?;
        let bound = |error| Error::Bind(options.address, error);
        let listener = TcpListener::bind(options.address).map_err(bound)?;
        listener.set_nonblocking(true).map_err(bound)?;
        let address = listener.local_addr().map_err(bound)?;
        let stop = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Shared {
            router,
            limits: options.limits.clone(),
            tls,
            open: Mutex::default(),
        });
        let thread = thread::Builder::new()
            .name("web".to_owned())
            .spawn({
                let stop = Arc::clone(&stop);
                move || accept(&listener, &shared, &stop)
            })
            .map_err(Error::Thread)?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Shared {
    router: Router,
    limits: Limits,
    tls: Option<Arc<ServerConfig>>,
    /// Connections by address.
    open: Mutex<HashMap<IpAddr, usize>>,
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, stop: &AtomicBool) {
    let moment = Timespec {
        tv_sec: 0,
        tv_nsec: 200_000_000,
    };
    while !stop.load(Ordering::Relaxed) {
        let mut ready = [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
        if !matches!(poll(&mut ready, Some(&moment)), Ok(n) if n > 0) {
            continue;
        }
        match listener.accept() {
            Ok((stream, peer)) => admit(stream, peer.ip().to_canonical(), shared),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Out of descriptors, most likely: others must end first.
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// One open connection, counted until it is dropped.
struct Admitted {
    shared: Arc<Shared>,
    peer: IpAddr,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self
            .shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

fn admit(mut stream: TcpStream, peer: IpAddr, shared: &Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    {
        let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let from_one = open.get(&peer).copied().unwrap_or(0);
        if all >= shared.limits.connections || from_one >= shared.limits.from_one {
            drop(open);
            // One attempt without waiting; whoever floods the server does not get its thread.
            let _ = stream.set_nonblocking(true);
            let _ = stream.write(
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
            return;
        }
        *open.entry(peer).or_insert(0) += 1;
    }
    let admitted = Admitted {
        shared: Arc::clone(shared),
        peer,
    };
    // Where there is no thread, the closure is dropped, and with it the count.
    let _ = thread::Builder::new()
        .name("web connection".to_owned())
        .spawn(move || {
            let shared = &admitted.shared;
            let _ = stream.set_nonblocking(false);
            let mut timed = Timed::new(stream, Instant::now() + shared.limits.head_time);
            match &shared.tls {
                None => serve(
                    &mut timed,
                    &shared.router,
                    &shared.limits,
                    Some(peer),
                    false,
                ),
                Some(config) => {
                    let Ok(connection) = ServerConnection::new(Arc::clone(config)) else {
                        return;
                    };
                    let mut stream = StreamOwned::new(connection, timed);
                    serve(
                        &mut stream,
                        &shared.router,
                        &shared.limits,
                        Some(peer),
                        true,
                    );
                    stream.end_writing();
                }
            }
        });
}
