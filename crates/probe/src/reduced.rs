//! The kernel's type information, reduced to what our programs' own types are compared with.
//!
//! For each type of ours libbpf looks through all names of the kernel's, a hundred thousand and
//! more, for every load again; that takes as long as half of the verifier's work. So it is given a
//! file that has the types of our names alone, and what these are made of, up to the next pointer:
//! what lies behind a pointer is a type of its own to an access. Each keeps its number, which programs
//! may ask for; the others up to the last one are pointers to nothing, which libbpf passes over.
//!
//! *Invariant:* the reduced file gives the same answers as the whole one. Where that is not certain
//! (a type that a kernel module may have), there is none.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};

use libbpf_rs::{AsRawLibbpf, OpenObject};

use crate::btf::{self, Types, kind};

/// Types of ours that some kernels have in a module: without them in the kernel itself, libbpf has
/// to look there.
const MAY_BE_ELSEWHERE: [&[u8]; 1] = [b"unix_sock"];

/// A file with the types that this object's programs are compared with; `None` where libbpf shall
/// look at the whole.
pub(crate) fn of_kernel(open: &OpenObject) -> Option<File> {
    let names = names_of(open)?;
    let bytes = btf::with_types(|bytes| reduce(bytes, &names))?;
    // SAFETY: a system call with a valid string; the descriptor is owned from here on.
    let mut file = unsafe {
        let fd = libc::memfd_create(c"types".as_ptr(), libc::MFD_CLOEXEC);
        (fd >= 0).then(|| File::from_raw_fd(fd))?
    };
    file.write_all(&bytes).ok()?;
    Some(file)
}

/// The path by which libbpf finds such a file.
pub(crate) fn path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// What the types of the object are called in the kernel.
fn names_of(open: &OpenObject) -> Option<HashSet<Vec<u8>>> {
    // SAFETY: the object is open, and what libbpf has of its types lives as long.
    let bytes = unsafe {
        let types = libbpf_sys::bpf_object__btf(open.as_libbpf_object().as_ptr());
        if types.is_null() {
            return None;
        }
        let mut len = 0;
        let at = libbpf_sys::btf__raw_data(types, &raw mut len);
        if at.is_null() {
            return None;
        }
        std::slice::from_raw_parts(at.cast::<u8>(), len as usize)
    };
    let types = Types::parse(bytes)?;
    let names = (1..types.count())
        .filter(|id| is_compared(types.kind(*id)))
        .filter_map(|id| types.name(id))
        .filter(|name| !name.is_empty());
    Some(names.map(|name| essential(name).to_vec()).collect())
}

const fn is_compared(of: u32) -> bool {
    matches!(
        of,
        kind::STRUCT | kind::UNION | kind::ENUM | kind::ENUM64 | kind::TYPEDEF | kind::FWD
    )
}

/// A name without what follows three underscores, as libbpf cuts it.
fn essential(name: &[u8]) -> &[u8] {
    let flavour = name
        .windows(5)
        .rposition(|five| five[0] != b'_' && &five[1..4] == b"___" && five[4] != b'_');
    flavour.map_or(name, |at| &name[..=at])
}

/// A file of the types with these names and what they are made of; `None` if `bytes` are damaged.
fn reduce(bytes: &[u8], names: &HashSet<Vec<u8>>) -> Option<Vec<u8>> {
    let types = Types::parse(bytes)?;
    let mut wanted: Vec<u32> = (1..types.count())
        .filter(|id| is_compared(types.kind(*id)))
        .filter(|id| {
            let name = types.name(*id).map(essential);
            name.is_some_and(|name| !name.is_empty() && names.contains(name))
        })
        .collect();
    for name in MAY_BE_ELSEWHERE {
        let is_here = wanted.iter().any(|id| types.name(*id) == Some(name));
        if names.contains(name) && !is_here {
            return None;
        }
    }
    let mut kept: HashSet<u32> = wanted.iter().copied().collect();
    while let Some(id) = wanted.pop() {
        if types.kind(id) == kind::PTR {
            continue;
        }
        for at in types.references(id) {
            let part = types.word(at)?;
            if part != 0 && is_kept(types.kind(part)) && kept.insert(part) {
                wanted.push(part);
            }
        }
    }
    let last = kept.iter().copied().max().unwrap_or(0);
    let (mut body, mut strings) = (Vec::new(), vec![0]);
    for id in 1..=last {
        if !kept.contains(&id) {
            let nothing = [0, kind::PTR << 24, 0];
            body.extend(nothing.iter().flat_map(|word| word.to_ne_bytes()));
            continue;
        }
        let start = body.len();
        body.extend_from_slice(types.bytes(id)?);
        let offset = types.start(id);
        for at in types.references(id) {
            let part = types.word(at).filter(|part| kept.contains(part));
            put(&mut body, start + (at - offset), part.unwrap_or(0))?;
        }
        for at in types.names(id) {
            let place = match types.string(types.word(at)?)? {
                b"" => 0,
                name => {
                    let place = strings.len();
                    strings.extend_from_slice(name);
                    strings.push(0);
                    u32::try_from(place).ok()?
                }
            };
            put(&mut body, start + (at - offset), place)?;
        }
    }
    Some(btf::file(&body, &strings))
}

