//! Settings of where alerts go: Falco's five sections, and any number of further outputs of the same
//! shape under `extra_outputs`.

use rules::Priority;

use crate::read::Reader;
use crate::scalar::{milliseconds, whole};
use crate::tree::Node;

/// One output that is enabled.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// What it goes by; unique.
    pub name: String,
    /// Where to.
    pub target: DeliveryTarget,
    /// Least urgent priority that is taken.
    pub priority: Priority,
    /// Only rules with one of these tags; empty: all.
    pub tags: Vec<String>,
    /// Only these sources; empty: all.
    pub sources: Vec<String>,
    /// Only rules whose names fit one of these; empty: all.
    pub rules: Vec<String>,
    /// Milliseconds before the second attempt.
    pub retry_initial: u64,
    /// Milliseconds between attempts at most.
    pub retry_longest: u64,
    /// Milliseconds after which what waits is given up; `None`: not said.
    pub retry_give_up: Option<u64>,
    /// Milliseconds a delivery may take; `None`: not said.
    pub timeout: Option<u64>,
    /// What is not delivered yet is kept on disk.
    pub spool: Option<Spool>,
}

/// Where an output delivers to.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub enum DeliveryTarget {
    Stdout,
    Stderr,
    File(FileOutput),
    Syslog(SyslogOutput),
    /// A shell command; whether one run takes all messages.
    Program {
        program: String,
        keep_alive: bool,
    },
    Http(Box<HttpOutput>),
    Socket {
        path: String,
        datagram: bool,
    },
    Nats(Box<NatsOutput>),
    Kafka(Box<KafkaOutput>),
}

/// Keys of `file_output`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct FileOutput {
    pub filename: String,
    pub keep_alive: bool,
    pub rotate_size_mb: u64,
    /// Milliseconds.
    pub rotate_every: u64,
    pub rotate_keep: u32,
}

/// Keys of `syslog_output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogOutput {
    /// `unix:///dev/log`, `udp://host:514`, `tcp://host:601`, `tls://host:6514`, `relp://host:2514`
    /// or `relps://host:2514`.
    pub address: String,
    /// RFC 5424 instead of 3164.
    pub rfc5424: bool,
    /// Streams: each message is preceded by its length.
    pub counted: bool,
    /// 0 to 23.
    pub facility: u8,
    /// For `tls://` and `relps://`.
    pub tls: TlsKeys,
}

/// Keys of trust and identity, by the names of `http_output`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct TlsKeys {
    pub insecure: bool,
    pub ca_cert: String,
    pub ca_bundle: String,
    pub ca_path: String,
    pub mtls: bool,
    pub client_cert: String,
    pub client_key: String,
}

/// Keys of `http_output`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct HttpOutput {
    pub url: String,
    pub user_agent: String,
    pub tls: TlsKeys,
    pub echo: bool,
    pub compress_uploads: bool,
    /// `compression: gzip`
    pub gzip: bool,
    pub keep_alive: bool,
    pub max_consecutive_timeouts: u8,
    pub headers: Vec<(String, String)>,
    /// `format: otlp`
    pub otlp: bool,
}

/// Keys of a NATS output.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct NatsOutput {
    pub address: String,
    pub subject: String,
    /// User and password; a token under the empty user.
    pub login: Option<(String, String)>,
    pub jetstream: bool,
    /// `tls: true`
    pub tls: Option<TlsKeys>,
}

/// Keys of a Kafka output.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct KafkaOutput {
    pub brokers: Vec<String>,
    pub topic: String,
    /// User and password.
    pub login: Option<(String, String)>,
    pub sasl: Sasl,
    /// `compression: gzip`
    pub gzip: bool,
    /// `tls: true`
    pub tls: Option<TlsKeys>,
}

/// Key `sasl` of a Kafka output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the values")]
pub enum Sasl {
    Plain,
    ScramSha256,
    ScramSha512,
}

/// Key `spool`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct Spool {
    pub path: String,
    pub max_size_mb: u64,
    /// `when_full: drop_oldest`
    pub drop_oldest: bool,
    pub sync: SpoolSync,
}

