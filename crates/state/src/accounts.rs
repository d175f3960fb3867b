//! Users and groups, of the host and of each container.

use std::collections::BTreeMap;

use event::snapshot::UserList;
pub use event::snapshot::{Group, User};

/// Most accounts that are kept; a capture may name as many as it likes.
const ACCOUNTS_MAX: usize = 65_536;
/// Longest text of an account that is kept.
const TEXT_MAX: usize = 255;

/// Users and groups by container (empty: the host) and number.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    /// Some list came, so that what it lacks is known to be unnamed.
    pub(crate) known: bool,
    root: User,
    users: BTreeMap<Box<[u8]>, BTreeMap<u32, User>>,
    groups: BTreeMap<Box<[u8]>, BTreeMap<u32, Group>>,
    count: usize,
}

impl Default for Accounts {
    fn default() -> Self {
        let root = User {
            uid: 0,
            gid: 0,
            name: b"root".to_vec(),
            home: b"/root".to_vec(),
            shell: Vec::new(),
        };
        let (users, groups) = (BTreeMap::new(), BTreeMap::new());
        Self {
            known: false,
            root,
            users,
            groups,
            count: 0,
        }
    }
}

fn cut(text: &mut Vec<u8>) {
    text.truncate(TEXT_MAX);
}

impl Accounts {
    pub(crate) fn user(&self, container: &[u8], uid: u32) -> Option<&User> {
        self.users.get(container)?.get(&uid)
    }

    /// What the user with number 0 is called without an entry.
    pub(crate) fn root(&self, uid: u32) -> Option<&User> {
        (uid == 0 && self.known).then_some(&self.root)
    }

    pub(crate) fn group(&self, container: &[u8], gid: u32) -> Option<&Group> {
        self.groups.get(container)?.get(&gid)
    }

    /// False: the table is full.
    pub(crate) fn add_user(&mut self, container: &[u8], mut user: User) -> bool {
        if self.count >= ACCOUNTS_MAX && self.user(container, user.uid).is_none() {
            return false;
        }
        for text in [&mut user.name, &mut user.home, &mut user.shell] {
            cut(text);
        }
        let users = self.users.entry(container.into()).or_default();
        self.count += usize::from(users.insert(user.uid, user).is_none());
        true
    }

    /// False: the table is full.
    pub(crate) fn add_group(&mut self, container: &[u8], mut group: Group) -> bool {
        if self.count >= ACCOUNTS_MAX && self.group(container, group.gid).is_none() {
            return false;
        }
        cut(&mut group.name);
        let groups = self.groups.entry(container.into()).or_default();
        self.count += usize::from(groups.insert(group.gid, group).is_none());
        true
    }

    /// All of the host.
    pub(crate) fn of_host(&self) -> UserList {
        let users = self.users.get(&b""[..]);
        let groups = self.groups.get(&b""[..]);
        UserList {
            users: users.map_or_else(Vec::new, |u| u.values().cloned().collect()),
            groups: groups.map_or_else(Vec::new, |g| g.values().cloned().collect()),
        }
    }

    pub(crate) fn remove_user(&mut self, container: &[u8], uid: u32) {
        if let Some(users) = self.users.get_mut(container) {
            self.count -= usize::from(users.remove(&uid).is_some());
        }
    }

    pub(crate) fn remove_group(&mut self, container: &[u8], gid: u32) {
        if let Some(groups) = self.groups.get_mut(container) {
            self.count -= usize::from(groups.remove(&gid).is_some());
        }
    }

    pub(crate) fn users_of_containers(&self) -> impl Iterator<Item = (&[u8], &User)> {
        let own = self.users.iter().filter(|(id, _)| !id.is_empty());
        own.flat_map(|(id, users)| users.values().map(|user| (&**id, user)))
    }

    pub(crate) fn groups_of_containers(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        let own = self.groups.iter().filter(|(id, _)| !id.is_empty());
        own.flat_map(|(id, groups)| groups.values().map(|group| (&**id, group)))
    }

    pub(crate) fn has_container(&self, container: &[u8]) -> bool {
        self.users.contains_key(container) || self.groups.contains_key(container)
    }

    pub(crate) fn remove_container(&mut self, container: &[u8]) {
        self.count -= self.users.remove(container).map_or(0, |u| u.len());
        self.count -= self.groups.remove(container).map_or(0, |g| g.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32, name: &[u8]) -> User {
        User {
            uid,
            name: name.to_vec(),
            ..User::default()
        }
    }

    #[test]
    fn containers_have_their_own() {
        let mut a = Accounts::default();
        a.add_user(b"", user(0, b"root"));
        a.add_user(b"c1", user(0, b"toor"));
        assert_eq!(a.user(b"", 0).unwrap().name, b"root");
        assert_eq!(a.user(b"c1", 0).unwrap().name, b"toor");
        assert_eq!(a.user(b"c2", 0), None);
        a.remove_container(b"c1");
        assert_eq!(a.user(b"c1", 0), None);
        assert_eq!(a.count, 1);
    }

    #[test]
    fn bounded() {
        let mut a = Accounts::default();
        for uid in 0..ACCOUNTS_MAX as u32 {
            assert!(a.add_user(b"", user(uid, b"x")));
        }
        assert!(!a.add_user(b"", user(u32::MAX, b"x")));
        assert!(a.add_user(b"", user(0, &[b'n'; 5000])));
        assert_eq!(a.user(b"", 0).unwrap().name.len(), TEXT_MAX);
        a.remove_user(b"", 1);
        assert!(a.add_user(b"", user(u32::MAX, b"x")));
    }
}