/// Functions, variables and what describes them are part of no structure.
const fn is_kept(of: u32) -> bool {
    is_compared(of)
        || matches!(
            of,
            kind::INT
                | kind::PTR
                | kind::ARRAY
                | kind::VOLATILE
                | kind::CONST
                | kind::RESTRICT
                | kind::FLOAT
                | kind::TYPE_TAG
        )
}

fn put(body: &mut [u8], at: usize, word: u32) -> Option<()> {
    body.get_mut(at..at + 4)?
        .copy_from_slice(&word.to_ne_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_their_flavour() {
        assert_eq!(essential(b"inode___to_6_5"), b"inode");
        assert_eq!(essential(b"inode"), b"inode");
        assert_eq!(essential(b"___x"), b"___x");
        assert_eq!(essential(b"a_____b"), b"a_____b");
    }

    /// `struct one { int n; struct two *next; const struct three in; }`, and types that nobody asks
    /// for in between.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0one\0two\0three\0n\0next\0in\0other\0";
        let at = |name: &str| {
            let name = [b"\0", name.as_bytes(), b"\0"].concat();
            memchr::memmem::find(strings, &name).unwrap() as u32 + 1
        };
        let head = |name: u32, of: u32, members: u32, third: u32| [name, of << 24 | members, third];
        let mut words: Vec<u32> = Vec::new();
        // 1: other, 2: int, 3: two, 4: pointer to two, 5: three, 6: const three, 7: one
        words.extend(head(at("other"), kind::STRUCT, 0, 8));
        words.extend(head(at("int"), kind::INT, 0, 4));
        words.push(32);
        words.extend(head(at("two"), kind::STRUCT, 1, 4));
        words.extend([at("n"), 2, 0]);
        words.extend(head(0, kind::PTR, 0, 3));
        words.extend(head(at("three"), kind::STRUCT, 1, 4));
        words.extend([at("n"), 2, 0]);
        words.extend(head(0, kind::CONST, 0, 5));
        words.extend(head(at("one"), kind::STRUCT, 3, 24));
        words.extend([at("n"), 2, 0, at("next"), 4, 64, at("in"), 6, 128]);
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        btf::file(&body, strings)
    }

    #[test]
    fn what_is_asked_for_stays_as_it_is() {
        let names = HashSet::from([b"one".to_vec()]);
        let reduced = reduce(&sample(), &names).unwrap();
        let types = Types::parse(&reduced).unwrap();
        let all: Vec<&[u8]> = (1..types.count())
            .map(|id| types.name(id).unwrap())
            .collect();
        assert_eq!(all, [&b""[..], b"int", b"", b"", b"three", b"", b"one"]);
        // The pointer leads nowhere, for nobody asked for `two`.
        let target = |id| (types.kind(id), types.word(types.start(id) + 8));
        assert_eq!(target(4), (kind::PTR, Some(0)));
        assert_eq!(target(6), (kind::CONST, Some(5)));
        let members: Vec<&[u8]> = types
            .names(7)
            .into_iter()
            .map(|at| types.string(types.word(at).unwrap()).unwrap())
            .collect();
        assert_eq!(members, [&b"one"[..], b"n", b"next", b"in"]);
        let parts: Vec<u32> = types
            .references(7)
            .into_iter()
            .map(|at| types.word(at).unwrap())
            .collect();
        assert_eq!(parts, [2, 4, 6]);
    }

    #[test]
    fn damage_is_no_fault() {
        let names = HashSet::from([b"one".to_vec()]);
        let bytes = sample();
        for cut in 0..bytes.len() {
            let _ = reduce(&bytes[..cut], &names);
            for value in [0, 0xff, bytes[cut] ^ 0x40] {
                let mut damaged = bytes.clone();
                damaged[cut] = value;
                let _ = reduce(&damaged, &names);
            }
        }
    }
}
