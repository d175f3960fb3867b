//! How many arguments a tracepoint of the running kernel has, and which functions it has.
//!
//! The kernel's type information has a function type `btf_trace_NAME` for each tracepoint. Reading it
//! here, and not through libbpf, costs some milliseconds instead of some ten: only the heads of the
//! types are looked at. A file that is damaged gives no answers, never a fault.

use std::collections::HashMap;

const KIND_INT: u32 = 1;
const KIND_PTR: u32 = 2;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_ENUM64: u32 = 19;

/// Arguments of each tracepoint asked for, by name; those the kernel has not are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tracepoints(HashMap<String, usize>);

impl Tracepoints {
    /// Looks them up in the running kernel.
    pub(crate) fn of_kernel(names: &[&str]) -> Self {
        let bytes = std::fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
        Self(find(&bytes, names).unwrap_or_default())
    }

    /// Number of arguments; `None` if there is no such tracepoint.
    pub(crate) fn arguments(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}

/// Whether any type, member, function or constant of the running kernel has this name.
pub(crate) fn kernel_mentions(name: &str) -> bool {
    let bytes = std::fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
    let wanted = [b"\0", name.as_bytes(), b"\0"].concat();
    memchr::memmem::find(&bytes, &wanted).is_some()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

/// The parts of a file: types and strings.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    const MAGIC: u32 = 0xeb9f;
    if word(bytes, 0)? & 0xffff != MAGIC {
        return None;
    }
    let header = word(bytes, 4)? as usize;
    let part = |offset: usize, length: usize| -> Option<&[u8]> {
        let start = header.checked_add(word(bytes, offset)? as usize)?;
        bytes.get(start..start.checked_add(word(bytes, length)? as usize)?)
    };
    Some((part(8, 12)?, part(16, 20)?))
}

/// Functions of the running kernel whose name `wants` approves of: name and number of the type.
pub(crate) fn functions(wants: impl Fn(&[u8]) -> bool) -> HashMap<String, u32> {
    let bytes = std::fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
    find_functions(&bytes, wants).unwrap_or_default()
}

fn find_functions(bytes: &[u8], wants: impl Fn(&[u8]) -> bool) -> Option<HashMap<String, u32>> {
    let (types, strings) = parts(bytes)?;
    let mut found = HashMap::new();
    let (mut at, mut id) = (0, 1);
    while at < types.len() {
        let (name, info) = (word(types, at)?, word(types, at + 4)?);
        let kind = info >> 24 & 0x1f;
        if kind == KIND_FUNC {
            let rest = strings.get(name as usize..)?;
            let name = &rest[..memchr::memchr(0, rest)?];
            if wants(name) {
                found.insert(String::from_utf8_lossy(name).into_owned(), id);
            }
        }
        at += 12 + members(kind, (info & 0xffff) as usize);
        id += 1;
    }
    Some(found)
}

fn find(bytes: &[u8], names: &[&str]) -> Option<HashMap<String, usize>> {
    let (types, strings) = parts(bytes)?;
    let mut starts = vec![0];
    let mut wanted = Vec::new();
    let mut at = 0;
    while at < types.len() {
        let (name, info) = (word(types, at)?, word(types, at + 4)?);
        let kind = info >> 24 & 0x1f;
        if kind == KIND_TYPEDEF
            && let Some(rest) = strings.get(name as usize..)
            && let Some(rest) = rest.strip_prefix(b"btf_trace_")
        {
            let end = rest.iter().position(|&b| b == 0)?;
            let found = names.iter().find(|n| n.as_bytes() == &rest[..end]);
            wanted.extend(found.map(|n| (*n, word(types, at + 8))));
        }
        starts.push(at);
        at += 12 + members(kind, (info & 0xffff) as usize);
    }
    let mut found = HashMap::new();
    for (name, pointer) in wanted {
        let pointer = *starts.get(pointer? as usize)?;
        let function = *starts.get(word(types, pointer + 8)? as usize)?;
        let (of, info) = (word(types, pointer + 4)?, word(types, function + 4)?);
        if of >> 24 & 0x1f == KIND_PTR && info >> 24 & 0x1f == KIND_FUNC_PROTO {
            // The first one is the program's own context.
            found.insert(name.to_owned(), (info as usize & 0xffff).saturating_sub(1));
        }
    }
    Some(found)
}

/// Bytes behind a type's head.
fn members(kind: u32, count: usize) -> usize {
    match kind {
        KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
        KIND_ARRAY => 12,
        KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => 12 * count,
        KIND_ENUM | KIND_FUNC_PROTO => 8 * count,
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
            [1, KIND_TYPEDEF << 24, 2].as_slice(),
            &[0, KIND_PTR << 24, 3],
            &[0, KIND_FUNC_PROTO << 24 | 3, 0, 0, 0, 0, 0, 0, 0],
            &[11, KIND_FUNC << 24, 3],
        ]
        .concat();
        let mut bytes = Vec::new();
        let types = words.len() as u32 * 4;
        for word in [0x0001_eb9f, 24, 0, types, types, strings.len() as u32]
            .into_iter()
            .chain(words)
        {
            bytes.extend(u32::to_ne_bytes(word));
        }
        bytes.extend(strings);
        bytes
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
        assert!(
            find_functions(&sample(), |name| name == b"two")
                .unwrap()
                .is_empty()
        );
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
        assert_eq!(find_functions(&[], |_| true), None);
    }
}
