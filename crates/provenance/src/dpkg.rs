//! Debian's package database.
//!
//! ```text
//! /var/lib/dpkg/status              stanzas: Package, Architecture, Version, Conffiles
//! /var/lib/dpkg/info/NAME.list      paths of a package, one a line
//! /var/lib/dpkg/info/NAME.md5sums   "MD5  path without its slash" of its files, but for those of the configuration
//! /var/lib/dpkg/diversions          three lines each: path, where it went, by which package
//! /var/lib/dpkg/status.d/NAME...    the same in images without dpkg itself: a stanza, and NAME.md5sums
//! ```
//!
//! Of the paths only hashes are kept: a few megabytes for a machine with everything. What a hash finds is
//! looked for in the package's own list before it is believed.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Dir, OFlags};

use crate::database::Owner;
use crate::file::{Algorithm, content, open_below};

/// Where images without dpkg have it.
pub(crate) const PARTS: &[u8] = b"var/lib/dpkg/status.d";
const INFO: &[u8] = b"var/lib/dpkg/info";
const STATUS: &[u8] = b"var/lib/dpkg/status";
const DIVERSIONS: &[u8] = b"var/lib/dpkg/diversions";

/// Largest file of the database that is read, and the sum of all.
const FILE_MAX: u64 = 64 << 20;
const TOTAL_MAX: usize = 256 << 20;
const PACKAGES_MAX: usize = 65_536;
const PATHS_MAX: usize = 4_000_000;
/// Nothing below these is a program.
const NO_PROGRAMS: [&[u8]; 5] = [
    b"/usr/share/doc/",
    b"/usr/share/man/",
    b"/usr/share/locale/",
    b"/usr/share/icons/",
    b"/usr/share/info/",
];

/// The paths of a root's packages.
pub(crate) struct Dpkg {
    hasher: RandomState,
    /// Hash of a path, and its package.
    paths: HashMap<u64, u32>,
    /// Names of the files of each package, without their ending: `libc6:amd64`.
    packages: Vec<Box<str>>,
    /// By package, with and without its architecture.
    versions: HashMap<Box<str>, Box<str>>,
    diversions: Vec<Diversion>,
    folder: &'static [u8],
    /// Paths of a package are in the file with this ending.
    ending: &'static str,
}

/// A path that belongs to another package than the one that brought it.
struct Diversion {
    path: Box<[u8]>,
    to: Box<[u8]>,
    /// `:` is the administrator.
    by: Box<str>,
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
}

impl Dpkg {
    /// Reads a root's database; `None` where it makes no sense.
    pub(crate) fn load(root: &OwnedFd) -> Option<Self> {
        let mut all = Self::empty(INFO, ".list");
        all.read_stanzas(&content(root, STATUS, FILE_MAX)?);
        let diversions = content(root, DIVERSIONS, FILE_MAX).unwrap_or_default();
        let mut parts = lines(&diversions);
        while let (Some(path), Some(to), Some(by)) = (parts.next(), parts.next(), parts.next()) {
            all.diversions.push(Diversion {
                path: path.into(),
                to: to.into(),
                by: String::from_utf8_lossy(by).into(),
            });
        }
        all.read_paths(root)?;
        Some(all)
    }

    /// The same where each package has files of its own.
    pub(crate) fn load_parts(root: &OwnedFd) -> Option<Self> {
        let mut all = Self::empty(PARTS, ".md5sums");
        let folder = open_below(root, PARTS, OFlags::RDONLY | OFlags::DIRECTORY)?;
        for name in names(&folder)? {
            if !name.ends_with(".md5sums")
                && let Some(stanza) = content(&folder, name.as_bytes(), FILE_MAX)
            {
                all.read_stanzas(&stanza);
            }
        }
        all.read_paths(root)?;
        Some(all)
    }

