//! One output: what it is, and the output at work.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::channel::Channel;
use crate::channel::file::{FileChannel, FileTarget};
use crate::channel::http::{HttpChannel, HttpTarget};
use crate::channel::kafka::{KafkaChannel, KafkaTarget};
use crate::channel::nats::{NatsChannel, NatsTarget};
use crate::channel::program::{ProgramChannel, ProgramTarget};
use crate::channel::socket::{SocketChannel, SocketTarget};
use crate::channel::stream::Stream;
use crate::channel::syslog::{SyslogChannel, SyslogTarget};
use crate::courier::{Courier, Course, Retry};
use crate::pulse::{Counts, Pulse};
use crate::queue::{Listener, Policy, Queue};
use crate::route::Filter;
use crate::spool::{self, SpoolOptions, SpoolReport};

/// An output as configured. Two that are equal are the same output to a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// What it goes by in messages and metrics; unique.
    pub name: String,
    /// Where to.
    pub target: Target,
    /// What it takes.
    pub filter: Filter,
    /// When it tries again.
    pub retry: Retry,
    /// Where what is not delivered yet is kept.
    pub spool: Option<SpoolOptions>,
}

/// Where an output delivers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output, with colours or without.
    Stdout(bool),
    /// Standard error, likewise.
    Stderr(bool),
    /// A file.
    File(FileTarget),
    /// A shell command.
    Program(ProgramTarget),
    /// The machine's syslog, or one elsewhere.
    Syslog(SyslogTarget),
    /// A web server.
    Http(HttpTarget),
    /// A Unix socket.
    Socket(SocketTarget),
    /// A NATS server.
    Nats(NatsTarget),
    /// A cluster that speaks Kafka's protocol.
    Kafka(KafkaTarget),
}

impl Target {
    /// Opens it, as far as that can be done before the first message: certificates are read,
    /// addresses understood.
    ///
    /// # Errors
    /// What of it is of no use.
    pub fn open(&self, name: &str) -> io::Result<Box<dyn Channel>> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("output {name}: {error}"));
        Ok(match self {
            Self::Stdout(colour) => Box::new(Stream::stdout(*colour)),
            Self::Stderr(colour) => Box::new(Stream::stderr(*colour)),
            Self::File(target) => Box::new(FileChannel::new(target.clone())),
            Self::Program(target) => Box::new(ProgramChannel::new(target.clone())),
            Self::Syslog(target) => Box::new(SyslogChannel::open(target).map_err(named)?),
            Self::Http(target) => Box::new(HttpChannel::open(target).map_err(named)?),
            Self::Socket(target) => Box::new(SocketChannel::new(target.clone())),
            Self::Nats(target) => Box::new(NatsChannel::open(target).map_err(named)?),
            Self::Kafka(target) => Box::new(KafkaChannel::open(target).map_err(named)?),
        })
    }
}

/// How an output is doing.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Messages that wait in memory.
    pub waiting: usize,
    /// Messages that a full queue dropped.
    pub dropped: u64,
    /// What happened to those that left the queue; with a spool, to those that left the spool.
    pub counts: Counts,
    /// How long one delivery has been going on.
    pub busy: Option<Duration>,
    /// How long every attempt has failed.
    pub failing: Option<Duration>,
    /// What the last failed attempt said.
    pub error: Option<String>,
    /// Its spool.
    pub spool: Option<SpoolReport>,
}

/// An output at work.
pub(crate) struct Running {
    pub(crate) name: Arc<str>,
    pub(crate) output: Output,
    policy: Policy,
    pub(crate) queue: Queue,
    /// Of the deliveries to the receiver.
    pub(crate) pulse: Arc<Pulse>,
    spool: Option<Arc<spool::Shared>>,
}

impl Running {
    pub(crate) fn start(
        output: &Output,
        channel: Box<dyn Channel>,
        policy: Policy,
        listener: &Listener,
    ) -> io::Result<Self> {
        let name: Arc<str> = output.name.as_str().into();
        let course = Arc::new(Course::default());
        let pulse = Arc::new(Pulse::default());
        let courier = Courier {
            name: Arc::clone(&name),
            channel,
            retry: output.retry.clone(),
            kept: output.spool.is_some(),
            course: Arc::clone(&course),
            pulse: Arc::clone(&pulse),
            listener: Arc::clone(listener),
            dead: None,
            given_up: false,
            told: None,
        };
        let (courier, spool) = match &output.spool {
            None => (courier, None),
            Some(options) => {
                let (channel, shared) = spool::start(options, courier)?;
                let courier = Courier {
                    name: Arc::clone(&name),
                    channel,
                    // A full disk passes; meanwhile the queue takes what comes.
                    retry: Retry::default(),
                    kept: false,
                    course,
                    pulse: Arc::default(),
                    listener: Arc::clone(listener),
                    dead: None,
                    given_up: false,
                    told: None,
                };
                (courier, Some(shared))
            }
        };
        let queue = Queue::start(courier, policy)?;
        Ok(Self {
            name,
            output: output.clone(),
            policy,
            queue,
            pulse,
            spool,
        })
    }

    /// Whether it is this output already.
    pub(crate) fn is(&self, output: &Output, policy: Policy) -> bool {
        self.output == *output && self.policy == policy
    }

    pub(crate) fn has_spool(&self) -> bool {
        self.spool.is_some()
    }

    pub(crate) fn report(&self) -> Report {
        Report {
            name: self.output.name.clone(),
            waiting: self.queue.waiting(),
            dropped: self.queue.dropped(),
            counts: self.pulse.counts(),
            busy: self.pulse.busy(),
            failing: self
                .pulse
                .failing()
                .or_else(|| self.queue.pulse().failing()),
            error: self
                .pulse
                .last_error()
                .or_else(|| self.queue.pulse().last_error()),
            spool: self.spool.as_ref().map(|shared| shared.report()),
        }
    }
}
