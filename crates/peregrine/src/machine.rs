//! What the state is told about the machine at hand: accounts, container engines, sizes.

use std::path::Path;

use config::Settings;
use event::snapshot::{Group, User};
use state::Options;

use crate::containers;

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
        engines: containers::engines(settings),
        local_users: users(&read("etc/passwd")),
        local_groups: groups(&read("etc/group")),
        ..Options::default()
    }
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
