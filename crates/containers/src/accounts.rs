//! Users and groups by a container's own files.
//!
//! They are read through `/proc/PID/root`, where everything is the container's to choose: links
//! stay inside, only plain files are read, and no more of them than anybody needs. Reading happens
//! on a thread of its own, for a file system of a container's may never answer.

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use event::snapshot::{Group, User};
use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::counters::count;
use crate::hub::Hub;
use crate::message::Message;

/// Longest file that is read.
const FILE_MAX: u64 = 1 << 20;
/// Most users, and most groups, of one container.
const ACCOUNTS_MAX: usize = 1024;
/// Files that are remembered, by inode.
const CACHE_MAX: usize = 256;
/// A container's first process begins in the host's root: so long it is waited for to leave.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(25);
/// Most containers that are waited for.
const LATER_MAX: usize = 1024;

/// A container whose accounts are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) id: Vec<u8>,
    pub(crate) pid: i64,
    pub(crate) since: Instant,
}

type Accounts = Arc<(Vec<User>, Vec<Group>)>;
/// Device, inode, size and change time of both files: a layer of an image has the same for each of
/// its containers.
type Key = [(u64, u64, u64, i64); 2];

/// Files that were read, and the accounts of images, for containers that are gone too soon.
#[derive(Default)]
struct Cache {
    files: HashMap<Key, Accounts>,
    images: HashMap<(Vec<u8>, Vec<Range>), Accounts>,
}

/// Numbers of a user namespace: first inside, first outside, how many.
type Range = (u32, u32, u32);

/// Questions, those that come first and those that have to be asked again a little later.
struct Questions<'a> {
    new: &'a Receiver<Wanted>,
    later: VecDeque<(Instant, Wanted)>,
}

