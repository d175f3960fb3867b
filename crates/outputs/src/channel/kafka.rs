//! A cluster that speaks Kafka's protocol: each message becomes a record of a topic.
//!
//! ```text
//! any of `brokers`  ── Metadata ──►  which broker leads the partition of this machine
//! that broker       ── Produce ───►  records; all replicas in step have them before it answers
//! ```
//!
//! All alerts of a machine go to one partition, found by its name as librdkafka does it for a key: they
//! stay in order, and thousands of machines spread. A record has that name as its key. Only what the
//! leader acknowledged counts as delivered; a leader that moved is looked for again. An answer that
//! is lost with its connection means that records are sent twice.
//!
//! The versions that are spoken (Metadata 1, Produce 3, `SaslHandshake` 1, `SaslAuthenticate` 0) are known to
//! every broker since Kafka 1.0, 4.x included.

mod protocol;
mod records;
mod sasl;

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ClientConfig;

use crate::channel::wire::{Wire, connect};
use crate::channel::{Channel, Failure, Progress, about, fault, trouble};
use crate::message::Batch;
use crate::tls::TlsOptions;
use protocol::{Link, code, metadata, produce};
pub use sasl::{Login, Mechanism};

/// Most records in one request.
const STRIDE: usize = 512;
/// Most bytes in one request, unless a single record is larger. Brokers take a million unless they are told.
const MAX_BYTES: usize = 512 << 10;

/// Which cluster, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaTarget {
    /// `host:port` of some brokers; they know the others.
    pub brokers: Vec<String>,
    /// Where records go.
    pub topic: String,
    /// Key of all records: the machine's name.
    pub key: String,
    /// Records are compressed with gzip.
    pub gzip: bool,
    /// Who we are.
    pub login: Option<Login>,
    /// Encryption.
    pub tls: Option<TlsOptions>,
    /// For connecting and for each answer.
    pub timeout: Duration,
}

struct Leader {
    link: Link,
    partition: i32,
}

/// The channel.
pub struct KafkaChannel {
    target: KafkaTarget,
    tls: Option<Arc<ClientConfig>>,
    leader: Option<Leader>,
    /// Which of the brokers is asked first.
    first: usize,
}

impl KafkaChannel {
    /// A channel to a cluster.
    ///
    /// # Errors
    /// When the topic is none, no broker is named, or a certificate is of no use.
    pub fn open(target: &KafkaTarget) -> io::Result<Self> {
        let topic = &target.topic;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if topic.is_empty() || topic.len() > 249 || !topic.chars().all(plain) {
            return Err(fault(format!("'{topic}' is no name of a topic")));
        }
        if target.brokers.is_empty() {
            return Err(fault("no broker is named"));
        }
        for broker in &target.brokers {
            let port = broker.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(_))) {
                return Err(fault(format!("'{broker}' is no HOST:PORT")));
            }
        }
        Ok(Self {
            tls: TlsOptions::of(target.tls.as_ref())?,
            target: target.clone(),
            leader: None,
            first: 0,
        })
    }

    fn connect(&self, address: &str) -> io::Result<Link> {
        let tcp = connect(address, self.target.timeout)?;
        let wire = match &self.tls {
            None => Wire::Tcp(tcp),
            Some(config) => Wire::tls(tcp, address, config)?,
        };
        let mut link = Link::new(wire, address);
        if let Some(login) = &self.target.login {
            sasl::log_in(&mut link, login)?;
        }
        Ok(link)
    }

    /// Asks the brokers, beginning with the one that answered last.
    fn find_leader(&mut self) -> Result<Leader, Failure> {
        let count = self.target.brokers.len();
        let mut last = Failure::Again(fault("no broker is named"));
        for step in 0..count {
            let number = (self.first + step) % count;
            let broker = self.target.brokers[number].clone();
            match self.ask(&broker) {
                Ok(leader) => {
                    self.first = number;
                    return Ok(leader);
                }
                Err(error) => last = trouble(&broker, &error),
            }
        }
        Err(last)
    }

    fn ask(&self, broker: &str) -> io::Result<Leader> {
        let mut link = self.connect(broker)?;
        let topic = metadata(&mut link, &self.target.topic)?;
        let partitions = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
        if topic.error != code::NONE || partitions == 0 {
            let what = code::text(topic.error);
            return Err(fault(format!("topic {}: {what}", self.target.topic)));
        }
        let number = crc32fast::hash(self.target.key.as_bytes()) % partitions;
        let partition = i32::try_from(number).map_err(io::Error::other)?;
        let address = topic.leader(partition).ok_or_else(|| {
            let name = &self.target.topic;
            fault(format!(
                "topic {name}: partition {partition} has no leader now"
            ))
        })?;
        let link = if address == broker {
            link
        } else {
            self.connect(&address)
                .map_err(|error| about(&address, &error))?
        };
        Ok(Leader { link, partition })
    }

    fn attempt(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let mut most = STRIDE;
        while progress.done() < batch.len() {
            let mut leader = match self.leader.take() {
                Some(leader) => leader,
                None => self.find_leader()?,
            };
            let mut size = 0;
            let texts: Vec<&[u8]> = batch
                .messages()
                .skip(progress.done())
                .take(most)
                .map(|message| message.line)
                .take_while(|line| {
                    let first = size == 0;
                    size += line.len().max(1);
                    first || size <= MAX_BYTES
                })
                .collect();
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
            let target = &self.target;
            let records = records::encode(&texts, target.key.as_bytes(), now, target.gzip);
            let address = leader.link.address.clone();
            let failure = |error: io::Error| trouble(&address, &error);
            let place = (target.topic.as_str(), leader.partition);
            let answer =
                produce(&mut leader.link, place, &records, target.timeout).map_err(failure)?;
            let told = || {
                fault(format!(
                    "{address}: topic {}: {}",
                    place.0,
                    code::text(answer)
                ))
            };
            match answer {
                code::NONE => progress.delivered(texts.len()),
                code::MESSAGE_TOO_LARGE | code::RECORD_LIST_TOO_LARGE if texts.len() > 1 => {
                    most = texts.len() / 2;
                }
                code::MESSAGE_TOO_LARGE | code::RECORD_LIST_TOO_LARGE | code::INVALID_RECORD => {
                    self.leader = Some(leader);
                    return Err(Failure::Refused(told()));
                }
                // A leader that moved, replicas that are missing, rights that are not given yet: all of
                // it is the cluster's, not the message's.
                _ => return Err(Failure::Again(told())),
            }
            self.leader = Some(leader);
        }
        Ok(())
    }
}

impl Channel for KafkaChannel {
    fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        // On any failure but a refusal the leader is not put back: it is looked for again.
        self.attempt(batch, progress)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.leader = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_target_is_told_at_once() {
        let good = KafkaTarget {
            brokers: vec!["a:9092".to_owned()],
            topic: "falco.alerts".to_owned(),
            key: "node".to_owned(),
            gzip: false,
            login: None,
            tls: None,
            timeout: Duration::from_secs(1),
        };
        assert!(KafkaChannel::open(&good).is_ok());
        let topic = |topic: &str| KafkaTarget {
            topic: topic.to_owned(),
            ..good.clone()
        };
        let brokers = |list: &[&str]| KafkaTarget {
            brokers: list.iter().map(|&broker| broker.to_owned()).collect(),
            ..good.clone()
        };
        for bad in [
            topic(""),
            topic("a b"),
            brokers(&[]),
            brokers(&["a:9092", "b"]),
            brokers(&["b:port"]),
        ] {
            assert!(KafkaChannel::open(&bad).is_err(), "{bad:?}");
        }
    }
}
