//! What becomes of a key of `falco.yaml`.

use config::past::{self, Fate as Past};
use config::scalar::truth;
use config::schema::{SchemaStatus, check_config};
use config::tree::Value;
use config::{Node, Settings};
use diag::SourceMap;

use super::report::{Fate, Item};
use crate::sources;

/// Keys without an effect here, and why none is missed.
const NEEDLESS: &[(&str, &str)] = &[
    (
        "engine.modern_ebpf.disable_iterators",
        "/proc is read by itself, once capture has begun",
    ),
    ("engine.ebpf", "the probe is part of the program"),
    ("engine.kmod", "there is no kernel module"),
    (
        "plugins_hostinfo",
        "interfaces and users are always known to plugins",
    ),
    ("libs_logger", "there is one log; log_level holds for it"),
    (
        "metrics.jemalloc_stats_enabled",
        "memory is counted by the kernel's figures",
    ),
    (
        "metrics.kernel_iter_event_counters_enabled",
        "no iterators are used",
    ),
];

/// Every key of a file with what becomes of it. `prefix` goes before the names of keys in the file.
pub(super) fn judge(tree: &Node, prefix: &str, sources: &SourceMap) -> Vec<Item> {
    let strange: Vec<String> = match check_config(tree) {
        SchemaStatus::Failed(issues) => issues
            .into_iter()
            .filter(|issue| issue.message.starts_with("unknown key"))
            .map(|issue| issue.path)
            .collect(),
        SchemaStatus::Ok | SchemaStatus::None => Vec::new(),
    };
    let mut items = Vec::new();
    let is_off =
        |node: &Node| node.get("enabled").and_then(Node::text).and_then(truth) == Some(false);
    let entries = tree.entries().unwrap_or_default().iter();
    let off = entries.filter(|entry| is_off(&entry.value));
    let loaded = tree.get("load_plugins").and_then(Node::items);
    let mut walk = Walk {
        strange,
        off: off.map(|entry| entry.key.clone()).collect(),
        loaded: loaded.map(|names| {
            names
                .iter()
                .filter_map(Node::text)
                .map(str::to_owned)
                .collect()
        }),
        kind: kind(tree),
        items: &mut items,
        sources,
        prefix,
    };
    walk.node(tree, "");
    items
}

/// The kind of engine; what Falco takes when none is named.
pub(super) fn kind(tree: &Node) -> String {
    let named = tree.path("engine.kind").and_then(Node::text);
    named.unwrap_or("kmod").trim().to_owned()
}

/// Where a node was written.
pub(super) fn place(node: &Node, sources: &SourceMap) -> String {
    match node.at {
        Some(at) => format!(
            "{}:{}",
            sources.source(at.source).name,
            sources.place(at.source, at.start).line
        ),
        None => "-".to_owned(),
    }
}

