//! Keys of the past: those that are read as what they are called today, and those that say nothing
//! any more. Each draws one line.

use crate::tree::{Entry, Node, Value};

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is read as this key, unless that is set too.
    Now(&'static str),
    /// It still means what it meant.
    Kept(&'static str),
    /// It has no effect; what to do instead.
    Without(&'static str),
}

/// Top-level keys, or keys two levels deep, of older releases.
pub const PAST: &[(&str, Fate)] = &[
    ("rules_file", Fate::Now("rules_files")),
    (
        "syscall_buf_size_preset",
        Fate::Now("engine.KIND.buf_size_preset"),
    ),
    (
        "syscall_drop_failed_exit",
        Fate::Now("engine.KIND.drop_failed_exit"),
    ),
    (
        "modern_bpf.cpus_for_each_syscall_buffer",
        Fate::Now("engine.modern_ebpf.cpus_for_each_buffer"),
    ),
    (
        "outputs.rate",
        Fate::Kept("alerts beyond it are dropped and counted; outputs.rate: 0 ends that"),
    ),
    (
        "outputs.max_burst",
        Fate::Kept("it belongs to outputs.rate"),
    ),
    (
        "grpc",
        Fate::Without("take http_output, or an output of type socket"),
    ),
    (
        "grpc_output",
        Fate::Without("take http_output, or an output of type socket"),
    ),
    (
        "metadata_download",
        Fate::Without("pods are told by the container runtime"),
    ),
];

/// What became of the key that `path` leads to or through.
#[must_use]
pub fn fate(path: &str) -> Option<(&'static str, Fate)> {
    let found = PAST.iter().find(|(key, _)| {
        path.strip_prefix(key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    });
    // `outputs` itself is unknown to today's schema, not the keys in it.
    let section = || {
        PAST.iter()
            .find(|(key, _)| key.split_once('.').is_some_and(|(s, _)| s == path))
    };
    found.or_else(section).copied()
}

/// A sentence about a key.
#[must_use]
pub fn sentence(key: &str, fate: Fate) -> String {
    match fate {
        Fate::Now(today) => format!("key '{key}' is of the past and is read as {today}"),
        Fate::Kept(meaning) => format!("key '{key}' is of the past and still works: {meaning}"),
        Fate::Without(instead) => {
            format!("key '{key}' is of the past and has no effect: {instead}")
        }
    }
}

/// Puts the values of old keys where today's are, unless those are set.
pub(crate) fn translate(tree: &mut Node) {
    let kind = tree
        .path("engine.kind")
        .and_then(Node::text)
        .unwrap_or("kmod")
        .to_owned();
    for (old, fate) in PAST {
        let Fate::Now(today) = fate else { continue };
        if *today == "rules_files" {
            continue;
        }
        let today = today.replace(
            "KIND",
            if kind == "modern_ebpf" {
                "modern_ebpf"
            } else {
                "kmod"
            },
        );
        if let Some(value) = tree.path(old).cloned()
            && tree.path(&today).is_none()
        {
            set(tree, &today, value);
        }
    }
}

/// Sets a value below maps that are made where they are missing; anything else in the way stays.
fn set(tree: &mut Node, path: &str, value: Node) {
    let (key, rest) = path
        .split_once('.')
        .map_or((path, None), |(key, rest)| (key, Some(rest)));
    if tree.value == Value::Null {
        tree.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut tree.value else {
        return;
    };
    let at = entries
        .iter()
        .position(|entry| entry.key == key)
        .unwrap_or_else(|| {
            entries.push(Entry {
                key: key.to_owned(),
                key_at: value.at,
                value: Node::null(),
            });
            entries.len() - 1
        });
    match rest {
        Some(rest) => set(&mut entries[at].value, rest, value),
        None => entries[at].value = value,
    }
}
