//! What package databases have in common: whose a path is, and what should be in the file.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use rustix::fs::OFlags;

use crate::apk::Apk;
use crate::dpkg::Dpkg;
use crate::file::{Algorithm, Key, open_below};
use crate::rpm::{self, Rpm};

/// Databases that are remembered.
const CACHE_MAX: usize = 8;

/// Whose a file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) package: String,
    pub(crate) version: String,
    /// What is in it as packaged; `None` where the package does not say.
    pub(crate) digest: Option<(Algorithm, Box<[u8]>)>,
}

/// A package database of a root.
pub(crate) enum Database {
    Dpkg(Dpkg),
    Apk(Apk),
    Rpm(Rpm),
}

impl Database {
    fn name(&self) -> &'static str {
        match self {
            Self::Dpkg(_) => "dpkg",
            Self::Apk(_) => "apk",
            Self::Rpm(_) => "rpm",
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Dpkg(all) => all.is_empty(),
            Self::Apk(all) => all.is_empty(),
            Self::Rpm(_) => false,
        }
    }

    fn owner(&self, root: &OwnedFd, path: &[u8]) -> Option<Owner> {
        match self {
            Self::Dpkg(all) => all.owner(root, path),
            Self::Apk(all) => all.owner(path),
            Self::Rpm(all) => all.owner(path),
        }
    }
}

/// What the databases of a root say of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It belongs to a package.
    Owned(&'static str, Owner),
    /// There is a database, and it knows nothing of the file.
    Unowned(&'static str),
    /// There is no database.
    NoDatabase,
    /// There is one that cannot be read.
    Unreadable,
}

/// A database that was read, and the file that says whether it still is the same.
struct Known {
    key: Key,
    used: Instant,
    database: Database,
}

/// Databases of roots, most of which are those of one image many times over.
#[derive(Default)]
pub(crate) struct Databases {
    known: Vec<Known>,
}

impl Databases {
    /// Whose the file is that lies at `path` below the root, if that is the file with this key.
    pub(crate) fn owner(&mut self, root: &OwnedFd, path: &[u8], file: &Key) -> Verdict {
        let mut first = None;
        let mut is_unreadable = false;
        for look in [dpkg, apk, rpm] {
            match self.look(root, look) {
                Look::None => {}
                Look::Unreadable => is_unreadable = true,
                Look::At(at) => {
                    let database = &self.known[at].database;
                    if database.is_empty() {
                        continue;
                    }
                    for name in aliases(path) {
                        if is_at(root, &name, file)
                            && let Some(owner) = database.owner(root, &name)
                        {
                            return Verdict::Owned(database.name(), owner);
                        }
                    }
                    first = first.or(Some(database.name()));
                }
            }
        }
        match first {
            _ if is_unreadable => Verdict::Unreadable,
            Some(name) => Verdict::Unowned(name),
            None => Verdict::NoDatabase,
        }
    }

    fn look(&mut self, root: &OwnedFd, look: fn(&OwnedFd) -> Place) -> Look {
        let (key, load) = match look(root) {
            Place::None => return Look::None,
            Place::Unreadable => return Look::Unreadable,
            Place::At(key, load) => (key, load),
        };
        let now = Instant::now();
        if let Some(at) = self.known.iter().position(|one| one.key == key) {
            self.known[at].used = now;
            return Look::At(at);
        }
        let Some(database) = load(root) else {
            return Look::Unreadable;
        };
        if self.known.len() >= CACHE_MAX {
            let oldest = self
                .known
                .iter()
                .enumerate()
                .min_by_key(|(_, one)| one.used);
            if let Some((at, _)) = oldest {
                self.known.swap_remove(at);
            }
        }
        self.known.push(Known {
            key,
            used: now,
            database,
        });
        Look::At(self.known.len() - 1)
    }
}

/// What kind of package database this machine has: `Err` where it has one that cannot be read, `Ok(None)`
/// where it has none.
///
/// # Errors
/// See above; there is nothing more to say of it.
pub fn of_machine(root: &std::path::Path) -> Result<Option<&'static str>, Unreadable> {
    let Ok(root) = File::open(root).map(OwnedFd::from) else {
        return Err(Unreadable);
    };
    let nothing = Key::of_directory(
        &File::from(root.try_clone().map_err(|_| Unreadable)?)
            .metadata()
            .map_err(|_| Unreadable)?,
    );
    match Databases::default().owner(&root, b"/", &nothing) {
        Verdict::Owned(name, _) | Verdict::Unowned(name) => Ok(Some(name)),
        Verdict::NoDatabase => Ok(None),
        Verdict::Unreadable => Err(Unreadable),
    }
}

