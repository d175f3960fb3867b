//! Finding a program's file, and its digests.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use md5::{Digest as _, Md5};
use ring::digest;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use state::{ProgramFile, ProgramQuestion};

/// Largest file that is digested, in bytes.
pub const SIZE_MAX: u64 = 256 << 20;
/// Files whose digests are remembered, in each of two halves.
const CACHE_MAX: usize = 2048;
/// Bytes that are read at once.
const PIECE: usize = 128 << 10;

/// A file as the kernel knows it: as long as this is the same, so is what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    ctime: i128,
    mtime: i128,
    pub(crate) size: u64,
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}

impl Key {
    pub(crate) fn of(file: &File) -> Option<Self> {
        let data = file.metadata().ok()?;
        data.is_file().then(|| Self::of_directory(&data))
    }

    /// The same of what need not be a file.
    pub(crate) fn of_directory(data: &std::fs::Metadata) -> Self {
        Self {
            dev: data.dev(),
            ino: data.ino(),
            ctime: nanoseconds(data.ctime(), data.ctime_nsec()),
            mtime: nanoseconds(data.mtime(), data.mtime_nsec()),
            size: data.size(),
        }
    }

    /// Whether this is the file that an event was about. Another name for it, or none any more, changes
    /// the inode but not what is in it; an overlay may number its files otherwise.
    fn is(&self, file: &ProgramFile) -> bool {
        let same_change = self.ctime == i128::from(file.ctime);
        self.mtime == i128::from(file.mtime) && (self.ino == file.ino || same_change)
    }
}

/// A program's file, opened, and the roots in which its package may be known: that of the process first.
pub(crate) struct Found {
    pub(crate) file: File,
    pub(crate) key: Key,
    pub(crate) roots: Vec<Root>,
    /// The first of them is the root of the process itself, not that of a relative.
    pub(crate) is_own: bool,
}

/// What leads to a process's program and root even after it has ended. Taking it reads nothing from a file system.
pub(crate) struct Grip {
    program: Option<OwnedFd>,
    root: Option<Root>,
}

impl Grip {
    /// Of a process that runs, or has just ended.
    pub(crate) fn take(proc: &Path, pid: i64) -> Self {
        let program = proc.join(pid.to_string()).join("exe");
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        Self {
            program: rustix::fs::open(program, flags, Mode::empty()).ok(),
            root: root_of(proc, pid),
        }
    }

    /// Nothing.
    #[cfg(test)]
    pub(crate) const fn none() -> Self {
        Self {
            program: None,
            root: None,
        }
    }
}

/// The directory that a process takes for the root.
pub(crate) struct Root {
    pub(crate) directory: OwnedFd,
    /// Where it lies for us; empty where that is the same.
    above: Vec<u8>,
}

impl Root {
    /// A path as the kernel has it, as it is called in this root.
    pub(crate) fn inside<'p>(&self, path: &'p [u8]) -> &'p [u8] {
        let rest = path.strip_prefix(&self.above[..]);
        rest.filter(|rest| rest.starts_with(b"/")).unwrap_or(path)
    }
}

fn root_of(proc: &Path, pid: i64) -> Option<Root> {
    let path = proc.join(pid.to_string()).join("root");
    let above = std::fs::read_link(&path).ok()?;
    let above = above.as_os_str().as_bytes();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Some(Root {
        directory: rustix::fs::open(path, flags, Mode::empty()).ok()?,
        above: above.strip_suffix(b"/").unwrap_or(above).to_vec(),
    })
}

/// Opens what lies below a root; links lead nowhere outside of it.
pub(crate) fn open_below(root: impl AsFd, path: &[u8], flags: OFlags) -> Option<OwnedFd> {
    let below = path.strip_prefix(b"/").unwrap_or(path);
    rustix::fs::openat2(
        root,
        Path::new(std::ffi::OsStr::from_bytes(below)),
        flags | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    )
    .ok()
}

/// Opens a plain file below a root, to be read.
pub(crate) fn plain_file(root: impl AsFd, path: &[u8]) -> Option<File> {
    // What this opens may be a pipe or a device: it must not wait for the other end.
    let file = open_below(
        root,
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
    )?;
    let file = File::from(file);
    file.metadata().ok()?.is_file().then_some(file)
}

/// A plain file below a root as a whole; `None` where it is larger than `max`.
pub(crate) fn content(root: impl AsFd, path: &[u8], max: u64) -> Option<Vec<u8>> {
    let file = plain_file(root, path)?;
    let mut text = Vec::new();
    file.take(max + 1).read_to_end(&mut text).ok()?;
    (text.len() as u64 <= max).then_some(text)
}

/// The file that a question is about, if any of the named processes, or what was taken of the first, leads to it.
pub(crate) fn find(proc: &Path, question: &ProgramQuestion, grip: Option<Grip>) -> Option<Found> {
    let Grip { program, root } = grip.unwrap_or_else(|| Grip::take(proc, question.pid));
    let running = program.and_then(|held| {
        File::options()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(format!("/proc/self/fd/{}", held.as_raw_fd()))
            .ok()
    });
    let host = question.file.container.is_empty().then_some(1);
    let others = question.others.iter().copied().chain(host);
    if let Some(file) = running
        && let Some(key) = Key::of(&file).filter(|key| key.is(&question.file))
    {
        let is_own = root.is_some();
        // A program may leave for another root before it is looked at.
        let others = others.filter_map(|pid| root_of(proc, pid));
        let roots = root.into_iter().chain(others).collect();
        return Some(Found {
            file,
            key,
            roots,
            is_own,
        });
    }
    others.into_iter().find_map(|pid| {
        let root = root_of(proc, pid)?;
        let file = plain_file(&root.directory, root.inside(&question.file.path))?;
        let key = Key::of(&file).filter(|key| key.is(&question.file))?;
        Some(Found {
            file,
            key,
            roots: vec![root],
            is_own: false,
        })
    })
}

