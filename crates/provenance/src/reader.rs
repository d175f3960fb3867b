//! One question from beginning to end.

use std::path::PathBuf;

use state::{ProgramIdentity, ProgramQuestion};

use crate::database::{Databases, Verdict, leads_to};
use crate::file::{Algorithm, Digests, Grip, find, hexadecimal};

/// What was found out, and whether the next process would be told the same.
pub(crate) struct Outcome {
    pub(crate) identity: ProgramIdentity,
    pub(crate) is_lasting: bool,
}

/// Reads files and databases, and remembers them.
pub(crate) struct Reader {
    proc: PathBuf,
    digests: Digests,
    databases: Databases,
}

impl Reader {
    /// Of a machine whose `/proc` this is.
    pub(crate) fn new(proc: PathBuf) -> Self {
        Self {
            proc,
            digests: Digests::default(),
            databases: Databases::default(),
        }
    }

    /// Bytes that were read to be digested.
    pub(crate) fn read(&self) -> u64 {
        self.digests.read
    }

    /// What a program's file is; `grip` was taken when the question came.
    pub(crate) fn answer(&mut self, question: &ProgramQuestion, grip: Option<Grip>) -> Outcome {
        let Some(mut found) = find(&self.proc, question, grip) else {
            // Nobody leads to it any more: the next process that runs it may live longer.
            return Outcome {
                identity: ProgramIdentity::default(),
                is_lasting: false,
            };
        };
        let path = &question.file.path;
        // That in which the path leads to the file; the process's own where none does.
        let mut roots = found.roots.iter();
        let root = roots
            .find(|root| leads_to(&root.directory, root.inside(path), &found.key))
            .or(found.roots.first());
        let verdict = match root {
            Some(root) => {
                let path = root.inside(path);
                self.databases.owner(&root.directory, path, &found.key)
            }
            None => Verdict::Unreadable,
        };
        // The process that ended may have had a root of its own, with a database of its own: the next one will tell.
        let is_lasting = found.is_own || matches!(verdict, Verdict::Owned(..));
        let mut identity = ProgramIdentity::default();
        let mut packaged = None;
        let mut is_known = true;
        match verdict {
            Verdict::Owned(database, owner) => {
                identity.database = database.into();
                identity.package = owner.package.into();
                identity.version = owner.version.into();
                packaged = owner.digest;
            }
            Verdict::Unowned(database) => identity.database = database.into(),
            Verdict::NoDatabase => identity.database = "none".into(),
            Verdict::Unreadable => is_known = false,
        }
        let mut algorithms = vec![Algorithm::Sha256];
        algorithms.extend(packaged.iter().map(|(algorithm, _)| *algorithm));
        algorithms.dedup();
        match self.digests.of(&mut found, &algorithms) {
            Some(digests) => {
                identity.hash = hexadecimal(&digests[0]).into();
                identity.intact =
                    packaged.map(|(_, sum)| digests.last().is_some_and(|digest| **digest == *sum));
            }
            None => is_known = false,
        }
        identity.is_complete = is_known;
        Outcome {
            identity,
            is_lasting,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::Path;

    use state::ProgramFile;

    use super::*;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A machine with a root for process 7, which runs the file at this path.
    fn machine(path: &str) -> (tempfile::TempDir, ProgramQuestion) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        write(&root.join("usr/bin/tool"), "abc");
        write(&root.join("tmp/own"), "other");
        symlink("usr/bin", root.join("bin")).unwrap();
        write(
            &root.join("var/lib/dpkg/status"),
            "Package: tools\nVersion: 1\n",
        );
        let info = root.join("var/lib/dpkg/info");
        write(&info.join("tools.list"), "/bin/tool\n/bin/gone\n");
        let sums = "900150983cd24fb0d6963f7d28e17f72  bin/tool\n";
        write(&info.join("tools.md5sums"), sums);
        let process = dir.path().join("proc/7");
        std::fs::create_dir_all(&process).unwrap();
        symlink(&root, process.join("root")).unwrap();
        let file = root.join(path.trim_start_matches('/'));
        symlink(&file, process.join("exe")).unwrap();
        let question = question(&file, path);
        (dir, question)
    }

    fn question(file: &Path, path: &str) -> ProgramQuestion {
        let data = std::fs::metadata(file).unwrap();
        let time = |seconds: i64, rest: i64| (seconds * 1_000_000_000 + rest) as u64;
        ProgramQuestion {
            file: ProgramFile {
                container: b"box"[..].into(),
                path: path.as_bytes().into(),
                ino: data.ino(),
                ctime: time(data.ctime(), data.ctime_nsec()),
                mtime: time(data.mtime(), data.mtime_nsec()),
            },
            pid: 7,
            others: Vec::new(),
            from_memory: false,
        }
    }

    fn answer(dir: &tempfile::TempDir, question: &ProgramQuestion) -> Outcome {
        Reader::new(dir.path().join("proc")).answer(question, None)
    }

    #[test]
    fn a_packaged_file_and_one_that_was_changed() {
        let (dir, asked) = machine("/usr/bin/tool");
        let told = answer(&dir, &asked).identity;
        assert!(told.is_complete && told.hash.starts_with("ba7816bf"));
        assert_eq!(
            (&*told.package, &*told.version, &*told.database, told.intact),
            ("tools", "1", "dpkg", Some(true))
        );
        let file = dir.path().join("root/usr/bin/tool");
        std::fs::write(&file, "evil").unwrap();
        let told = answer(&dir, &question(&file, "/usr/bin/tool")).identity;
        assert_eq!((&*told.package, told.intact), ("tools", Some(false)));
    }

    #[test]
    fn a_file_of_no_package() {
        let (dir, asked) = machine("/tmp/own");
        let told = answer(&dir, &asked).identity;
        assert!(told.is_complete && told.package.is_empty());
        assert_eq!((&*told.database, told.intact), ("dpkg", None));
        std::fs::remove_dir_all(dir.path().join("root/var")).unwrap();
        assert_eq!(&*answer(&dir, &asked).identity.database, "none");
        // A package's path whose file is another one by now is not the package's file.
        let (dir, mut asked) = machine("/tmp/own");
        asked.file.path = b"/usr/bin/tool"[..].into();
        assert!(answer(&dir, &asked).identity.package.is_empty());
    }

    #[test]
    fn a_process_that_is_gone() {
        let (dir, mut asked) = machine("/usr/bin/tool");
        asked.pid = 9;
        let outcome = answer(&dir, &asked);
        assert!(!outcome.is_lasting && !outcome.identity.is_complete);
        // Another one of the same container leads to the same file.
        asked.others = vec![8, 7];
        assert_eq!(&*answer(&dir, &asked).identity.package, "tools");
        // Who has its number now runs something else.
        asked.pid = 7;
        asked.others.clear();
        asked.file.mtime += 1;
        assert!(!answer(&dir, &asked).is_lasting);
    }

    #[test]
    fn who_is_gone_by_now_was_held_on_to() {
        let (dir, asked) = machine("/tmp/own");
        let proc = dir.path().join("proc");
        let grip = Grip::take(&proc, 7);
        std::fs::remove_dir_all(proc.join("7")).unwrap();
        let outcome = Reader::new(proc.clone()).answer(&asked, Some(grip));
        assert_eq!(&*outcome.identity.database, "dpkg");
        assert!(outcome.is_lasting && outcome.identity.is_complete);
        let nothing = Reader::new(proc).answer(&asked, Some(Grip::none()));
        assert!(!nothing.is_lasting);
    }

    #[test]
    fn a_relative_s_database_speaks_for_its_own_files_alone() {
        let gone = |path: &str| {
            let (dir, mut asked) = machine(path);
            let root = dir.path().join("root");
            let other = dir.path().join("proc/8");
            std::fs::create_dir(&other).unwrap();
            symlink(root, other.join("root")).unwrap();
            std::fs::remove_dir_all(dir.path().join("proc/7")).unwrap();
            asked.others = vec![8];
            answer(&dir, &asked)
        };
        let outcome = gone("/usr/bin/tool");
        assert!(outcome.is_lasting && &*outcome.identity.package == "tools");
        let outcome = gone("/tmp/own");
        assert!(!outcome.is_lasting && &*outcome.identity.database == "dpkg");
    }

    #[test]
    fn a_database_that_cannot_be_read() {
        let (dir, asked) = machine("/usr/bin/tool");
        std::fs::remove_dir_all(dir.path().join("root/var/lib/dpkg")).unwrap();
        write(&dir.path().join("root/var/lib/rpm/Packages"), "old");
        let told = answer(&dir, &asked).identity;
        assert!(!told.is_complete && told.database.is_empty());
        assert!(told.hash.starts_with("ba7816bf"));
    }

    #[test]
    fn a_program_that_changed_its_root() {
        // Its own root, as the link says, lies below ours: the path is what follows.
        let (dir, mut asked) = machine("/usr/bin/tool");
        let root = dir.path().join("root");
        let path = root.join("usr/bin/tool");
        asked.file.path = path.to_string_lossy().as_bytes().into();
        assert_eq!(&*answer(&dir, &asked).identity.package, "tools");
        // It left for a root without its file; a relative stayed.
        let (dir, mut asked) = machine("/usr/bin/tool");
        let process = dir.path().join("proc/7");
        let empty = dir.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        std::fs::remove_file(process.join("root")).unwrap();
        symlink(&empty, process.join("root")).unwrap();
        assert_eq!(&*answer(&dir, &asked).identity.database, "none");
        let other = dir.path().join("proc/8");
        std::fs::create_dir(&other).unwrap();
        symlink(dir.path().join("root"), other.join("root")).unwrap();
        asked.others = vec![8];
        assert_eq!(&*answer(&dir, &asked).identity.package, "tools");
    }
}
