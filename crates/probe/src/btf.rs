//! What the running kernel's type information says: how many arguments tracepoints have, whether
//! programs may loop, which functions there are.
//!
//! The kernel's type information has a function type `btf_trace_NAME` for each tracepoint. Reading it
//! here, and not through libbpf, costs some milliseconds instead of some ten: only the heads of the
//! types are looked at. A file that is damaged gives no answers, never a fault.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

use crate::uring;

/// Kinds of types.
pub(crate) mod kind {
    pub(crate) const INT: u32 = 1;
    pub(crate) const PTR: u32 = 2;
    pub(crate) const ARRAY: u32 = 3;
    pub(crate) const STRUCT: u32 = 4;
    pub(crate) const UNION: u32 = 5;
    pub(crate) const ENUM: u32 = 6;
    pub(crate) const FWD: u32 = 7;
    pub(crate) const TYPEDEF: u32 = 8;
    pub(crate) const VOLATILE: u32 = 9;
    pub(crate) const CONST: u32 = 10;
    pub(crate) const RESTRICT: u32 = 11;
    pub(crate) const FUNC: u32 = 12;
    pub(crate) const FUNC_PROTO: u32 = 13;
    pub(crate) const VAR: u32 = 14;
    pub(crate) const DATASEC: u32 = 15;
    pub(crate) const FLOAT: u32 = 16;
    pub(crate) const DECL_TAG: u32 = 17;
    pub(crate) const TYPE_TAG: u32 = 18;
    pub(crate) const ENUM64: u32 = 19;
}

/// What the running kernel's type information says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// Programs may have loops (5.17).
    pub(crate) loops: bool,
    /// Arguments of tracepoints, by name; those the kernel has not are missing.
    tracepoints: HashMap<String, usize>,
}

impl Kernel {
    /// The running one; its information, some megabytes, is read once.
    pub(crate) fn running() -> &'static Self {
        static RUNNING: OnceLock<Kernel> = OnceLock::new();
        RUNNING.get_or_init(|| with_types(Self::from_types))
    }

    fn from_types(bytes: &[u8]) -> Self {
        Self {
            loops: memchr::memmem::find(bytes, b"\0BPF_FUNC_loop\0").is_some(),
            tracepoints: find(bytes, &uring::TRACEPOINTS).unwrap_or_default(),
        }
    }

    /// Number of arguments of one of [`uring::TRACEPOINTS`]; `None` if there is no such tracepoint.
    pub(crate) fn arguments(&self, name: &str) -> Option<usize> {
        self.tracepoints.get(name).copied()
    }
}

/// Shows the kernel's types: mapped where the kernel lets them be (6.16), for a read gives a page at
/// a time; nothing where there are none.
pub(crate) fn with_types<T>(look: impl FnOnce(&[u8]) -> T) -> T {
    const PATH: &str = "/sys/kernel/btf/vmlinux";
    let Ok(file) = File::open(PATH) else {
        return look(&[]);
    };
    let len = file.metadata().map_or(0, |meta| meta.len() as usize);
    // SAFETY: a new mapping at an address of the kernel's choice.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ,
            libc::MAP_PRIVATE,
            file.as_raw_fd(),
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return look(&std::fs::read(PATH).unwrap_or_default());
    }
    // SAFETY: mapped just above with this length; these pages of the kernel's never change.
    let found = look(unsafe { std::slice::from_raw_parts(at.cast::<u8>(), len) });
    // SAFETY: mapped above with this length; nobody borrows it any more.
    unsafe { libc::munmap(at, len) };
    found
}

const MAGIC: u32 = 0xeb9f;
const HEADER: u32 = 24;

/// A file of types, taken apart.
///
/// ```text
/// file      | magic u16, version u8, flags u8 | header u32 | types: offset, length u32 | strings: offset, length u32 |
/// type      | name u32 | members u16, 0 u8, kind u8 | size or type u32 | by kind: members, numbers |
/// ```
pub(crate) struct Types<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins; number 0 is none.
    starts: Vec<usize>,
}