/// What packages name their files' contents by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

enum Context {
    Md5(Md5),
    Ring(digest::Context),
}

impl Algorithm {
    fn begin(self) -> Context {
        let ring = match self {
            Self::Md5 => return Context::Md5(Md5::new()),
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        Context::Ring(digest::Context::new(ring))
    }
}

impl Context {
    fn take(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(context) => context.update(bytes),
            Self::Ring(context) => context.update(bytes),
        }
    }

    fn end(self) -> Box<[u8]> {
        match self {
            Self::Md5(context) => context.finalize().to_vec().into(),
            Self::Ring(context) => context.finish().as_ref().into(),
        }
    }
}

/// Digests of files that were read, by what tells files apart.
#[derive(Default)]
pub(crate) struct Digests {
    young: HashMap<(Key, Algorithm), Box<[u8]>>,
    old: HashMap<(Key, Algorithm), Box<[u8]>>,
    /// Bytes that were read.
    pub(crate) read: u64,
}

impl Digests {
    /// Digests of a file; `None` where it is too large, cannot be read, or changes meanwhile.
    pub(crate) fn of(
        &mut self,
        found: &mut Found,
        algorithms: &[Algorithm],
    ) -> Option<Vec<Box<[u8]>>> {
        let key = found.key;
        let known: Option<Vec<_>> = algorithms
            .iter()
            .map(|algorithm| self.known((key, *algorithm)))
            .collect();
        if known.is_some() {
            return known;
        }
        if key.size > SIZE_MAX {
            return None;
        }
        let all = digest(&found.file, algorithms, &mut self.read)?;
        // What was read is what was there only if nobody wrote meanwhile.
        if Key::of(&found.file)? != key {
            return None;
        }
        for (algorithm, digest) in algorithms.iter().zip(&all) {
            if self.young.len() >= CACHE_MAX {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert((key, *algorithm), digest.clone());
        }
        Some(all)
    }

    fn known(&self, key: (Key, Algorithm)) -> Option<Box<[u8]>> {
        let found = self.young.get(&key).or_else(|| self.old.get(&key));
        found.cloned()
    }
}

/// Reads a file from its beginning.
fn digest(mut file: &File, algorithms: &[Algorithm], read: &mut u64) -> Option<Vec<Box<[u8]>>> {
    use std::io::Seek as _;
    file.rewind().ok()?;
    let mut contexts: Vec<Context> = algorithms.iter().map(|one| one.begin()).collect();
    let mut piece = vec![0; PIECE];
    let mut total = 0;
    loop {
        let length = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        total += length as u64;
        // It may have grown since it was measured.
        if total > SIZE_MAX {
            return None;
        }
        contexts
            .iter_mut()
            .for_each(|context| context.take(&piece[..length]));
    }
    *read += total;
    Some(contexts.into_iter().map(Context::end).collect())
}

/// In hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_a_known_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let file = File::open(&path).unwrap();
        let key = Key::of(&file).unwrap();
        let mut found = Found {
            file,
            key,
            roots: Vec::new(),
            is_own: true,
        };
        let mut digests = Digests::default();
        let all = [Algorithm::Sha256, Algorithm::Md5, Algorithm::Sha1];
        for _ in 0..2 {
            let texts: Vec<_> = digests.of(&mut found, &all).unwrap();
            let texts: Vec<_> = texts.iter().map(|one| hexadecimal(one)).collect();
            assert_eq!(
                texts,
                [
                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                    "900150983cd24fb0d6963f7d28e17f72",
                    "a9993e364706816aba3e25717850c26c9cd0d89d",
                ]
            );
        }
        assert_eq!(digests.read, 3, "it is read once");
        // A file that became another one since it was found has no digest.
        std::fs::write(&path, "abcd").unwrap();
        let sha512 = [Algorithm::Sha512];
        assert_eq!(digests.of(&mut found, &sha512), None);
        let large = File::create(dir.path().join("large")).unwrap();
        large.set_len(SIZE_MAX + 1).unwrap();
        let file = File::open(dir.path().join("large")).unwrap();
        let key = Key::of(&file).unwrap();
        let mut found = Found {
            file,
            key,
            roots: Vec::new(),
            is_own: true,
        };
        assert_eq!(digests.of(&mut found, &sha512), None);
    }

    #[test]
    fn links_stay_below_the_root() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("own"), "y").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), root.join("out")).unwrap();
        std::os::unix::fs::symlink("/own", root.join("in")).unwrap();
        let handle = rustix::fs::open(&root, OFlags::PATH, Mode::empty()).unwrap();
        assert!(plain_file(&handle, b"/out").is_none());
        assert!(plain_file(&handle, b"../secret").is_none());
        assert_eq!(content(&handle, b"/in", 1).unwrap(), b"y");
        assert_eq!(content(&handle, b"/in", 0), None);
    }
}