    fn empty(folder: &'static [u8], ending: &'static str) -> Self {
        Self {
            hasher: RandomState::new(),
            paths: HashMap::new(),
            packages: Vec::new(),
            versions: HashMap::new(),
            diversions: Vec::new(),
            folder,
            ending,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    fn read_stanzas(&mut self, text: &[u8]) {
        let (mut package, mut architecture, mut version) = ("", "", "");
        let text = String::from_utf8_lossy(text);
        for line in text.lines().chain([""]) {
            if let Some(value) = line.strip_prefix("Package: ") {
                package = value.trim();
            } else if let Some(value) = line.strip_prefix("Architecture: ") {
                architecture = value.trim();
            } else if let Some(value) = line.strip_prefix("Version: ") {
                version = value.trim();
            } else if line.is_empty() {
                if !package.is_empty() && self.versions.len() < 2 * PACKAGES_MAX {
                    let exact = format!("{package}:{architecture}");
                    self.versions.insert(exact.into(), version.into());
                    self.versions.insert(package.into(), version.into());
                }
                (package, architecture, version) = ("", "", "");
            }
        }
    }

    fn read_paths(&mut self, root: &OwnedFd) -> Option<()> {
        let folder = open_below(root, self.folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut total = 0;
        for name in names(&folder)? {
            let Some(package) = name.strip_suffix(self.ending) else {
                continue;
            };
            if self.packages.len() >= PACKAGES_MAX {
                break;
            }
            // One that cannot be read now would make its programs nobody's.
            let list = content(&folder, name.as_bytes(), FILE_MAX)?;
            total += list.len();
            // Half a database would call packaged what is not there, and the other way round.
            if total > TOTAL_MAX || self.paths.len() > PATHS_MAX {
                return None;
            }
            let number = self.packages.len() as u32;
            self.packages.push(package.into());
            for line in lines(&list) {
                let path = match self.ending {
                    ".list" => line.to_vec(),
                    _ => match summed(line) {
                        Some((_, path)) => path,
                        None => continue,
                    },
                };
                if !NO_PROGRAMS.iter().any(|start| path.starts_with(start)) {
                    self.paths.insert(self.hasher.hash_one(&path), number);
                }
            }
        }
        Some(())
    }

    /// The package that lists a path.
    fn lister(&self, folder: impl AsFd, path: &[u8]) -> Option<&str> {
        let number = *self.paths.get(&self.hasher.hash_one(path.to_vec()))?;
        let package = self.packages.get(number as usize)?;
        let name = format!("{package}{}", self.ending);
        let list = content(folder, name.as_bytes(), FILE_MAX)?;
        let mut listed = lines(&list);
        let is_listed = match self.ending {
            ".list" => listed.any(|line| line == path),
            _ => listed.any(|line| summed(line).is_some_and(|(_, own)| own == path)),
        };
        is_listed.then_some(package)
    }

    /// Whose a path is.
    pub(crate) fn owner(&self, root: &OwnedFd, path: &[u8]) -> Option<Owner> {
        let folder = open_below(root, self.folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut packaged_as = path;
        let mut by = None;
        for diversion in &self.diversions {
            if *diversion.to == *path {
                packaged_as = &diversion.path;
            }
            if *diversion.path == *path {
                by = Some(&diversion.by);
            }
        }
        let package = match by {
            // The one that has taken the path; its files are listed under it too.
            Some(by) => {
                let mut own = self.packages.iter();
                own.find(|package| package.split(':').next() == Some(by))?
            }
            None => self.lister(&folder, packaged_as)?,
        };
        let sums = format!("{package}.md5sums");
        let sums = content(&folder, sums.as_bytes(), FILE_MAX).unwrap_or_default();
        let mut sums = lines(&sums).filter_map(summed);
        let sum = sums.find(|(_, own)| own == packaged_as).map(|(sum, _)| sum);
        if by.is_some() && sum.is_none() {
            return None;
        }
        let digest = sum.or_else(|| configured(root, packaged_as));
        let name = package.split(':').next().unwrap_or(package);
        let version = self
            .versions
            .get(package)
            .or_else(|| self.versions.get(name));
        Some(Owner {
            package: name.to_owned(),
            version: version.map(ToString::to_string).unwrap_or_default(),
            digest: digest.map(|sum| (Algorithm::Md5, sum)),
        })
    }
}

/// Names in a folder.
fn names(folder: &OwnedFd) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for entry in Dir::read_from(folder)
        .ok()?
        .flatten()
        .take(8 * PACKAGES_MAX)
    {
        if let Ok(name) = entry.file_name().to_str() {
            all.push(name.to_owned());
        }
    }
    all.sort_unstable();
    Some(all)
}

/// A line of `.md5sums`: the sum, and the path with its slash.
fn summed(line: &[u8]) -> Option<(Box<[u8]>, Vec<u8>)> {
    let (sum, path) = line.split_at_checked(32)?;
    let path = path
        .strip_prefix(b"  ")
        .or_else(|| path.strip_prefix(b" *"))?;
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let path = path.strip_prefix(b"/").unwrap_or(path);
    Some((bytes(sum)?, [b"/", path].concat()))
}

/// Bytes of a hexadecimal number.
pub(crate) fn bytes(text: &[u8]) -> Option<Box<[u8]>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
        _ => None,
    });
    pairs.collect()
}

/// The sum of a file of the configuration: ` PATH MD5` below `Conffiles:` of some stanza.
fn configured(root: &OwnedFd, path: &[u8]) -> Option<Box<[u8]>> {
    let status = content(root, STATUS, FILE_MAX)?;
    let line = lines(&status).find_map(|line| {
        let rest = line.strip_prefix(b" ")?.strip_prefix(path)?;
        rest.strip_prefix(b" ")
    })?;
    bytes(line.split(|&byte| byte == b' ').next()?).filter(|sum| sum.len() == 16)
}