struct Walk<'a> {
    /// Paths of keys that the schema does not know.
    strange: Vec<String>,
    /// Sections that are switched off.
    off: Vec<String>,
    /// Plugins that are loaded; `None`: all.
    loaded: Option<Vec<String>>,
    kind: String,
    items: &'a mut Vec<Item>,
    sources: &'a SourceMap,
    prefix: &'a str,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, path: &str) {
        match &node.value {
            Value::Map(entries) if !entries.is_empty() && !is_whole(path) => {
                for entry in entries {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.node(&entry.value, &format!("{path}{dot}{}", entry.key));
                }
            }
            Value::Sequence(items) if path == "plugins" => {
                for item in items {
                    self.plugin(item);
                }
            }
            _ if path.is_empty() => {}
            _ => self.item(node, path, self.fate(path)),
        }
    }

    fn item(&mut self, node: &Node, name: &str, fate: Fate) {
        self.items.push(Item {
            name: format!("{}{name}", self.prefix),
            place: place(node, self.sources),
            fate,
        });
    }

    fn fate(&self, path: &str) -> Fate {
        let below = |key: &str| {
            path.strip_prefix(key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        if path == "engine.kind" {
            return match self.kind.as_str() {
                "kmod" | "ebpf" => Fate::Translated(
                    "modern_ebpf: the probe is part of the program, without a module to build"
                        .to_owned(),
                ),
                "gvisor" => Fate::Unsupported(
                    "sandboxes of gVisor are not watched; keep Falco 0.43 for those".to_owned(),
                ),
                _ => Fate::Same,
            };
        }
        let section = format!("engine.{}", self.kind);
        if self.kind != "modern_ebpf"
            && below(&section)
            && [".buf_size_preset", ".drop_failed_exit"]
                .iter()
                .any(|key| path.ends_with(key))
        {
            return Fate::Translated(path.replace(&section, "engine.modern_ebpf"));
        }
        match past::fate(path) {
            Some((_, Past::Now(today))) => {
                return Fate::Translated(today.replace("KIND", "modern_ebpf"));
            }
            Some((_, Past::Kept(_))) => return Fate::Same,
            Some((key, Past::Without(_))) if self.off.iter().any(|off| off == key) => {
                return Fate::Needless("it was switched off".to_owned());
            }
            Some((_, Past::Without(instead))) => return Fate::Unsupported(instead.to_owned()),
            None => {}
        }
        if let Some((_, why)) = NEEDLESS.iter().find(|(key, _)| below(key)) {
            return Fate::Needless((*why).to_owned());
        }
        if self.strange.iter().any(|key| below(key)) {
            return Fate::Needless("no release of Falco of today reads it".to_owned());
        }
        Fate::Same
    }

    fn plugin(&mut self, plugin: &Node) {
        let text = |key: &str| plugin.get(key).and_then(Node::text).unwrap_or_default();
        let (name, library) = (text("name"), text("library_path"));
        let fate = if sources::built_in(name) {
            Fate::Translated("built in; its init_config and open_params hold".to_owned())
        } else if self
            .loaded
            .as_ref()
            .is_some_and(|names| !names.iter().any(|n| n == name))
        {
            Fate::Needless("load_plugins does not name it: it is not loaded".to_owned())
        } else {
            match sources::library(library) {
                Ok(path) if std::path::Path::new(&path).exists() => Fate::Same,
                Ok(path) => Fate::Unsupported(format!(
                    "{path} is not there; where it is, it is loaded as Falco does"
                )),
                Err(error) => Fate::Unsupported(format!("{error:#}")),
            }
        };
        self.item(plugin, &format!("plugins: {name}"), fate);
    }
}

/// Keys whose values are one thing, whatever they hold.
fn is_whole(path: &str) -> bool {
    matches!(path, "static_fields" | "http_output.headers") || path.contains('[')
}

/// The `engine` block of today that does what an older one did; `None` if it is as of today.
pub(super) fn engine_of_today(tree: &Node) -> Option<String> {
    let kind = kind(tree);
    let old = ["syscall_buf_size_preset", "syscall_drop_failed_exit"];
    let has_old = old.iter().any(|key| tree.get(key).is_some()) || tree.get("modern_bpf").is_some();
    let is_old = matches!(kind.as_str(), "kmod" | "ebpf") && tree.path("engine.kind").is_some();
    if !is_old && !has_old {
        return None;
    }
    let text = |path: String| tree.path(&path).and_then(Node::text).map(str::to_owned);
    let of = |key: &str, older: &str| {
        text(format!("engine.{kind}.{key}")).or_else(|| text(older.to_owned()))
    };
    let mut out = String::from("engine:\n  kind: modern_ebpf\n  modern_ebpf:\n");
    let defaults = Settings::default().engine;
    let lines = [
        (
            "buf_size_preset",
            of("buf_size_preset", old[0]),
            defaults.buf_size_preset.to_string(),
        ),
        (
            "drop_failed_exit",
            of("drop_failed_exit", old[1]),
            defaults.drop_failed_exit.to_string(),
        ),
        (
            "cpus_for_each_buffer",
            text("engine.modern_ebpf.cpus_for_each_buffer".to_owned())
                .or_else(|| text("modern_bpf.cpus_for_each_syscall_buffer".to_owned())),
            defaults.cpus_for_each_buffer.to_string(),
        ),
    ];
    for (key, value, default) in lines {
        out.push_str(&format!("    {key}: {}\n", value.unwrap_or(default)));
    }
    Some(out)
}
