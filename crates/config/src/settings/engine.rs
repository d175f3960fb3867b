//! Settings of the source of events, of plugins, and of what happens when events are lost.

use crate::read::Reader;
use crate::tree::{Node, Value};

/// Where events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Falco's kernel module; served by the same live source as `ModernEbpf`.
    Kmod,
    /// BPF programs.
    ModernEbpf,
    /// A capture file.
    Replay,
    /// Plugins only.
    Nodriver,
}

impl EngineKind {
    /// As written in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kmod => "kmod",
            Self::ModernEbpf => "modern_ebpf",
            Self::Replay => "replay",
            Self::Nodriver => "nodriver",
        }
    }
}

/// Key `engine`.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    /// `engine.kind`
    pub kind: EngineKind,
    /// Size of the buffers, 1 (1 MiB) to 10 (512 MiB), of the chosen kind.
    pub buf_size_preset: u32,
    /// The kernel side drops failed system calls.
    pub drop_failed_exit: bool,
    /// The kernel side leaves out events that change no alert and no state.
    pub kernel_filters: bool,
    /// CPUs that share a buffer; zero: all share one.
    pub cpus_for_each_buffer: u32,
    /// The process list is read without BPF iterators.
    pub disable_iterators: bool,
    /// `engine.replay.capture_file`
    pub capture_file: String,
}

impl Engine {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        let kind = match reader.text(tree, "engine.kind", "kmod").as_str() {
            "kmod" => EngineKind::Kmod,
            "modern_ebpf" => EngineKind::ModernEbpf,
            "replay" => EngineKind::Replay,
            "nodriver" => EngineKind::Nodriver,
            other => {
                let message = format!("engine kind '{other}' does not exist");
                let help = match other {
                    "ebpf" | "gvisor" => "kinds ebpf and gvisor are of the past; take modern_ebpf",
                    _ => "the kinds are kmod, modern_ebpf, replay and nodriver",
                };
                reader.fatal(tree, "engine.kind", message, help);
                EngineKind::Kmod
            }
        };
        let section = if kind == EngineKind::ModernEbpf {
            "modern_ebpf"
        } else {
            "kmod"
        };
        let preset = format!("engine.{section}.buf_size_preset");
        let engine = Self {
            kind,
            buf_size_preset: reader.number(tree, &preset, 4),
            drop_failed_exit: reader.truth(
                tree,
                &format!("engine.{section}.drop_failed_exit"),
                false,
            ),
            kernel_filters: reader.truth(tree, &format!("engine.{section}.kernel_filters"), true),
            cpus_for_each_buffer: reader.number(tree, "engine.modern_ebpf.cpus_for_each_buffer", 2),
            disable_iterators: reader.truth(tree, "engine.modern_ebpf.disable_iterators", false),
            capture_file: reader.text(tree, "engine.replay.capture_file", ""),
        };
        if matches!(kind, EngineKind::Kmod | EngineKind::ModernEbpf)
            && !(1..=10).contains(&engine.buf_size_preset)
        {
            let message = format!("buffer preset {} does not exist", engine.buf_size_preset);
            reader.fatal(
                tree,
                &preset,
                message,
                "presets are 1 (1 MiB) to 10 (512 MiB)",
            );
        }
        if kind == EngineKind::Replay && engine.capture_file.is_empty() {
            let message = "engine kind replay needs a capture file".to_owned();
            let help = "set engine.replay.capture_file, or use `peregrine replay FILE`";
            reader.fatal(tree, "engine.replay.capture_file", message, help);
        }
        engine
    }
}

/// Key `capture`: events around a match are written to a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// Whether at all.
    pub enabled: bool,
    /// Begin of the files' names.
    pub path_prefix: String,
    /// Every match starts a capture, not only rules that ask for it.
    pub all_rules: bool,
    /// Milliseconds, where the rule says nothing.
    pub default_duration: u32,
    /// Zero: no limit.
    pub max_file_size_mb: u64,
    /// Milliseconds from before the match, where the rule says nothing.
    pub default_before: u32,
    /// Files with the prefix of which no further one is made; zero: no limit.
    pub max_files: u64,
    /// Files are for sysdig 0.29.3.
    pub sysdig_compat: bool,
}

impl Capture {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        let all_rules = match reader.text(tree, "capture.mode", "rules").as_str() {
            "rules" => false,
            "all_rules" => true,
            other => {
                let message = format!("capture mode '{other}' does not exist");
                reader.fatal(
                    tree,
                    "capture.mode",
                    message,
                    "the modes are rules and all_rules",
                );
                false
            }
        };
        Self {
            enabled: reader.truth(tree, "capture.enabled", false),
            path_prefix: reader.text(tree, "capture.path_prefix", "/tmp/falco"),
            all_rules,
            default_duration: reader.number(tree, "capture.default_duration", 5000),
            max_file_size_mb: reader.number(tree, "capture.max_file_size_mb", 0),
            default_before: reader.number(tree, "capture.default_before", 0),
            max_files: reader.number(tree, "capture.max_files", 0),
            sysdig_compat: reader.truth(tree, "capture.sysdig_compat", false),
        }
    }
}

/// One entry of `plugins`.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// Its file, as written.
    pub library_path: String,
    /// Its configuration: as written, or the JSON of a map.
    pub init_config: String,
    /// What its source opens.
    pub open_params: String,
    /// Run it in this process instead of a child's: faster, and at its mercy.
    pub in_process: bool,
}

