//! The outputs that a configuration asks for.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use config::Settings;
use config::settings::{
    Delivery, DeliveryTarget, HttpOutput, KafkaOutput, Sasl, SpoolSync, SyslogOutput, TlsKeys,
};
use filter::render::Buffers;
use outputs::SpoolOptions;
use outputs::channel::file::FileTarget;
use outputs::channel::http::HttpTarget;
use outputs::channel::kafka::{KafkaTarget, Login, Mechanism};
use outputs::channel::nats::NatsTarget;
use outputs::channel::program::ProgramTarget;
use outputs::channel::rotation::Rotation;
use outputs::channel::socket::SocketTarget;
use outputs::channel::syslog::{Form as SyslogForm, Place, SyslogTarget};
use outputs::spool::{Sync, WhenFull};
use outputs::tls::TlsOptions;
use outputs::{Filter, Form, Listener, Notice, Output, Outputs, Overflow, Policy, Retry, Target};
use rules::Priority;

use crate::{log, terminal};

/// What alerts look like.
pub(crate) fn form(settings: &Settings, hostname: Vec<u8>) -> Form {
    let outputs = &settings.outputs;
    Form {
        iso8601: outputs.time_format_iso_8601,
        json: outputs.json_output,
        include_output: outputs.json_include_output,
        include_message: outputs.json_include_message,
        include_fields: outputs.json_include_output_fields,
        include_tags: outputs.json_include_tags,
        hostname,
        buffers: if settings.buffer_format_base64 {
            Buffers::Base64
        } else {
            Buffers::Text
        },
    }
}

/// Starts them, in the order in which messages reach them.
///
/// # Errors
/// When a certificate or a spool is of no use, or a worker cannot be started.
pub(crate) fn start(settings: &Settings, hostname: &[u8], live: bool) -> io::Result<Outputs> {
    let mut outputs = Outputs::default();
    replace(&mut outputs, settings, hostname, live)?;
    Ok(outputs)
}

/// Goes over to the outputs that `settings` ask for; those that are unchanged go on.
///
/// # Errors
/// As [`start`]; then everything goes on as before.
pub(crate) fn replace(
    outputs: &mut Outputs,
    settings: &Settings,
    hostname: &[u8],
    live: bool,
) -> io::Result<()> {
    let wanted = &settings.outputs;
    let policy = Policy {
        overflow: if live {
            Overflow::Drop(wanted.queue_capacity)
        } else {
            // A capture has time: nothing is dropped for a slow reader.
            Overflow::Wait
        },
        linger: match (wanted.buffered, live) {
            (true, _) => Duration::from_millis(100),
            // Somebody may wait for the alert; a burst gathers while the first is written.
            (false, true) => Duration::ZERO,
            (false, false) => Duration::from_millis(1),
        },
    };
    let hostname = String::from_utf8_lossy(hostname);
    let list: Vec<Output> = wanted
        .deliveries
        .iter()
        .map(|delivery| output(delivery, settings, &hostname, live))
        .collect();
    let timeout = Duration::from_millis(wanted.timeout);
    outputs.replace(&list, policy, timeout, &listener())
}

fn listener() -> Listener {
    Arc::new(|notice| match notice {
        Notice::Failed(name, error) => log::error(&format!("output {name}: {error}")),
        Notice::GivenUp(name, count) => {
            log::error(&format!("output {name}: {count} messages are given up"));
        }
        Notice::Full(name, count) => log::error(&format!(
            "Outputs queue out of memory. Drop event and continue on: output {name} has dropped \
             {count} so far"
        )),
        Notice::Slow(name) => log::log(
            Priority::Critical,
            &format!("\"{name}\" output timeout; the other output channels go on"),
        ),
        Notice::Spool(name, text) => log::error(&format!("spool of output {name}: {text}")),
    })
}

fn output(delivery: &Delivery, settings: &Settings, hostname: &str, live: bool) -> Output {
    let timeout =
        Duration::from_millis(delivery.timeout.unwrap_or(settings.outputs.timeout).max(1));
    let timeouts = match &delivery.target {
        DeliveryTarget::Http(http) => u32::from(http.max_consecutive_timeouts),
        _ => 0,
    };
    let give_up = match delivery.retry_give_up {
        Some(0) => None,
        Some(ms) => Some(Duration::from_millis(ms)),
        // A running machine has a queue for that; a replay would wait for ever.
        None => (!live).then(|| Duration::from_millis(settings.outputs.timeout)),
    };
    Output {
        name: delivery.name.clone(),
        target: target(delivery, settings, hostname, timeout),
        filter: Filter {
            priority: delivery.priority,
            tags: delivery.tags.clone(),
            sources: delivery.sources.clone(),
            rules: delivery.rules.clone(),
        },
        retry: Retry {
            initial: Duration::from_millis(delivery.retry_initial),
            longest: Duration::from_millis(delivery.retry_longest),
            give_up,
            timeouts,
        },
        spool: delivery.spool.as_ref().map(|spool| SpoolOptions {
            directory: PathBuf::from(&spool.path),
            max_bytes: spool.max_size_mb.saturating_mul(1 << 20),
            when_full: if spool.drop_oldest {
                WhenFull::DropOldest
            } else {
                WhenFull::DropNewest
            },
            sync: match spool.sync {
                SpoolSync::Never => Sync::Never,
                SpoolSync::Second => Sync::Second,
                SpoolSync::Always => Sync::Always,
            },
        }),
    }
}

