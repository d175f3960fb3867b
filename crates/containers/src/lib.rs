//! What container runtimes and orchestrators know of containers, asked for beside the event path.
//!
//! The state sees a container's id in a control group and nothing else. This crate asks for the
//! rest: Docker and Podman over their HTTP, containerd and the Container Runtime Interface over
//! gRPC, Kubernetes' API server, Mesos and Marathon. What comes back are [`Message`]s, which become
//! records in the event stream, so that the state changes by events only and a recorded capture
//! carries what was known.
//!
//! ```no_run
//! use containers::{Containers, Settings};
//!
//! let containers = Containers::start(Settings::default())?;
//! containers.settle(std::time::Duration::from_secs(1));
//! while let Some(message) = containers.poll() {
//!     let record = message.record(1_700_000_000_000_000_000);
//!     // state.process(...)
//! #   let _ = record;
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Invariants: nothing here is ever waited for by the event path; all answers, queues and tables
//! are bounded, and what does not fit is counted ([`Counters`]); an answer is about the id that was
//! asked for or it is none.
//!
//! Modules: `worker` the thread and its queues, `places` a task for each socket, `hub` what all of
//! them know, `docker`, `cri`, `containerd` the protocols, `inspect` and `record` answers as
//! containers, `bounds` how much of them is kept, `accounts` users of containers, `kubernetes` and
//! `mesos` orchestrators, `survey` a look at who answers.

#![forbid(unsafe_code)]

mod accounts;
mod bounds;
mod client;
mod containerd;
mod counters;
mod cri;
mod docker;
mod error;
pub mod grpc;
mod http;
mod hub;
mod inspect;
mod kubernetes;
mod listing;
mod mesos;
mod message;
mod places;
pub mod settings;
mod sockets;
mod survey;
mod worker;

pub use counters::{Counters, Meter};
pub use error::Error;
pub use message::Message;
pub use settings::{Hooks, Settings, Sockets};
pub use sockets::Runtime;
pub use survey::{Surveyed, survey};
pub use worker::Containers;