/// A package database of a form that is not read: an older one of RPM's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

enum Look {
    None,
    Unreadable,
    At(usize),
}

/// Where a database is, as far as a root has one.
enum Place {
    None,
    Unreadable,
    At(Key, fn(&OwnedFd) -> Option<Database>),
}

fn key(root: &OwnedFd, path: &[u8]) -> Option<Key> {
    Key::of(&crate::file::plain_file(root, path)?)
}

fn dpkg(root: &OwnedFd) -> Place {
    if let Some(key) = key(root, b"var/lib/dpkg/status") {
        return Place::At(key, |root| Dpkg::load(root).map(Database::Dpkg));
    }
    // Images without a package manager have a file for each package.
    let Some(directory) = open_below(root, crate::dpkg::PARTS, OFlags::RDONLY | OFlags::DIRECTORY)
    else {
        return Place::None;
    };
    let Ok(data) = File::from(directory).metadata() else {
        return Place::None;
    };
    Place::At(Key::of_directory(&data), |root| {
        Dpkg::load_parts(root).map(Database::Dpkg)
    })
}

fn apk(root: &OwnedFd) -> Place {
    crate::apk::PLACES
        .iter()
        .find_map(|path| key(root, path))
        .map_or(Place::None, |key| {
            Place::At(key, |root| Apk::load(root).map(Database::Apk))
        })
}

fn rpm(root: &OwnedFd) -> Place {
    if let Some(key) = rpm::PLACES.iter().find_map(|path| key(root, path)) {
        return Place::At(key, |root| Rpm::open(root).map(Database::Rpm));
    }
    let has_other = rpm::OTHERS.iter().any(|path| key(root, path).is_some());
    if has_other {
        Place::Unreadable
    } else {
        Place::None
    }
}

/// The names that a file may go by in a database: where `/bin` is a link to `/usr/bin`, packages may
/// still say `/bin`, and the other way round.
fn aliases(path: &[u8]) -> Vec<Vec<u8>> {
    const MERGED: [&[u8]; 6] = [
        b"/bin/",
        b"/sbin/",
        b"/lib/",
        b"/lib32/",
        b"/lib64/",
        b"/libx32/",
    ];
    if !path.starts_with(b"/") {
        return Vec::new();
    }
    let mut all = vec![path.to_vec()];
    let is_merged = |path: &[u8]| MERGED.iter().any(|start| path.starts_with(start));
    match path.strip_prefix(b"/usr") {
        Some(rest) if is_merged(rest) => all.push(rest.to_vec()),
        _ if is_merged(path) => all.push([b"/usr", path].concat()),
        _ => {}
    }
    all
}

/// Whether a path, by any of its names, leads to this file.
pub(crate) fn leads_to(root: &OwnedFd, path: &[u8], file: &Key) -> bool {
    aliases(path).iter().any(|name| is_at(root, name, file))
}

/// Whether a path leads to this file. A file that was deleted, or replaced since it was started, is not
/// what the package's path speaks of.
fn is_at(root: impl AsFd, path: &[u8], file: &Key) -> bool {
    let Some(opened) = open_below(root, path, OFlags::PATH) else {
        return false;
    };
    let data = File::from(opened).metadata();
    data.is_ok_and(|data| (data.dev(), data.ino()) == (file.dev, file.ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_merged_directories() {
        let all = |path: &str| -> Vec<String> {
            let all = aliases(path.as_bytes());
            all.into_iter()
                .map(|path| String::from_utf8(path).unwrap())
                .collect()
        };
        assert_eq!(all("/usr/bin/ls"), ["/usr/bin/ls", "/bin/ls"]);
        assert_eq!(all("/bin/ls"), ["/bin/ls", "/usr/bin/ls"]);
        assert_eq!(all("/usr/local/bin/x"), ["/usr/local/bin/x"]);
        assert_eq!(all("/opt/x"), ["/opt/x"]);
        assert!(all("memfd:x").is_empty());
    }
}
