//! RPM's package database, in the form of today's releases: SQLite, with a table of packages' headers
//! and one that finds them by the last parts of paths. Older forms are not read.
//!
//! The database is a container's to write: no more is believed of it than that it is a file. It is opened
//! as one that nobody changes, without locks and journals, and a query that takes too long is ended.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::database::Owner;
use crate::dpkg::bytes;
use crate::file::{Algorithm, plain_file};
use crate::header::{Header, tag};

/// Where it is.
pub(crate) const PLACES: [&[u8]; 2] = [
    b"usr/lib/sysimage/rpm/rpmdb.sqlite",
    b"var/lib/rpm/rpmdb.sqlite",
];
/// Databases of other forms.
pub(crate) const OTHERS: [&[u8]; 4] = [
    b"usr/lib/sysimage/rpm/Packages.db",
    b"var/lib/rpm/Packages.db",
    b"usr/lib/sysimage/rpm/Packages",
    b"var/lib/rpm/Packages",
];

/// Longest time for one question.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most packages with a file of the same name that are looked at.
const CANDIDATES_MAX: usize = 64;
/// Largest header.
const HEADER_MAX: usize = 64 << 20;

/// An open database.
pub(crate) struct Rpm {
    connection: Connection,
    /// By whose descriptor it was opened.
    _file: File,
}

impl Rpm {
    /// Opens a root's database.
    pub(crate) fn open(root: &OwnedFd) -> Option<Self> {
        let file = PLACES.iter().find_map(|path| plain_file(root, path))?;
        // By the descriptor: the path is the container's, and may lead elsewhere by now.
        let uri = format!("file:/proc/self/fd/{}?immutable=1", file.as_raw_fd());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(uri, flags).ok()?;
        for (name, value) in [("trusted_schema", false), ("cell_size_check", true)] {
            connection.pragma_update(None, name, value).ok()?;
        }
        Some(Self {
            connection,
            _file: file,
        })
    }

    /// Whose a path is.
    pub(crate) fn owner(&self, path: &[u8]) -> Option<Owner> {
        let path = std::str::from_utf8(path).ok()?;
        let (directory, name) = path.rsplit_once('/')?;
        let interrupt = self.connection.get_interrupt_handle();
        let (done, waits) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                if waits.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                    interrupt.interrupt();
                }
            });
            let found = self.find(&format!("{directory}/"), name);
            drop(done);
            found
        })
    }

    fn find(&self, directory: &str, name: &str) -> Option<Owner> {
        let query = "SELECT hnum, idx FROM Basenames WHERE key = ?1 LIMIT ?2";
        let mut candidates = self.connection.prepare_cached(query).ok()?;
        let most = CANDIDATES_MAX as i64;
        let mut rows = candidates.query((name, most)).ok()?;
        let query = "SELECT blob FROM Packages WHERE hnum = ?1";
        let mut packages = self.connection.prepare_cached(query).ok()?;
        while let Ok(Some(row)) = rows.next() {
            let (number, at): (i64, i64) = (row.get(0).ok()?, row.get(1).ok()?);
            let Ok(at) = usize::try_from(at) else {
                continue;
            };
            let owner = packages.query_row([number], |row| {
                let blob = row.get_ref(0)?.as_blob()?;
                Ok(owner(blob, at, directory, name))
            });
            if let Ok(Some(owner)) = owner {
                return Some(owner);
            }
        }
        None
    }
}