fn target(delivery: &Delivery, settings: &Settings, hostname: &str, timeout: Duration) -> Target {
    match &delivery.target {
        DeliveryTarget::Stdout => {
            Target::Stdout(terminal::colour_stdout() && !settings.outputs.json_output)
        }
        DeliveryTarget::Stderr => {
            Target::Stderr(terminal::colour_stderr() && !settings.outputs.json_output)
        }
        DeliveryTarget::File(file) => Target::File(FileTarget {
            path: PathBuf::from(&file.filename),
            keep_alive: file.keep_alive,
            rotation: Rotation {
                size: file.rotate_size_mb.saturating_mul(1 << 20),
                every: Duration::from_millis(file.rotate_every),
                keep: file.rotate_keep,
            },
        }),
        DeliveryTarget::Syslog(syslog) => Target::Syslog(syslog_target(syslog, hostname, timeout)),
        DeliveryTarget::Program {
            program,
            keep_alive,
        } => Target::Program(ProgramTarget {
            command: program.clone(),
            keep_alive: *keep_alive,
            // A command may take its time, unless something else was said.
            timeout: delivery.timeout.map(|_| timeout),
        }),
        DeliveryTarget::Http(http) => Target::Http(http_target(http, settings, hostname, timeout)),
        DeliveryTarget::Socket { path, datagram } => Target::Socket(SocketTarget {
            path: PathBuf::from(path),
            datagram: *datagram,
            timeout,
        }),
        DeliveryTarget::Nats(nats) => Target::Nats(NatsTarget {
            address: nats.address.clone(),
            subject: nats.subject.clone(),
            login: nats.login.clone(),
            jetstream: nats.jetstream,
            tls: nats.tls.as_ref().map(tls),
            timeout,
        }),
        DeliveryTarget::Kafka(kafka) => Target::Kafka(kafka_target(kafka, hostname, timeout)),
    }
}

fn kafka_target(kafka: &KafkaOutput, hostname: &str, timeout: Duration) -> KafkaTarget {
    let mechanism = match kafka.sasl {
        Sasl::Plain => Mechanism::Plain,
        Sasl::ScramSha256 => Mechanism::ScramSha256,
        Sasl::ScramSha512 => Mechanism::ScramSha512,
    };
    KafkaTarget {
        brokers: kafka.brokers.clone(),
        topic: kafka.topic.clone(),
        key: hostname.to_owned(),
        gzip: kafka.gzip,
        login: kafka.login.clone().map(|(user, password)| Login {
            mechanism,
            user,
            password,
        }),
        tls: kafka.tls.as_ref().map(tls),
        timeout,
    }
}

fn syslog_target(syslog: &SyslogOutput, hostname: &str, timeout: Duration) -> SyslogTarget {
    let (scheme, rest) = syslog
        .address
        .split_once("://")
        .unwrap_or(("unix", "/dev/log"));
    let rest = rest.to_owned();
    SyslogTarget {
        place: match scheme {
            "udp" => Place::Udp(rest),
            "tcp" => Place::Tcp(rest),
            "tls" => Place::Tls(rest, Box::new(tls(&syslog.tls))),
            "relp" => Place::Relp(rest, None),
            "relps" => Place::Relp(rest, Some(Box::new(tls(&syslog.tls)))),
            _ => Place::Local(PathBuf::from(rest)),
        },
        form: if syslog.rfc5424 {
            SyslogForm::Rfc5424
        } else {
            SyslogForm::Rfc3164
        },
        counted: syslog.counted,
        facility: syslog.facility,
        hostname: hostname.to_owned(),
        timeout,
        ..SyslogTarget::local(log::ident())
    }
}

fn http_target(
    http: &HttpOutput,
    settings: &Settings,
    hostname: &str,
    timeout: Duration,
) -> HttpTarget {
    let json = settings.outputs.json_output || http.otlp;
    HttpTarget {
        url: http.url.clone(),
        content_type: if json {
            "application/json"
        } else {
            "text/plain"
        }
        .to_owned(),
        otlp: http.otlp.then(|| hostname.to_owned()),
        user_agent: http.user_agent.clone(),
        headers: http.headers.clone(),
        tls: tls(&http.tls),
        gzip: http.gzip,
        compressed_transfer: http.compress_uploads,
        keep_alive: http.keep_alive,
        echo: http.echo,
        timeout,
    }
}

fn tls(keys: &TlsKeys) -> TlsOptions {
    let path = |text: &String| (!text.is_empty()).then(|| PathBuf::from(text));
    TlsOptions {
        insecure: keys.insecure,
        ca_cert: path(&keys.ca_cert),
        ca_bundle: path(&keys.ca_bundle),
        ca_path: path(&keys.ca_path),
        client: keys.mtls.then(|| {
            (
                PathBuf::from(&keys.client_cert),
                PathBuf::from(&keys.client_key),
            )
        }),
    }
}
