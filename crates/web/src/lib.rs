//! A small HTTP server, for health checks, metrics, the local page and webhooks.
//!
//! ```no_run
//! use web::{Options, Response, Router, Server};
//!
//! let mut router = Router::new();
//! router.get("/healthz", |_| Response::json(r#"{"status": "ok"}"#));
//! let server = Server::start(&Options::new(([127, 0, 0, 1], 8765).into()), router)?;
//! println!("listening on {}", server.address());
//! # Ok::<(), web::Error>(())
//! ```
//!
//! Synchronous on purpose: a handful of short requests a minute need no reactor, and a thread with a
//! deadline is easy to bound. Everything a client can stretch has a limit: the time and size of a
//! head, of a body, of an answer, the number of connections in all and from one address.
//!
//! [`server`] accepts, [`connection`] speaks HTTP/1.1 over anything that reads and writes, [`head`]
//! and [`body`] read what the client says, [`router`] finds who answers, [`tls`] is the certificate.

#![forbid(unsafe_code)]

pub mod body;
pub mod connection;
pub mod deadline;
pub mod head;
pub mod message;
pub mod router;
pub mod server;
pub mod tls;

pub use message::{Body, Method, Request, Response};
pub use router::Router;
pub use server::{Error, Limits, Options, Server};
pub use tls::Tls;