/// Key `spool.sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the values")]
pub enum SpoolSync {
    Never,
    Second,
    Always,
}

/// Sections of Falco with the names of their outputs, in the order of delivery.
const SECTIONS: [(&str, &str); 5] = [
    ("file_output", "file"),
    ("stdout_output", "stdout"),
    ("syslog_output", "syslog"),
    ("program_output", "program"),
    ("http_output", "http"),
];

/// A section or an item, and what leads to it.
struct Section<'a> {
    node: &'a Node,
    key: String,
}

pub(super) fn deliveries(tree: &Node, reader: &mut Reader) -> Vec<Delivery> {
    let mut all: Vec<Delivery> = Vec::new();
    for (key, kind) in SECTIONS {
        let Some(node) = tree.get(key) else { continue };
        if reader.truth(node, "enabled", false) {
            let section = Section {
                node,
                key: key.to_owned(),
            };
            all.extend(section.delivery(kind, kind.to_owned(), reader));
        }
    }
    for (n, node) in reader.sequence(tree, "extra_outputs").iter().enumerate() {
        if !reader.truth(node, "enabled", true) {
            continue;
        }
        let section = Section {
            node,
            key: format!("extra_outputs[{n}]"),
        };
        let kind = reader.text(node, "type", "");
        let name = reader.text(node, "name", &format!("{kind}-{}", n + 1));
        if all.iter().any(|other| other.name == name) {
            let message = format!("two outputs are called '{name}'");
            section.fatal(
                reader,
                "name",
                message,
                "names tell them apart in messages and metrics",
            );
        }
        all.extend(section.delivery(&kind, name, reader));
    }
    all
}