impl<'a> Types<'a> {
    /// `None` if these are no types.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if word(bytes, 0)? & 0xffff != MAGIC {
            return None;
        }
        let header = word(bytes, 4)? as usize;
        let part = |offset: usize, length: usize| -> Option<&'a [u8]> {
            let start = header.checked_add(word(bytes, offset)? as usize)?;
            bytes.get(start..start.checked_add(word(bytes, length)? as usize)?)
        };
        let (types, strings) = (part(8, 12)?, part(16, 20)?);
        let mut starts = vec![0];
        let mut at = 0;
        while at < types.len() {
            let info = word(types, at + 4)?;
            starts.push(at);
            at += 12 + members(info >> 24 & 0x1f, (info & 0xffff) as usize);
        }
        Some(Self {
            types,
            strings,
            starts,
        })
    }

    /// One more than the last type's number.
    pub(crate) fn count(&self) -> u32 {
        self.starts.len() as u32
    }

    /// Where a type begins; 0 for one that is not there.
    pub(crate) fn start(&self, id: u32) -> usize {
        self.starts.get(id as usize).copied().unwrap_or(0)
    }

    pub(crate) fn word(&self, at: usize) -> Option<u32> {
        word(self.types, at)
    }

    fn info(&self, id: u32) -> u32 {
        let start = self.starts.get(id as usize).filter(|_| id != 0);
        start.and_then(|at| self.word(at + 4)).unwrap_or(0)
    }

    /// Its kind; 0 for a type that is not there.
    pub(crate) fn kind(&self, id: u32) -> u32 {
        self.info(id) >> 24 & 0x1f
    }

    pub(crate) fn name(&self, id: u32) -> Option<&'a [u8]> {
        self.string(self.word(self.start(id))?)
    }

    pub(crate) fn string(&self, at: u32) -> Option<&'a [u8]> {
        let rest = self.strings.get(at as usize..)?;
        Some(&rest[..memchr::memchr(0, rest)?])
    }

    /// All of its bytes.
    pub(crate) fn bytes(&self, id: u32) -> Option<&'a [u8]> {
        let start = self.start(id);
        let count = (self.info(id) & 0xffff) as usize;
        self.types
            .get(start..start + 12 + members(self.kind(id), count))
    }

    /// Places of the numbers of the types that it is made of or leads to.
    pub(crate) fn references(&self, id: u32) -> Vec<usize> {
        let start = self.start(id);
        let count = (self.info(id) & 0xffff) as usize;
        match self.kind(id) {
            kind::PTR
            | kind::TYPEDEF
            | kind::VOLATILE
            | kind::CONST
            | kind::RESTRICT
            | kind::TYPE_TAG => vec![start + 8],
            kind::ARRAY => vec![start + 12, start + 16],
            kind::STRUCT | kind::UNION => (0..count).map(|n| start + 16 + 12 * n).collect(),
            _ => Vec::new(),
        }
    }

    /// Places of its names: its own, its members'.
    pub(crate) fn names(&self, id: u32) -> Vec<usize> {
        let start = self.start(id);
        let count = (self.info(id) & 0xffff) as usize;
        let step = match self.kind(id) {
            kind::STRUCT | kind::UNION | kind::ENUM64 => 12,
            kind::ENUM => 8,
            _ => return vec![start],
        };
        let members = (0..count).map(|n| start + 12 + step * n);
        std::iter::once(start).chain(members).collect()
    }
}

/// A file of these types and strings.
pub(crate) fn file(types: &[u8], strings: &[u8]) -> Vec<u8> {
    let length = types.len() as u32;
    let words = [
        MAGIC | 1 << 16,
        HEADER,
        0,
        length,
        length,
        strings.len() as u32,
    ];
    let header = words.iter().flat_map(|word| word.to_ne_bytes());
    header
        .chain(types.iter().copied())
        .chain(strings.iter().copied())
        .collect()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

/// Number of arguments of these tracepoints.
fn find(bytes: &[u8], names: &[&str]) -> Option<HashMap<String, usize>> {
    let types = Types::parse(bytes)?;
    let mut found = HashMap::new();
    for id in (1..types.count()).filter(|id| types.kind(*id) == kind::TYPEDEF) {
        let Some(name) = types
            .name(id)
            .and_then(|name| name.strip_prefix(b"btf_trace_"))
        else {
            continue;
        };
        let Some(name) = names.iter().find(|n| n.as_bytes() == name) else {
            continue;
        };
        let pointer = types.word(types.start(id) + 8)?;
        let function = types.word(types.start(pointer) + 8)?;
        if types.kind(pointer) == kind::PTR && types.kind(function) == kind::FUNC_PROTO {
            // The first one is the program's own context.
            let arguments = (types.info(function) & 0xffff) as usize;
            found.insert((*name).to_owned(), arguments.saturating_sub(1));
        }
    }
    Some(found)
}

/// Functions of the running kernel whose name `wants` approves of: name and number of the type.
pub(crate) fn functions(wants: impl Fn(&[u8]) -> bool) -> HashMap<String, u32> {
    with_types(|bytes| find_functions(bytes, wants).unwrap_or_default())
}

fn find_functions(bytes: &[u8], wants: impl Fn(&[u8]) -> bool) -> Option<HashMap<String, u32>> {
    let types = Types::parse(bytes)?;
    let functions = (1..types.count()).filter(|id| types.kind(*id) == kind::FUNC);
    let named = functions.filter_map(|id| Some((types.name(id)?, id)));
    let found = named.filter(|(name, _)| wants(name));
    Some(
        found
            .map(|(name, id)| (String::from_utf8_lossy(name).into_owned(), id))
            .collect(),
    )
}

/// Bytes behind a type's head.
fn members(of: u32, count: usize) -> usize {
    match of {
        kind::INT | kind::VAR | kind::DECL_TAG => 4,
        kind::ARRAY => 12,
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * count,
        kind::ENUM | kind::FUNC_PROTO => 8 * count,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A typedef to a pointer to a function with a context and two arguments.
    fn sample() -> Vec<u8> {
        let strings = b"\0btf_trace_one\0";
        let words = [
            [1, kind::TYPEDEF << 24, 2].as_slice(),
            &[0, kind::PTR << 24, 3],
            &[0, kind::FUNC_PROTO << 24 | 3, 0, 0, 0, 0, 0, 0, 0],
            &[11, kind::FUNC << 24, 3],
        ]
        .concat();
        let types: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        file(&types, strings)
    }

    #[test]
    fn arguments_are_counted() {
        let found = find(&sample(), &["one", "two"]).unwrap();
        assert_eq!(found, HashMap::from([("one".to_owned(), 2)]));
    }

    #[test]
    fn functions_have_the_number_of_their_type() {
        let found = find_functions(&sample(), |name| name == b"one").unwrap();
        assert_eq!(found, HashMap::from([("one".to_owned(), 4)]));
        let none = find_functions(&sample(), |name| name == b"two").unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn damage_is_no_fault() {
        let bytes = sample();
        for cut in 0..bytes.len() {
            find(&bytes[..cut], &["one"]);
            find_functions(&bytes[..cut], |_| true);
            let mut damaged = bytes.clone();
            damaged[cut] ^= 0xff;
            find(&damaged, &["one"]);
            find_functions(&damaged, |_| true);
        }
        assert_eq!(find(&[], &["one"]), None);
    }
}