impl Questions<'_> {
    /// The next one; `None` when nobody asks any more. A process that has just begun may end at
    /// once, so nobody else is waited for meanwhile.
    fn next(&mut self) -> Option<Wanted> {
        loop {
            let due = match self.later.front() {
                None => return self.new.recv().ok(),
                Some((due, _)) => *due,
            };
            if due <= Instant::now() {
                return self.later.pop_front().map(|(_, wanted)| wanted);
            }
            match self.new.recv_deadline(due) {
                Ok(wanted) => return Some(wanted),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// Reads until nobody asks any more.
pub(crate) fn work(hub: &Hub, questions: &Receiver<Wanted>) {
    let proc = hub.settings.on_host("/proc");
    let mut cache = Cache::default();
    let mut questions = Questions {
        new: questions,
        later: VecDeque::new(),
    };
    while let Some(wanted) = questions.next() {
        let image = hub.image_of(&wanted.id);
        let maps = ["uid_map", "gid_map"].map(|name| map(&proc, wanted.pid, name));
        let mut found = read(&proc, wanted.pid, &mut cache.files);
        if let Some(image) = image {
            let key = (image, maps[0].clone());
            if let Found::Accounts(accounts) = &found {
                if cache.images.len() >= CACHE_MAX {
                    cache.images.clear();
                }
                cache.images.insert(key, Arc::clone(accounts));
            } else if matches!(found, Found::Gone)
                && let Some(accounts) = cache.images.get(&key)
            {
                found = Found::Accounts(Arc::clone(accounts));
            }
        }
        match &found {
            Found::Accounts(accounts) => {
                count(&hub.tally.accounts);
                for user in &accounts.0 {
                    let (container, mut user) = (wanted.id.clone(), user.clone());
                    let Some(uid) = outside(&maps[0], user.uid) else {
                        continue;
                    };
                    user.uid = uid;
                    user.gid = outside(&maps[1], user.gid).unwrap_or(user.gid);
                    hub.send(Message::User { container, user });
                }
                for group in &accounts.1 {
                    let (container, mut group) = (wanted.id.clone(), group.clone());
                    let Some(gid) = outside(&maps[1], group.gid) else {
                        continue;
                    };
                    group.gid = gid;
                    hub.send(Message::Group { container, group });
                }
                let id = wanted.id;
                hub.send(Message::Accounts { id, gone: false });
            }
            Found::NotYet
                if wanted.since.elapsed() < PATIENCE && questions.later.len() < LATER_MAX =>
            {
                let due = Instant::now() + PAUSE;
                questions.later.push_back((due, wanted));
            }
            Found::NotYet | Found::Nothing | Found::Gone => {
                let gone = matches!(found, Found::Gone);
                hub.send(Message::Accounts {
                    id: wanted.id,
                    gone,
                });
            }
        }
    }
}

/// The numbers of a process' user namespace; none where it has gone: then they count as the host's.
fn map(proc: &Path, pid: i64, name: &str) -> Vec<Range> {
    let text = std::fs::read_to_string(proc.join(pid.to_string()).join(name)).unwrap_or_default();
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        Some((
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
        ))
    };
    text.lines().filter_map(line).collect()
}

/// A container's number as the host has it; `None` where no number of the host's stands for it.
fn outside(map: &[Range], id: u32) -> Option<u32> {
    if map.is_empty() {
        return Some(id);
    }
    let range = map
        .iter()
        .find(|(inside, _, count)| id >= *inside && id - inside < *count)?;
    range.1.checked_add(id - range.0)
}

enum Found {
    Accounts(Accounts),
    /// The process is still in the host's root.
    NotYet,
    /// The process has ended.
    Gone,
    /// The container has no such files.
    Nothing,
}

fn read(proc: &Path, pid: i64, cache: &mut HashMap<Key, Accounts>) -> Found {
    let root = proc.join(pid.to_string()).join("root");
    let Ok(own) = std::fs::metadata(&root) else {
        return Found::Gone;
    };
    // Not everybody may look at the first process' root; our own is the host's then.
    let host = std::fs::metadata(proc.join("1/root"));
    let host = host.or_else(|_| std::fs::metadata(proc.join("self/root")));
    if host.is_ok_and(|host| (host.dev(), host.ino()) == (own.dev(), own.ino())) {
        return Found::NotYet;
    }
    let (passwd, group) = (open(&root, "etc/passwd"), open(&root, "etc/group"));
    if passwd.is_none() && group.is_none() {
        return Found::Nothing;
    }
    let key = [key(passwd.as_ref()), key(group.as_ref())];
    if let Some(found) = cache.get(&key) {
        return Found::Accounts(Arc::clone(found));
    }
    let accounts: Accounts = Arc::new((users(&text(passwd)), groups(&text(group))));
    if cache.len() >= CACHE_MAX {
        cache.clear();
    }
    cache.insert(key, Arc::clone(&accounts));
    Found::Accounts(accounts)
}

/// Opens a plain file below `root`; links lead nowhere outside of it.
fn open(root: &Path, below: &str) -> Option<std::fs::File> {
    let directory = rustix::fs::open(
        PathBuf::from(root),
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .ok()?;
    let file = rustix::fs::openat2(
        directory,
        below,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    )
    .ok()?;
    let file = std::fs::File::from(file);
    file.metadata().ok()?.is_file().then_some(file)
}

fn key(file: Option<&std::fs::File>) -> (u64, u64, u64, i64) {
    let data = file.and_then(|file| file.metadata().ok());
    data.map_or((0, 0, 0, 0), |d| {
        (d.dev(), d.ino(), d.size(), d.ctime_nsec() ^ d.ctime())
    })
}

fn text(file: Option<std::fs::File>) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(file) = file {
        // What could be read is better than nothing.
        let _ = file.take(FILE_MAX).read_to_end(&mut text);
    }
    text
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn users(passwd: &[u8]) -> Vec<User> {
    let lines = passwd.split(|&b| b == b'\n');
    lines
        .filter_map(|line| {
            let mut parts = line.split(|&b| b == b':');
            let (name, _, uid, gid) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let (_, home, shell) = (parts.next()?, parts.next()?, parts.next()?);
            Some(User {
                uid: number(uid)?,
                gid: number(gid)?,
                name: name.to_vec(),
                home: home.to_vec(),
                shell: shell.to_vec(),
            })
        })
        .filter(|user| !user.name.is_empty())
        .take(ACCOUNTS_MAX)
        .collect()
}

fn groups(group: &[u8]) -> Vec<Group> {
    let lines = group.split(|&b| b == b'\n');
    lines
        .filter_map(|line| {
            let mut parts = line.split(|&b| b == b':');
            let (name, _, gid) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Group {
                gid: number(gid)?,
                name: name.to_vec(),
            })
        })
        .filter(|group| !group.name.is_empty())
        .take(ACCOUNTS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_container_s_own_files() {
        let dir = tempfile::tempdir().unwrap();
        let proc = dir.path();
        for (pid, root) in [("1", "host"), ("7", "box"), ("8", "evil"), ("9", "host")] {
            std::fs::create_dir_all(proc.join(root).join("etc")).unwrap();
            std::fs::create_dir_all(proc.join(pid)).unwrap();
            std::os::unix::fs::symlink(proc.join(root), proc.join(pid).join("root")).unwrap();
        }
        std::fs::write(proc.join("box/real"), "app:x:7:8:A:/srv:/bin/sh\nbad\n").unwrap();
        std::os::unix::fs::symlink("/real", proc.join("box/etc/passwd")).unwrap();
        std::fs::write(proc.join("box/etc/group"), "grp:x:8:\n").unwrap();
        let secret = proc.join("secret");
        std::fs::write(&secret, "secret:x:7:8::/:\n").unwrap();
        std::os::unix::fs::symlink(&secret, proc.join("evil/etc/passwd")).unwrap();
        let mut cache = HashMap::new();
        for _ in 0..2 {
            let Found::Accounts(found) = read(proc, 7, &mut cache) else {
                panic!("not read");
            };
            assert_eq!((found.0.len(), &found.0[0].name[..]), (1, &b"app"[..]));
            assert_eq!((found.1[0].gid, cache.len()), (8, 1));
        }
        assert!(matches!(read(proc, 8, &mut cache), Found::Nothing));
        assert!(matches!(read(proc, 9, &mut cache), Found::NotYet));
        assert!(matches!(read(proc, 10, &mut cache), Found::Gone));
    }

    #[test]
    fn numbers_of_a_user_namespace() {
        let map = [(0, 1000, 1), (1, 100_000, 65_536)];
        assert_eq!(outside(&map, 0), Some(1000));
        assert_eq!(outside(&map, 33), Some(100_032));
        assert_eq!(outside(&map, 70_000), None);
        assert_eq!(outside(&[], 7), Some(7));
        assert_eq!(outside(&[(0, u32::MAX, 10)], 5), None);
    }

    #[test]
    fn files_of_any_bytes() {
        let many: Vec<u8> = (0..5000)
            .flat_map(|i| format!("u{i}:x:{i}:0::/:\n").into_bytes())
            .collect();
        assert_eq!(users(&many).len(), ACCOUNTS_MAX);
        assert_eq!(
            users(b"\xff\xfe:x:1:1:::\n:x:1:1:::\na:x:-1:1:::\n").len(),
            1
        );
        assert!(groups(b"a:b\n::::").is_empty());
    }
}