/// Only tests need to see where it is.
#[cfg(test)]
fn write(root: &std::path::Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A root as a handle.
#[cfg(test)]
pub(crate) fn handle(root: &std::path::Path) -> OwnedFd {
    std::fs::File::open(root).unwrap().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "623e332d8ae2db8a2d050dcce9510b47";

    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let status = format!(
            "Package: dash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.5.12-2\n\
             Conffiles:\n /etc/init.d/dash {SUM}\n\nPackage: libc6\nArchitecture: amd64\n\
             Version: 2.36-9\n\nPackage: libc6\nArchitecture: i386\nVersion: 2.36-9\n\n\
             Package: linux-perf\nVersion: 6.1\n"
        );
        write(root.path(), "var/lib/dpkg/status", &status);
        let info = "var/lib/dpkg/info";
        for (name, text) in [
            (
                "dash.list",
                "/.\n/bin\n/bin/dash\n/usr/share/doc/dash\n/etc/init.d/dash\n".to_owned(),
            ),
            ("dash.md5sums", format!("{SUM}  bin/dash\n")),
            ("libc6:amd64.list", "/lib64/ld.so\n".to_owned()),
            ("libc6:amd64.md5sums", "nonsense\n".to_owned()),
            ("perf-old.list", "/usr/bin/perf\n".to_owned()),
            (
                "perf-old.md5sums",
                format!("{}  usr/bin/perf\n", SUM.replace('6', "7")),
            ),
            ("linux-perf.list", "/usr/bin/perf\n".to_owned()),
            ("linux-perf.md5sums", format!("{SUM}  usr/bin/perf\n")),
        ] {
            write(root.path(), &format!("{info}/{name}"), &text);
        }
        let diversions = "/usr/bin/perf\n/usr/bin/perf.old\nlinux-perf\n/bin/x\n/bin/x.old\n:\n";
        write(root.path(), "var/lib/dpkg/diversions", diversions);
        root
    }

    fn owner(root: &tempfile::TempDir, path: &str) -> Option<(String, String, bool)> {
        let root = handle(root.path());
        let all = Dpkg::load(&root).unwrap();
        assert!(!all.is_empty());
        let owner = all.owner(&root, path.as_bytes())?;
        let is_summed = owner.digest == Some((Algorithm::Md5, bytes(SUM.as_bytes()).unwrap()));
        Some((owner.package, owner.version, is_summed))
    }

    #[test]
    fn whose_a_path_is() {
        let root = machine();
        let is = |name: &str, version: &str, is_summed| {
            Some((name.to_owned(), version.to_owned(), is_summed))
        };
        assert_eq!(owner(&root, "/bin/dash"), is("dash", "0.5.12-2", true));
        assert_eq!(
            owner(&root, "/etc/init.d/dash"),
            is("dash", "0.5.12-2", true)
        );
        assert_eq!(owner(&root, "/lib64/ld.so"), is("libc6", "2.36-9", false));
        assert_eq!(owner(&root, "/bin/evil"), None);
        assert_eq!(owner(&root, "/bin/das"), None);
    }

    #[test]
    fn diverted_paths() {
        let root = machine();
        let of = |path: &str| owner(&root, path).map(|(name, ..)| name);
        assert_eq!(of("/usr/bin/perf").as_deref(), Some("linux-perf"));
        // The other package's file lies elsewhere, under its old path in its list.
        assert!(of("/usr/bin/perf.old").is_some());
        assert_eq!(of("/bin/x"), None, "the administrator's own");
    }

    #[test]
    fn images_without_a_package_manager() {
        let root = tempfile::tempdir().unwrap();
        let part = "var/lib/dpkg/status.d";
        let stanza = "Package: base-files\nVersion: 12.4\nArchitecture: amd64\n";
        write(root.path(), &format!("{part}/base-files"), stanza);
        let sums = format!("{SUM}  ./usr/bin/tool\n");
        write(root.path(), &format!("{part}/base-files.md5sums"), &sums);
        let root = handle(root.path());
        let all = Dpkg::load_parts(&root).unwrap();
        let owner = all.owner(&root, b"/usr/bin/tool").unwrap();
        assert_eq!((&*owner.package, &*owner.version), ("base-files", "12.4"));
        assert!(owner.digest.is_some());
    }

    #[test]
    fn any_bytes_are_borne() {
        let root = machine();
        for text in ["", "\n\n\n", " ", "Package: \n", "\u{fffd}\u{0}", "/a\n/b"] {
            for name in [
                "status",
                "diversions",
                "info/dash.list",
                "info/dash.md5sums",
            ] {
                write(root.path(), &format!("var/lib/dpkg/{name}"), text);
                let handle = handle(root.path());
                if let Some(all) = Dpkg::load(&handle) {
                    all.owner(&handle, b"/bin/dash");
                    all.owner(&handle, b"");
                }
            }
        }
        assert_eq!(bytes(b"abc"), None);
        assert_eq!(bytes(b"zz"), None);
    }
}
