//! The settings, typed, with the value each has when nothing sets it.
//!
//! Reading is lenient, as in the original: a scalar that does not read as the type wanted leaves
//! the default in place (the schema check has warned about it by then). What must not be
//! overlooked is fatal, and is found while reading.

mod containers;
mod delivery;
mod engine;
mod flight;
mod output;
mod repeats;
mod run;

pub use containers::{ContainerEngine, ContainerMetadata, KubernetesServer};
pub use delivery::{
    Delivery, DeliveryTarget, FileOutput, HttpOutput, KafkaOutput, NatsOutput, Sasl, Spool,
    SpoolSync, SyslogOutput, TlsKeys,
};
pub use engine::{BaseSyscalls, Capture, DropAction, Drops, Engine, EngineKind, Libs, Plugin};
pub use flight::FlightRecorder;
pub use output::{AppendOutput, ExtraField, Outputs, RuleMatching};
pub use repeats::{AlertGrouping, AlertLimit, AlertMatch, GroupPolicy};
pub use run::{AlertStore, Log, Metrics, Page, Select, Selection, Stateful, Webserver};

use rules::Priority;

use crate::read::Reader;
use crate::tree::Node;

/// All settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Read configuration and rules again when they change.
    pub watch_config_files: bool,
    /// Rule files and directories in order; `None`: the key is absent.
    pub rules_files: Option<Vec<String>>,
    /// Enabling and disabling of rules after loading, in order.
    pub rules: Vec<Selection>,
    /// Where events come from.
    pub engine: Engine,
    /// Writing captures when rules fire.
    pub capture: Capture,
    /// Plugins that may be loaded.
    pub plugins: Vec<Plugin>,
    /// Names of those to load; `None`: all.
    pub load_plugins: Option<Vec<String>>,
    /// Build tables of interfaces and users also without driver.
    pub plugins_hostinfo: bool,
    /// Fields `static.NAME` with their values.
    pub static_fields: Vec<(String, String)>,
    /// What is added to the rules' outputs.
    pub append_output: Vec<AppendOutput>,
    /// Data buffers print in base64.
    pub buffer_format_base64: bool,
    /// Rules below it are not loaded.
    pub priority: Priority,
    /// How many rules may fire on one event.
    pub rule_matching: RuleMatching,
    /// Form and channels of alerts.
    pub outputs: Outputs,
    /// The HTTP server.
    pub webserver: Webserver,
    /// How alerts that repeat themselves become one.
    pub alert_grouping: AlertGrouping,
    /// How many alerts a rule may send.
    pub alert_limits: Vec<AlertLimit>,
    /// Alerts that are kept to be looked at.
    pub alert_store: AlertStore,
    /// What rules may remember.
    pub stateful: Stateful,
    /// The last minutes of events.
    pub flight_recorder: FlightRecorder,
    /// The local page.
    pub page: Page,
    /// `run_as`: the user to become, by name; empty: stays who started it.
    pub run_as: String,
    /// The program's own log.
    pub log: Log,
    /// What happens when events are lost.
    pub drops: Drops,
    /// Polls without event before the internal alert.
    pub timeouts_max_consecutives: u32,
    /// Limits of the tables.
    pub libs: Libs,
    /// Choice of system calls.
    pub base_syscalls: BaseSyscalls,
    /// Counters.
    pub metrics: Metrics,
    /// Who is asked about containers.
    pub containers: ContainerMetadata,
}

impl Settings {
    /// Reads a tree.
    pub(crate) fn read(tree: &Node, reader: &mut Reader) -> Self {
        let rules_files = match (tree.get("rules_files"), tree.get("rules_file")) {
            (Some(node), _) | (None, Some(node)) => Some(reader.texts(Some(node))),
            (None, None) => None,
        };
        Self {
            watch_config_files: reader.truth(tree, "watch_config_files", true),
            rules_files,
            rules: run::selections(tree, reader),
            engine: Engine::read(tree, reader),
            capture: Capture::read(tree, reader),
            plugins: engine::plugins(tree, reader),
            load_plugins: tree
                .get("load_plugins")
                .map(|node| reader.texts(Some(node))),
            plugins_hostinfo: reader.truth(tree, "plugins_hostinfo", true),
            static_fields: reader.pairs(tree.get("static_fields")),
            append_output: output::append_outputs(tree, reader),
            buffer_format_base64: reader.truth(tree, "buffer_format_base64", false),
            priority: reader.priority(tree, "priority", Priority::Debug),
            rule_matching: RuleMatching::read(tree, reader),
            outputs: Outputs::read(tree, reader),
            webserver: Webserver::read(tree, reader),
            alert_grouping: AlertGrouping::read(tree, reader),
            alert_limits: repeats::limits(tree, reader),
            alert_store: AlertStore::read(tree, reader),
            stateful: Stateful::read(tree, reader),
            flight_recorder: FlightRecorder::read(tree, reader),
            page: Page::read(tree, reader),
            run_as: reader.text(tree, "run_as", ""),
            log: Log::read(tree, reader),
            drops: Drops::read(tree, reader),
            timeouts_max_consecutives: reader.number(
                tree,
                "syscall_event_timeouts.max_consecutives",
                1000,
            ),
            libs: Libs::read(tree, reader),
            base_syscalls: BaseSyscalls::read(tree, reader),
            metrics: Metrics::read(tree, reader),
            containers: ContainerMetadata::read(tree, reader),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::read(&Node::null(), &mut Reader::default())
    }
}
