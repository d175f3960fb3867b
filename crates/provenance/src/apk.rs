//! Alpine's package database: one text.
//!
//! ```text
//! P:busybox            a package
//! V:1.36.1-r15         its version
//! F:bin                a directory, without its slash
//! R:busybox            a file in it
//! Z:Q1tEd...=          SHA-1 of that file, in base64
//!                      an empty line ends the package
//! ```

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use crate::database::Owner;
use crate::file::{Algorithm, content};

/// Where it is, in today's releases and in the next ones.
pub(crate) const PLACES: [&[u8]; 2] = [b"lib/apk/db/installed", b"usr/lib/apk/db/installed"];
/// Largest database that is read.
const FILE_MAX: u64 = 64 << 20;
const PACKAGES_MAX: usize = 65_536;
const FILES_MAX: usize = 1_000_000;

struct Entry {
    package: u32,
    sum: Option<[u8; 20]>,
}

/// The files of a root's packages.
pub(crate) struct Apk {
    /// Name and version.
    packages: Vec<(Box<str>, Box<str>)>,
    files: HashMap<Box<[u8]>, Entry>,
}

impl Apk {
    /// Reads a root's database; `None` where it is too large.
    pub(crate) fn load(root: &OwnedFd) -> Option<Self> {
        let text = PLACES
            .iter()
            .find_map(|path| content(root, path, FILE_MAX))?;
        Self::parse(&text)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut all = Self {
            packages: Vec::new(),
            files: HashMap::new(),
        };
        let (mut name, mut version) = (String::new(), String::new());
        let (mut directory, mut last) = (Vec::new(), None);
        let mut begun = None;
        for line in text.split(|&byte| byte == b'\n') {
            let Some((key, value)) = line.split_at_checked(2) else {
                (begun, last) = (None, None);
                (name, version) = (String::new(), String::new());
                directory.clear();
                continue;
            };
            match key {
                b"P:" => name = String::from_utf8_lossy(value).into_owned(),
                b"V:" => version = String::from_utf8_lossy(value).into_owned(),
                b"F:" => {
                    directory = value.to_vec();
                    last = None;
                }
                b"R:" => {
                    let package = *begun.get_or_insert_with(|| {
                        let package = (name.as_str().into(), version.as_str().into());
                        all.packages.push(package);
                        all.packages.len() as u32 - 1
                    });
                    let path = match directory.is_empty() {
                        true => [b"/", value].concat(),
                        false => [b"/", &*directory, b"/", value].concat(),
                    };
                    let path: Box<[u8]> = path.into();
                    all.files.insert(path.clone(), Entry { package, sum: None });
                    last = Some(path);
                }
                b"Z:" => {
                    let entry = last.as_ref().and_then(|path| all.files.get_mut(path));
                    if let (Some(entry), Some(text)) = (entry, value.strip_prefix(b"Q1")) {
                        entry.sum = base64(text);
                    }
                }
                _ => {}
            }
            if all.packages.len() > PACKAGES_MAX || all.files.len() > FILES_MAX {
                return None;
            }
        }
        Some(all)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whose a path is.
    pub(crate) fn owner(&self, path: &[u8]) -> Option<Owner> {
        let entry = self.files.get(path)?;
        let (package, version) = self.packages.get(entry.package as usize)?;
        Some(Owner {
            package: package.to_string(),
            version: version.to_string(),
            digest: entry.sum.map(|sum| (Algorithm::Sha1, sum[..].into())),
        })
    }
}

/// Twenty bytes in base64.
fn base64(text: &[u8]) -> Option<[u8; 20]> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.strip_suffix(b"=").unwrap_or(text);
    if digits.len() != 27 {
        return None;
    }
    let mut out = Vec::with_capacity(21);
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits {
        let value = ALPHABET.iter().position(|own| own == digit)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "C:Q1abc=\nP:busybox\nV:1.36.1-r15\nF:bin\nR:busybox\na:0:0:755\n\
        Z:Q1qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\nF:\nR:init\n\nP:musl\nV:1.2.4\nF:lib\nR:ld.so\n\
        Z:Q1short\n\n";

    #[test]
    fn whose_a_path_is() {
        let all = Apk::parse(TEXT.as_bytes()).unwrap();
        let owner = all.owner(b"/bin/busybox").unwrap();
        assert_eq!(
            (&*owner.package, &*owner.version),
            ("busybox", "1.36.1-r15")
        );
        let (algorithm, sum) = owner.digest.unwrap();
        assert_eq!(algorithm, Algorithm::Sha1);
        // That of "abc".
        let hex = crate::file::hexadecimal(&sum);
        assert_eq!(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(all.owner(b"/init").unwrap().package, "busybox");
        let other = all.owner(b"/lib/ld.so").unwrap();
        assert_eq!((&*other.package, other.digest), ("musl", None));
        assert_eq!(all.owner(b"/bin/sh"), None);
    }

    #[test]
    fn any_bytes_are_borne() {
        for end in 0..TEXT.len() {
            Apk::parse(&TEXT.as_bytes()[..end]).unwrap();
        }
        assert!(Apk::parse(b"Z:Q1\nR:\nF:\n\xff\xff").is_some());
    }
}
