//! From the values of an event to the rules that can match it.
//!
//! A probe per field: the field is extracted once, and its value looked up in tables of whole
//! texts, prefixes, suffixes, path components, numbers and addresses.

pub mod prefix;

use std::net::IpAddr;
use std::sync::Arc;

use bumpalo::Bump;
use filter::{FieldDef, FieldSource, Purpose, Value};
use hashbrown::HashMap;

use crate::cover::{Cover, Wanted};
use crate::index::prefix::PrefixMap;

/// Probes of one event type.
#[derive(Debug, Default)]
pub struct Index {
    probes: Vec<Probe>,
}

/// The tables of one field. Values an attacker may choose meet seeded hashes.
#[derive(Debug)]
struct Probe {
    field: Arc<FieldDef>,
    /// Entries filed here, as bits; those from number 63 on together.
    entries: u64,
    texts: HashMap<Box<[u8]>, Vec<u32>>,
    shapes: Shapes,
    prefixes: PrefixMap,
    suffixes: PrefixMap,
    paths: PrefixMap,
    numbers: HashMap<u64, Vec<u32>>,
    addresses: HashMap<IpAddr, Vec<u32>>,
}

/// Lengths and last bytes of texts: most texts that are looked up share with no filed one both, and
/// need no hash.
#[derive(Debug, Default)]
struct Shapes {
    /// For each last byte, the lengths below 63, and all longer ones together.
    lengths: Box<[u64]>,
}

impl Shapes {
    fn add(&mut self, text: &[u8]) {
        if self.lengths.is_empty() {
            self.lengths = vec![0; 256].into();
        }
        let last = text.last().copied().unwrap_or(0);
        self.lengths[usize::from(last)] |= 1 << text.len().min(63);
    }

    #[inline]
    fn may_have(&self, text: &[u8]) -> bool {
        let last = text.last().copied().unwrap_or(0);
        let lengths = self.lengths.get(usize::from(last));
        lengths.is_some_and(|lengths| lengths >> text.len().min(63) & 1 == 1)
    }
}

impl Index {
    /// Whether nothing is filed.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.probes.is_empty()
    }

    /// Files `entry` under each anchor of its cover.
    pub fn file(&mut self, cover: &Cover, entry: u32) {
        for anchor in cover {
            let probe = self.probe(&anchor.field);
            probe.entries |= 1 << entry.min(63);
            match &anchor.wanted {
                Wanted::Text(text) => {
                    probe.shapes.add(text);
                    push(probe.texts.entry(text.clone()).or_default(), entry);
                }
                Wanted::Number(number) => push(probe.numbers.entry(*number).or_default(), entry),
                Wanted::Address(ip) => push(probe.addresses.entry(*ip).or_default(), entry),
                Wanted::Prefix(prefix) => probe.prefixes.insert(prefix, entry),
                Wanted::Suffix(suffix) => {
                    let reversed: Vec<u8> = suffix.iter().rev().copied().collect();
                    probe.suffixes.insert(&reversed, entry);
                }
                Wanted::Path(path) => probe.paths.insert(path, entry),
            }
        }
    }

    fn probe(&mut self, field: &Arc<FieldDef>) -> &mut Probe {
        let at = match self
            .probes
            .iter()
            .position(|probe| probe.field.field == field.field)
        {
            Some(at) => at,
            None => {
                self.probes.push(Probe {
                    field: Arc::clone(field),
                    entries: 0,
                    texts: HashMap::new(),
                    shapes: Shapes::default(),
                    prefixes: PrefixMap::default(),
                    suffixes: PrefixMap::default(),
                    paths: PrefixMap::default(),
                    numbers: HashMap::new(),
                    addresses: HashMap::new(),
                });
                self.probes.len() - 1
            }
        };
        &mut self.probes[at]
    }

    /// Calls `found` with the entries that can match, in any order, some perhaps twice. Probes at which
    /// none of `wanted` is filed are left out; bit 63 stands for all entries from there on.
    #[inline]
    pub fn candidates<S: FieldSource>(
        &self,
        source: &S,
        scratch: &Bump,
        wanted: u64,
        found: &mut impl FnMut(u32),
    ) {
        for probe in &self.probes {
            if probe.entries & wanted == 0 {
                continue;
            }
            match source.extract(&probe.field.field, Purpose::Compare, scratch) {
                None => {}
                Some(Value::List(all)) => {
                    all.iter().for_each(|one| probe.look(one, scratch, found));
                }
                Some(one) => probe.look(&one, scratch, found),
            }
        }
    }
}

impl Probe {
    #[inline]
    fn look(&self, value: &Value<'_>, scratch: &Bump, found: &mut impl FnMut(u32)) {
        match *value {
            Value::Bytes(text) => {
                if self.shapes.may_have(text) {
                    all(self.texts.get(text), found);
                }
                self.prefixes.matches(text, &mut *found);
                self.suffixes.matches_from_end(text, &mut *found);
                if !self.paths.is_empty() {
                    self.paths.matches(components(text, scratch), &mut *found);
                }
            }
            Value::Unsigned(number) => all(self.numbers.get(&number), found),
            Value::Signed(number) => all(self.numbers.get(&(number as u64)), found),
            Value::Ip(ip) => all(self.addresses.get(&ip), found),
            Value::Double(_) | Value::Bool(_) | Value::List(_) => {}
        }
    }
}

/// The path without empty components, each component ended by a slash.
fn components<'a>(path: &[u8], scratch: &'a Bump) -> &'a [u8] {
    let mut out = bumpalo::collections::Vec::with_capacity_in(path.len() + 1, scratch);
    for part in path.split(|&b| b == b'/').filter(|part| !part.is_empty()) {
        out.extend_from_slice(part);
        out.push(b'/');
    }
    out.into_bump_slice()
}

fn all(entries: Option<&Vec<u32>>, found: &mut impl FnMut(u32)) {
    entries
        .into_iter()
        .flatten()
        .for_each(|&entry| found(entry));
}

/// One rule may name a value twice.
fn push(entries: &mut Vec<u32>, entry: u32) {
    if entries.last() != Some(&entry) {
        entries.push(entry);
    }
}