pub(super) fn plugins(tree: &Node, reader: &mut Reader) -> Vec<Plugin> {
    let mut plugins = Vec::new();
    for item in reader.sequence(tree, "plugins") {
        let text = |key| {
            item.get(key)
                .and_then(Node::text)
                .unwrap_or_default()
                .to_owned()
        };
        let init_config = match item.get("init_config").map(|node| &node.value) {
            Some(Value::Scalar(text)) => text.clone(),
            Some(Value::Map(_) | Value::Sequence(_)) => item
                .get("init_config")
                .map(|node| node.to_json().to_string())
                .unwrap_or_default(),
            Some(Value::Null) | None => String::new(),
        };
        let plugin = Plugin {
            name: text("name"),
            library_path: text("library_path"),
            init_config,
            open_params: text("open_params"),
            in_process: reader.truth(&item, "in_process", false),
        };
        if plugin.name.is_empty() || plugin.library_path.is_empty() {
            let message = "a plugin needs both 'name' and 'library_path'".to_owned();
            reader.fatal_at(item.at, "plugins", message, "");
        }
        plugins.push(plugin);
    }
    if let Some(names) = tree.get("load_plugins") {
        for name in reader.texts(Some(names)) {
            if !plugins.iter().any(|plugin| plugin.name == name) {
                let message = format!("plugin '{name}' is to be loaded but is not configured");
                reader.fatal(tree, "load_plugins", message, "add it to 'plugins'");
            }
        }
    }
    plugins
}

/// What happens when events were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropAction {
    /// Nothing.
    Ignore,
    /// A line in the log.
    Log,
    /// An internal alert.
    Alert,
    /// The program ends with an error.
    Exit,
}

/// Key `syscall_event_drops`.
#[derive(Clone, Debug, PartialEq)]
pub struct Drops {
    /// In order; none where nobody said what is to be done.
    pub actions: Vec<DropAction>,
    /// Share of the events of the last second that may be lost.
    pub threshold: f64,
    /// Actions per second.
    pub rate: f64,
    /// Actions at once.
    pub max_burst: f64,
    /// Pretends one lost event each second.
    pub simulate: bool,
}

impl Drops {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        const ACTIONS: &str = "syscall_event_drops.actions";
        let mut actions = Vec::new();
        for name in reader.texts(tree.path(ACTIONS)) {
            let action = match name.as_str() {
                "ignore" => DropAction::Ignore,
                "log" => DropAction::Log,
                "alert" => DropAction::Alert,
                "exit" => DropAction::Exit,
                other => {
                    let message = format!("syscall event drop action \"{other}\" does not exist");
                    let help = "the actions are ignore, log, alert and exit";
                    reader.fatal(tree, ACTIONS, message, help);
                    continue;
                }
            };
            if matches!(action, DropAction::Log | DropAction::Alert)
                && actions.contains(&DropAction::Ignore)
            {
                let message = format!(
                    "syscall event drop action \"{name}\" does not make sense with the \
                     \"ignore\" action"
                );
                reader.fatal(tree, ACTIONS, message, "remove one of the two");
            }
            if !actions.contains(&action) {
                actions.push(action);
            }
        }
        let threshold = reader.float(tree, "syscall_event_drops.threshold", 0.1);
        if !(0.0..=1.0).contains(&threshold) {
            let message = "syscall event drops threshold must be a double in the range [0, 1]";
            reader.fatal(
                tree,
                "syscall_event_drops.threshold",
                message.to_owned(),
                "",
            );
        }
        Self {
            actions,
            threshold,
            rate: reader.float(tree, "syscall_event_drops.rate", 0.033_33),
            max_burst: reader.float(tree, "syscall_event_drops.max_burst", 1.0),
            simulate: reader.truth(tree, "syscall_event_drops.simulate_drops", false),
        }
    }
}

/// Key `falco_libs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Libs {
    /// Threads remembered at most.
    pub thread_table_size: u32,
    /// Seconds between two searches for dead threads.
    pub purging_interval: u64,
    /// Idle seconds after which a thread that is gone is forgotten.
    pub thread_timeout: u64,
    /// Bytes kept of data buffers; zero: the source's own default.
    pub snaplen: u32,
}

impl Libs {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        const INTERVAL: &str = "falco_libs.thread_table_auto_purging_interval_s";
        const TIMEOUT: &str = "falco_libs.thread_table_auto_purging_thread_timeout_s";
        Self {
            thread_table_size: reader.number(tree, "falco_libs.thread_table_size", 262_144),
            purging_interval: reader.number(tree, INTERVAL, 300),
            thread_timeout: reader.number(tree, TIMEOUT, 300),
            snaplen: reader.number(tree, "falco_libs.snaplen", 0),
        }
    }
}

/// Key `base_syscalls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSyscalls {
    /// Names; a leading `!` takes one out.
    pub custom_set: Vec<String>,
    /// Add what the state needs.
    pub repair: bool,
    /// Keep the I/O calls.
    pub all: bool,
}

impl BaseSyscalls {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        Self {
            custom_set: reader.texts(tree.path("base_syscalls.custom_set")),
            repair: reader.truth(tree, "base_syscalls.repair", false),
            all: reader.truth(tree, "base_syscalls.all", false),
        }
    }
}