impl Section<'_> {
    fn fatal(&self, reader: &mut Reader, key: &str, message: String, help: &str) {
        let at = self
            .node
            .path(key)
            .and_then(|node| node.at)
            .or(self.node.at);
        reader.fatal_at(at, &format!("{}.{key}", self.key), message, help);
    }

    /// A text that must not be empty.
    fn needed(&self, key: &str, reader: &mut Reader) -> String {
        let text = reader.text(self.node, key, "");
        if text.is_empty() {
            let path = format!("{}.{key}", self.key);
            let message = format!("{} is enabled but {path} is empty", self.key);
            self.fatal(
                reader,
                key,
                message,
                &format!("set {path} or disable the output"),
            );
        }
        text
    }

    /// One of some words; the first is the default.
    fn word(&self, key: &str, words: &[&str], reader: &mut Reader) -> usize {
        let text = reader.text(self.node, key, words[0]);
        words
            .iter()
            .position(|word| *word == text)
            .unwrap_or_else(|| {
                let message = format!("{}.{key} '{text}' does not exist", self.key);
                self.fatal(
                    reader,
                    key,
                    message,
                    &format!("it is one of {}", words.join(", ")),
                );
                0
            })
    }

    /// Milliseconds: a span such as `10s`, or a number of them.
    fn time(&self, key: &str, reader: &mut Reader) -> Option<u64> {
        let text = self.node.path(key).and_then(Node::text)?;
        let time = whole(text)
            .and_then(|n| u64::try_from(n).ok())
            .or_else(|| milliseconds(text));
        if time.is_none() {
            let message = format!("{}.{key} '{text}' is no span of time", self.key);
            self.fatal(reader, key, message, "write it like 500ms, 10s or 1h30m");
        }
        time
    }

    fn delivery(&self, kind: &str, name: String, reader: &mut Reader) -> Option<Delivery> {
        let target = self.target(kind, reader)?;
        let node = self.node;
        Some(Delivery {
            target,
            priority: match node.path("filter.priority").and_then(Node::text) {
                None => Priority::Debug,
                Some(text) => Priority::parse(text).unwrap_or_else(|| {
                    let message = format!("priority '{text}' does not exist");
                    self.fatal(reader, "filter.priority", message, "");
                    Priority::Debug
                }),
            },
            tags: reader.texts(node.path("filter.tags")),
            sources: reader.texts(node.path("filter.sources")),
            rules: reader.texts(node.path("filter.rules")),
            retry_initial: self.time("retry.initial", reader).unwrap_or(200).max(1),
            retry_longest: self.time("retry.longest", reader).unwrap_or(10_000).max(1),
            retry_give_up: self.time("retry.give_up", reader),
            timeout: self.time("timeout", reader),
            spool: self.spool(&name, reader),
            name,
        })
    }

    fn target(&self, kind: &str, reader: &mut Reader) -> Option<DeliveryTarget> {
        let node = self.node;
        // Compared as text: `yes` does not keep anything alive.
        let keep_alive = node.get("keep_alive").and_then(Node::text) == Some("true");
        Some(match kind {
            "stdout" => DeliveryTarget::Stdout,
            "stderr" => DeliveryTarget::Stderr,
            "file" => DeliveryTarget::File(FileOutput {
                filename: self.needed("filename", reader),
                keep_alive,
                rotate_size_mb: reader.number(node, "rotate_size_mb", 0),
                rotate_every: self.time("rotate_every", reader).unwrap_or(0),
                rotate_keep: reader.number(node, "rotate_keep", 5),
            }),
            "program" => DeliveryTarget::Program {
                program: self.needed("program", reader),
                keep_alive,
            },
            "syslog" => DeliveryTarget::Syslog(self.syslog(reader)),
            "http" => DeliveryTarget::Http(Box::new(self.http(reader))),
            "socket" => DeliveryTarget::Socket {
                path: self.needed("path", reader),
                datagram: self.word("mode", &["stream", "datagram"], reader) == 1,
            },
            "nats" => DeliveryTarget::Nats(Box::new(self.nats(reader))),
            "kafka" => DeliveryTarget::Kafka(Box::new(self.kafka(reader))),
            other => {
                let message = format!("output type '{other}' does not exist");
                let help = "the types are stdout, stderr, file, syslog, program, http, socket, nats \
                            and kafka";
                self.fatal(reader, "type", message, help);
                return None;
            }
        })
    }

    fn tls(&self, reader: &mut Reader) -> TlsKeys {
        let node = self.node;
        TlsKeys {
            insecure: reader.truth(node, "insecure", false),
            ca_cert: reader.text(node, "ca_cert", ""),
            ca_bundle: reader.text(node, "ca_bundle", ""),
            ca_path: reader.text(node, "ca_path", "/etc/ssl/certs"),
            mtls: reader.truth(node, "mtls", false),
            client_cert: reader.text(node, "client_cert", "/etc/ssl/certs/client.crt"),
            client_key: reader.text(node, "client_key", "/etc/ssl/certs/client.key"),
        }
    }

    fn http(&self, reader: &mut Reader) -> HttpOutput {
        let node = self.node;
        let url = self.needed("url", reader);
        HttpOutput {
            url: url.trim_matches(|c| c == '"' || c == '\'').to_owned(),
            user_agent: reader.text(node, "user_agent", "falcosecurity/falco"),
            tls: self.tls(reader),
            echo: reader.truth(node, "echo", false),
            compress_uploads: reader.truth(node, "compress_uploads", false),
            gzip: self.word("compression", &["none", "gzip"], reader) == 1,
            keep_alive: reader.truth(node, "keep_alive", false),
            max_consecutive_timeouts: reader.number(node, "max_consecutive_timeouts", 5),
            headers: reader.pairs(node.get("headers")),
            otlp: self.word("format", &["falco", "otlp"], reader) == 1,
        }
    }

    fn syslog(&self, reader: &mut Reader) -> SyslogOutput {
        const FACILITIES: [&str; 24] = [
            "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
            "authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2",
            "local3", "local4", "local5", "local6", "local7",
        ];
        let address = reader.text(self.node, "address", "unix:///dev/log");
        let scheme = address.split_once("://");
        let good = scheme.is_some_and(|(scheme, rest)| match scheme {
            "unix" => rest.starts_with('/'),
            "udp" | "tcp" | "tls" | "relp" | "relps" => rest
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()),
            _ => false,
        });
        if !good {
            let message = format!("'{address}' is no address of a syslog daemon");
            let help =
                "write unix:///PATH, or one of udp, tcp, tls, relp and relps with ://HOST:PORT";
            self.fatal(reader, "address", message, help);
        }
        let facility = reader.text(self.node, "facility", "user");
        let number = FACILITIES
            .iter()
            .position(|name| *name == facility)
            .unwrap_or_else(|| {
                let message = format!("syslog facility '{facility}' does not exist");
                self.fatal(
                    reader,
                    "facility",
                    message,
                    "user, daemon, authpriv, local0 and so on",
                );
                1
            });
        // RFC 5425 knows no other way over TLS; in the clear most daemons want lines.
        let framings = if address.starts_with("tls://") {
            ["octet_count", "newline"]
        } else {
            ["newline", "octet_count"]
        };
        let framing = framings[self.word("framing", &framings, reader)];
        SyslogOutput {
            address,
            rfc5424: self.word("format", &["rfc3164", "rfc5424"], reader) == 1,
            counted: framing == "octet_count",
            facility: u8::try_from(number).unwrap_or(1),
            tls: self.tls(reader),
        }
    }

    fn nats(&self, reader: &mut Reader) -> NatsOutput {
        let node = self.node;
        let user = reader.text(node, "user", "");
        let secret = if user.is_empty() { "token" } else { "password" };
        let secret = reader.text(node, secret, "");
        let address = self.needed("address", reader);
        NatsOutput {
            address: address
                .trim_start_matches("nats://")
                .trim_start_matches("tls://")
                .to_owned(),
            subject: reader.text(node, "subject", "falco.alerts"),
            login: (!user.is_empty() || !secret.is_empty()).then_some((user, secret)),
            jetstream: reader.truth(node, "jetstream", false),
            tls: (reader.truth(node, "tls", false) || address.starts_with("tls://"))
                .then(|| self.tls(reader)),
        }
    }

    fn kafka(&self, reader: &mut Reader) -> KafkaOutput {
        let node = self.node;
        let brokers = reader.texts(node.get("brokers"));
        if brokers.is_empty() {
            let message = format!("{}.brokers names no broker", self.key);
            self.fatal(reader, "brokers", message, "write [HOST:PORT, ...]");
        }
        let user = reader.text(node, "user", "");
        let sasl = ["plain", "scram-sha-256", "scram-sha-512"];
        KafkaOutput {
            brokers,
            topic: reader.text(node, "topic", "falco.alerts"),
            login: (!user.is_empty()).then(|| (user, reader.text(node, "password", ""))),
            sasl: [Sasl::Plain, Sasl::ScramSha256, Sasl::ScramSha512]
                [self.word("sasl", &sasl, reader)],
            gzip: self.word("compression", &["none", "gzip"], reader) == 1,
            tls: reader.truth(node, "tls", false).then(|| self.tls(reader)),
        }
    }

    fn spool(&self, name: &str, reader: &mut Reader) -> Option<Spool> {
        let spool = self
            .node
            .get("spool")
            .filter(|node| node.entries().is_some())?;
        if !reader.truth(spool, "enabled", true) {
            return None;
        }
        let section = Section {
            node: spool,
            key: format!("{}.spool", self.key),
        };
        let max_size_mb = reader.number(spool, "max_size_mb", 256);
        if max_size_mb == 0 {
            let message = "a spool of no size keeps nothing".to_owned();
            section.fatal(reader, "max_size_mb", message, "");
        }
        let sync = ["second", "never", "always"];
        let sync = [SpoolSync::Second, SpoolSync::Never, SpoolSync::Always]
            [section.word("sync", &sync, reader)];
        let place = format!("/var/lib/peregrine/spool/{name}");
        Some(Spool {
            path: reader.text(spool, "path", &place),
            max_size_mb,
            drop_oldest: section.word("when_full", &["drop_newest", "drop_oldest"], reader) == 1,
            sync,
        })
    }
}