/// The package of a header, if its file number `at` is the one.
fn owner(blob: &[u8], at: usize, directory: &str, name: &str) -> Option<Owner> {
    if blob.len() > HEADER_MAX {
        return None;
    }
    let header = Header::parse(blob)?;
    let number = header.number_at(tag::DIRECTORY_OF, at)? as usize;
    if header.text_at(tag::BASENAMES, at)? != name.as_bytes()
        || header.text_at(tag::DIRECTORIES, number)? != directory.as_bytes()
    {
        return None;
    }
    let part = |tag| header.text(tag).unwrap_or_default();
    let epoch = header.number_at(tag::EPOCH, 0);
    let epoch = epoch.map_or_else(String::new, |epoch| format!("{epoch}:"));
    let algorithm = match header.number_at(tag::ALGORITHM, 0) {
        None | Some(1) => Some(Algorithm::Md5),
        Some(2) => Some(Algorithm::Sha1),
        Some(8) => Some(Algorithm::Sha256),
        Some(9) => Some(Algorithm::Sha384),
        Some(10) => Some(Algorithm::Sha512),
        Some(_) => None,
    };
    let digest = header
        .text_at(tag::DIGESTS, at)
        .and_then(bytes)
        .filter(|digest| !digest.is_empty());
    Some(Owner {
        package: header.text(tag::NAME)?,
        version: format!("{epoch}{}-{}", part(tag::VERSION), part(tag::RELEASE)),
        digest: algorithm.zip(digest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpkg::handle;
    use crate::header::make;

    fn database(root: &std::path::Path, schema: &str) -> Connection {
        let folder = root.join("var/lib/rpm");
        std::fs::create_dir_all(&folder).unwrap();
        let connection = Connection::open(folder.join("rpmdb.sqlite")).unwrap();
        connection.execute_batch(schema).unwrap();
        connection
    }

    const SCHEMA: &str = "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB \
        NOT NULL); CREATE TABLE 'Basenames' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER \
        NOT NULL);";

    #[test]
    fn whose_a_path_is() {
        let root = tempfile::tempdir().unwrap();
        let connection = database(root.path(), SCHEMA);
        let sum = "ab".repeat(32);
        for (number, name, directory, algorithm) in
            [(1, "other", "/opt/bin/", 8), (2, "bash", "/usr/bin/", 8)]
        {
            let blob = make(
                &[
                    (tag::NAME, name),
                    (tag::VERSION, "5.2"),
                    (tag::RELEASE, "1.fc39"),
                ],
                &[
                    (tag::BASENAMES, &["x", "bash"]),
                    (tag::DIRECTORIES, &["/", directory]),
                    (tag::DIGESTS, &["", &sum]),
                ],
                &[(tag::DIRECTORY_OF, &[0, 1]), (tag::ALGORITHM, &[algorithm])],
            );
            connection
                .execute("INSERT INTO Packages VALUES (?1, ?2)", (number, blob))
                .unwrap();
            connection
                .execute("INSERT INTO Basenames VALUES ('bash', ?1, 1)", [number])
                .unwrap();
        }
        drop(connection);
        let rpm = Rpm::open(&handle(root.path())).unwrap();
        let owner = rpm.owner(b"/usr/bin/bash").unwrap();
        assert_eq!((&*owner.package, &*owner.version), ("bash", "5.2-1.fc39"));
        let digest = bytes(sum.as_bytes()).unwrap();
        assert_eq!(owner.digest, Some((Algorithm::Sha256, digest)));
        assert_eq!(rpm.owner(b"/opt/bin/bash").unwrap().package, "other");
        assert_eq!(rpm.owner(b"/tmp/bash"), None);
        assert_eq!(rpm.owner(b"nowhere"), None);
    }

    #[test]
    fn what_is_no_such_database() {
        let root = tempfile::tempdir().unwrap();
        database(
            root.path(),
            "CREATE TABLE Basenames (x); CREATE TABLE Packages (y);",
        );
        let rpm = Rpm::open(&handle(root.path())).unwrap();
        assert_eq!(rpm.owner(b"/bin/sh"), None);
        let file = root.path().join("var/lib/rpm/rpmdb.sqlite");
        std::fs::write(
            file,
            "no database at all, but long enough to be read as one",
        )
        .unwrap();
        let rpm = Rpm::open(&handle(root.path()));
        assert!(rpm.is_none_or(|rpm| rpm.owner(b"/bin/sh").is_none()));
    }

    #[test]
    fn a_query_without_end_is_ended() {
        let root = tempfile::tempdir().unwrap();
        let endless = "CREATE VIEW Basenames AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 \
            FROM n) SELECT 'no' AS key, i AS hnum, i AS idx FROM n; CREATE TABLE Packages (hnum, blob);";
        database(root.path(), endless);
        let rpm = Rpm::open(&handle(root.path())).unwrap();
        assert_eq!(rpm.owner(b"/bin/sh"), None);
    }
}
