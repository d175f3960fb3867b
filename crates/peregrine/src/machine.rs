//! What the state is told about the machine at hand: accounts, and the container engines to look for.

use std::path::Path;

use config::Settings;
use event::snapshot::{Group, User};
use serde_json::Value;
use state::{Engines, Options};

/// Options of the state under these settings.
///
/// A capture usually carries its own users. Those of the machine that replays it are only taken where
/// `HOST_ROOT` names a tree: names that depend on who replays are worse than numbers.
pub(crate) fn state_options(settings: &Settings) -> Options {
    let root = std::env::var_os("HOST_ROOT").filter(|root| !root.is_empty());
    let read = |file: &str| {
        let path = root.as_ref().map(|root| Path::new(root).join(file));
        path.and_then(|path| std::fs::read_to_string(path).ok())
            .unwrap_or_default()
    };
    Options {
        max_threads: settings.libs.thread_table_size as usize,
        engines: engines(settings),
        local_users: users(&read("etc/passwd")),
        local_groups: groups(&read("etc/group")),
        ..Options::default()
    }
}

/// The engines that the container plugin's configuration leaves on. Here the plugin is built in: without
/// configuration all of them are.
fn engines(settings: &Settings) -> Engines {
    let mut engines = Engines::default();
    let plugin = settings
        .plugins
        .iter()
        .find(|plugin| plugin.name == "container");
    let Some(plugin) = plugin else { return engines };
    let Ok(config) = serde_json::from_str::<Value>(&plugin.init_config) else {
        return engines;
    };
    let listed = &config["engines"];
    let is = |name: &str, state: &str| {
        let enabled = &listed[name]["enabled"];
        *enabled == Value::Bool(state == "true") || enabled.as_str() == Some(state)
    };
    for (name, on) in [
        ("podman", &mut engines.podman),
        ("docker", &mut engines.docker),
        ("cri", &mut engines.cri),
        ("containerd", &mut engines.containerd),
        ("lxc", &mut engines.lxc),
        ("libvirt_lxc", &mut engines.libvirt_lxc),
        ("bpm", &mut engines.bpm),
    ] {
        *on = !is(name, "false");
    }
    if is("static", "true") {
        engines.fixed = listed["static"]["container_id"]
            .as_str()
            .map(|id| id.as_bytes().to_vec());
    }
    engines
}

fn users(passwd: &str) -> Vec<User> {
    passwd
        .lines()
        .filter_map(|line| {
            let mut parts = line.split(':');
            let (name, _, uid, gid) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let (_, home, shell) = (parts.next()?, parts.next()?, parts.next()?);
            Some(User {
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                name: name.into(),
                home: home.into(),
                shell: shell.into(),
            })
        })
        .collect()
}

fn groups(group: &str) -> Vec<Group> {
    group
        .lines()
        .filter_map(|line| {
            let mut parts = line.split(':');
            let (name, _, gid) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Group {
                gid: gid.parse().ok()?,
                name: name.into(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lines_of_account_files_are_passed_over() {
        let found = users("root:x:0:0:root:/root:/bin/sh\nhalf:x:1\n:::::::\nx:x:a:0::/:\n");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].home, b"/root");
        assert_eq!(groups("adm:x:4:mira\nbad\n").len(), 1);
    }
}
