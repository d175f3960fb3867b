//! Users and addresses of the machine: they change, and no event tells.

use event::snapshot::{Interface, UserList};
use host::Host;
use state::State;

/// Something that is otherwise now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Users and groups of the host, all of them.
    Users(UserList),
    /// Addresses of network interfaces, all of them.
    Interfaces(Vec<Interface>),
}

/// What was read last.
pub struct Facts {
    host: Host,
    users: UserList,
    interfaces: Vec<Interface>,
}

impl Facts {
    pub(crate) fn new(host: &Host, state: &State) -> Self {
        Self {
            host: host.clone(),
            users: host.users(),
            interfaces: state.interfaces().to_vec(),
        }
    }

    /// Reads anew; what is otherwise than last time.
    #[must_use]
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let users = self.host.users();
        if users != self.users {
            self.users = users.clone();
            changes.push(Change::Users(users));
        }
        let interfaces = self.host.interfaces();
        if interfaces != self.interfaces {
            self.interfaces.clone_from(&interfaces);
            changes.push(Change::Interfaces(interfaces));
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_user_is_told_once() {
        let dir = std::env::temp_dir().join(format!("facts-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("etc")).unwrap();
        let passwd = |text: &str| std::fs::write(dir.join("etc/passwd"), text).unwrap();
        passwd("root:x:0:0::/root:/bin/sh\n");
        let mut facts = Facts::new(&Host::new(&dir), &State::new(state::Options::default()));
        let users = |facts: &mut Facts| {
            facts.changes().into_iter().find_map(|change| match change {
                Change::Users(list) => Some(list.users.len()),
                Change::Interfaces(_) => None,
            })
        };
        assert_eq!(users(&mut facts), None);
        passwd("root:x:0:0::/root:/bin/sh\nmira:x:1000:1000::/home/mira:/bin/sh\n");
        assert_eq!(users(&mut facts), Some(2));
        assert_eq!(users(&mut facts), None);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
