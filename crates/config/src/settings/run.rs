//! Settings of rule selection, the HTTP server, the log and the counters.

use std::net::IpAddr;

use rules::Priority;

use crate::read::Reader;
use crate::scalar;
use crate::tree::Node;

/// What a selection picks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// Rules whose whole name fits the pattern; `*` stands for any text.
    Rule(String),
    /// Rules with this tag.
    Tag(String),
}

/// One entry of `rules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Enable or disable.
    pub enable: bool,
    /// Which rules.
    pub select: Select,
}

pub(super) fn selections(tree: &Node, reader: &mut Reader) -> Vec<Selection> {
    let mut selections = Vec::new();
    for item in reader.sequence(tree, "rules") {
        let before = selections.len();
        for (word, enable) in [("enable", true), ("disable", false)] {
            let Some(able) = item.get(word) else { continue };
            let text = |key| {
                able.get(key)
                    .and_then(Node::text)
                    .filter(|text| !text.is_empty())
            };
            if let Some(rule) = text("rule") {
                selections.push(Selection {
                    enable,
                    select: Select::Rule(rule.to_owned()),
                });
            }
            if let Some(tag) = text("tag") {
                selections.push(Selection {
                    enable,
                    select: Select::Tag(tag.to_owned()),
                });
            }
        }
        let known = item.get("enable").or_else(|| item.get("disable"));
        if selections.len() == before && known.is_none_or(|able| able.entries().is_none()) {
            let message =
                "bad conversion: an entry of 'rules' must enable or disable a rule or tag";
            let help = "write `- disable: {rule: NAME}` or `- enable: {tag: TAG}`";
            reader.fatal_at(item.at, "rules", message.to_owned(), help);
        }
    }
    selections
}

/// Key `webserver`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webserver {
    /// Whether it runs.
    pub enabled: bool,
    /// Threads; zero: as many as CPUs.
    pub threadiness: u32,
    /// Where it listens.
    pub listen_port: u32,
    /// Where it listens.
    pub listen_address: IpAddr,
    /// Path of the health check.
    pub k8s_healthz_endpoint: String,
    /// Path to which an API server posts audit events; `None`: it is not served.
    pub k8s_audit_endpoint: Option<String>,
    /// Whether `/metrics` is served.
    pub prometheus_metrics_enabled: bool,
    /// TLS.
    pub ssl_enabled: bool,
    /// One PEM file with key and certificate.
    pub ssl_certificate: String,
    /// Clients need a certificate that one of these signed; empty: none is needed.
    pub ssl_client_ca: String,
    /// Milliseconds that an output may fail or hang before the service is unhealthy.
    pub health_patience: u64,
}

impl Webserver {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        let any = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        let address = reader.text(tree, "webserver.listen_address", "0.0.0.0");
        let listen_address = address.parse().unwrap_or_else(|_| {
            let message = format!("'{address}' is no IPv4 or IPv6 address");
            reader.fatal(
                tree,
                "webserver.listen_address",
                message,
                "host names are not looked up",
            );
            any
        });
        Self {
            enabled: reader.truth(tree, "webserver.enabled", false),
            threadiness: reader.number(tree, "webserver.threadiness", 0),
            listen_port: reader.number(tree, "webserver.listen_port", 8765),
            listen_address,
            k8s_healthz_endpoint: reader.text(tree, "webserver.k8s_healthz_endpoint", "/healthz"),
            k8s_audit_endpoint: audit_endpoint(tree, reader),
            prometheus_metrics_enabled: reader.truth(
                tree,
                "webserver.prometheus_metrics_enabled",
                false,
            ),
            ssl_enabled: reader.truth(tree, "webserver.ssl_enabled", false),
            ssl_certificate: reader.text(tree, "webserver.ssl_certificate", "/etc/falco/falco.pem"),
            ssl_client_ca: reader.text(tree, "webserver.ssl_client_ca", ""),
            health_patience: health_patience(tree, reader),
        }
    }
}

fn health_patience(tree: &Node, reader: &mut Reader) -> u64 {
    let text = reader.text(tree, "webserver.health_patience", "30s");
    scalar::milliseconds(&text).unwrap_or_else(|| {
        let message = format!("webserver.health_patience '{text}' is no span of time");
        let key = "webserver.health_patience";
        reader.fatal(tree, key, message, "write it like 30s or 5m");
        30_000
    })
}

/// The endpoint for audit events. A slash at its begin goes without saying.
fn audit_endpoint(tree: &Node, reader: &mut Reader) -> Option<String> {
    let path = reader.text(tree, "webserver.k8s_audit_endpoint", "");
    let path = path.trim();
    (!path.is_empty()).then(|| format!("/{}", path.trim_start_matches('/')))
}

/// Key `alert_store`: alerts that are kept on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct AlertStore {
    /// The local page needs it, and turns it on.
    pub enabled: bool,
    pub path: String,
    pub keep_alerts: u64,
    pub keep_days: u64,
    pub max_size_mb: u64,
}

impl AlertStore {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        Self {
            enabled: reader.truth(tree, "alert_store.enabled", false)
                || reader.truth(tree, "page.enabled", false),
            path: reader.text(tree, "alert_store.path", "/var/lib/peregrine/alerts.sqlite"),
            keep_alerts: reader.number(tree, "alert_store.keep_alerts", 100_000),
            keep_days: reader.number(tree, "alert_store.keep_days", 30),
            max_size_mb: reader.number(tree, "alert_store.max_size_mb", 512),
        }
    }
}

/// Key `stateful`: what rules may remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stateful {
    /// Bytes of all rules of a source together; in the file in megabytes.
    pub memory: u64,
    /// Partial matches that a sequence keeps for a key.
    pub partials: usize,
    /// Where first sights are kept over restarts; nowhere if empty.
    pub first_seen_file: String,
}

impl Stateful {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        let memory = reader.number(tree, "stateful.memory_mb", 64);
        let partials = reader.number(tree, "stateful.partials_per_key", 8);
        Self {
            memory: u64::clamp(memory, 1, 1 << 20) << 20,
            partials: u64::clamp(partials, 1, 256) as usize,
            first_seen_file: reader.text(
                tree,
                "stateful.first_seen_file",
                "/var/lib/peregrine/first_seen",
            ),
        }
    }
}

/// Key `page`: the local page, on the loopback address only.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct Page {
    pub enabled: bool,
    pub listen_port: u16,
    /// Where the token is kept that opens it; made where it is missing.
    pub token_file: String,
}

impl Page {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        Self {
            enabled: reader.truth(tree, "page.enabled", false),
            listen_port: reader.number(tree, "page.listen_port", 8766),
            token_file: reader.text(tree, "page.token_file", "/var/lib/peregrine/page.token"),
        }
    }
}

/// The program's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `log_stderr`
    pub stderr: bool,
    /// `log_syslog`
    pub syslog: bool,
    /// `log_level`
    pub level: Priority,
    /// `libs_logger.enabled`
    pub libs: bool,
    /// `libs_logger.severity`
    pub libs_severity: String,
}

impl Log {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        const SEVERITIES: [&str; 8] = [
            "fatal", "critical", "error", "warning", "notice", "info", "debug", "trace",
        ];
        let libs_severity = reader.text(tree, "libs_logger.severity", "info");
        if !SEVERITIES.contains(&libs_severity.to_ascii_lowercase().as_str()) {
            let message = format!("severity '{libs_severity}' does not exist");
            let help = format!("the severities are {}", SEVERITIES.join(", "));
            reader.fatal(tree, "libs_logger.severity", message, &help);
        }
        Self {
            stderr: reader.truth(tree, "log_stderr", false),
            syslog: reader.truth(tree, "log_syslog", true),
            level: reader.priority(tree, "log_level", Priority::Informational),
            libs: reader.truth(tree, "libs_logger.enabled", true),
            libs_severity,
        }
    }
}

/// Key `metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct Metrics {
    pub enabled: bool,
    /// Milliseconds.
    pub interval: u64,
    pub output_rule: bool,
    pub output_file: String,
    pub rules_counters: bool,
    pub resource_utilization: bool,
    pub state_counters: bool,
    pub kernel_event_counters: bool,
    pub kernel_iter_event_counters: bool,
    pub kernel_event_counters_per_cpu: bool,
    pub libbpf_stats: bool,
    pub plugins_metrics: bool,
    pub jemalloc_stats: bool,
    pub convert_memory_to_mb: bool,
    pub include_empty_values: bool,
}

impl Metrics {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        let mut truth = |key: &str, default| reader.truth(tree, &format!("metrics.{key}"), default);
        let enabled = truth("enabled", false);
        let output_rule = truth("output_rule", false);
        let mut metrics = Self {
            enabled,
            interval: 5000,
            output_rule,
            output_file: String::new(),
            rules_counters: truth("rules_counters_enabled", true),
            resource_utilization: truth("resource_utilization_enabled", true),
            state_counters: truth("state_counters_enabled", true),
            kernel_event_counters: truth("kernel_event_counters_enabled", true),
            kernel_iter_event_counters: truth("kernel_iter_event_counters_enabled", true),
            kernel_event_counters_per_cpu: truth("kernel_event_counters_per_cpu_enabled", true),
            libbpf_stats: truth("libbpf_stats_enabled", true),
            plugins_metrics: truth("plugins_metrics_enabled", true),
            jemalloc_stats: truth("jemalloc_stats_enabled", true),
            convert_memory_to_mb: truth("convert_memory_to_mb", true),
            include_empty_values: truth("include_empty_values", false),
        };
        metrics.output_file = reader.text(tree, "metrics.output_file", "");
        if !metrics.enabled {
            return metrics;
        }
        let interval = reader.text(tree, "metrics.interval", "5s");
        match scalar::milliseconds(&interval) {
            Some(interval) if interval >= 100 => metrics.interval = interval,
            _ => {
                let message =
                    format!("metrics interval '{interval}' is no span of time of ≥100 ms");
                reader.fatal(
                    tree,
                    "metrics.interval",
                    message,
                    "write it like 15m or 1h30m",
                );
            }
        }
        let prometheus = reader.truth(tree, "webserver.prometheus_metrics_enabled", false);
        if !metrics.output_rule && metrics.output_file.is_empty() && !prometheus {
            let message = "metrics are enabled with no output configured".to_owned();
            let help = "set metrics.output_rule, metrics.output_file or \
                        webserver.prometheus_metrics_enabled";
            reader.fatal(tree, "metrics", message, help);
        }
        metrics
    }
}
