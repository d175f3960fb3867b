//! From the values of an event to the rules that can match it.
//!
//! A probe per field: the field is extracted once, and its value looked up in tables of whole
//! texts, prefixes, path components, numbers and addresses.

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
    texts: HashMap<Box<[u8]>, Vec<u32>>,
    prefixes: PrefixMap,
    paths: PrefixMap,
    numbers: HashMap<u64, Vec<u32>>,
    addresses: HashMap<IpAddr, Vec<u32>>,
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
            match &anchor.wanted {
                Wanted::Text(text) => push(probe.texts.entry(text.clone()).or_default(), entry),
                Wanted::Number(number) => push(probe.numbers.entry(*number).or_default(), entry),
                Wanted::Address(ip) => push(probe.addresses.entry(*ip).or_default(), entry),
                Wanted::Prefix(prefix) => probe.prefixes.insert(prefix, entry),
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
                    texts: HashMap::new(),
                    prefixes: PrefixMap::default(),
                    paths: PrefixMap::default(),
                    numbers: HashMap::new(),
                    addresses: HashMap::new(),
                });
                self.probes.len() - 1
            }
        };
        &mut self.probes[at]
    }

    /// Appends the entries that can match, in any order, some perhaps twice.
    #[inline]
    pub fn candidates<S: FieldSource>(&self, source: &S, scratch: &Bump, out: &mut Vec<u32>) {
        for probe in &self.probes {
            match source.extract(&probe.field.field, Purpose::Compare, scratch) {
                None => {}
                Some(Value::List(all)) => all.iter().for_each(|one| probe.look(one, scratch, out)),
                Some(one) => probe.look(&one, scratch, out),
            }
        }
    }
}

impl Probe {
    #[inline]
    fn look(&self, value: &Value<'_>, scratch: &Bump, out: &mut Vec<u32>) {
        match *value {
            Value::Bytes(text) => {
                if let Some(entries) = self.texts.get(text) {
                    out.extend_from_slice(entries);
                }
                self.prefixes.matches(text, |entry| out.push(entry));
                if !self.paths.is_empty() {
                    self.paths
                        .matches(components(text, scratch), |entry| out.push(entry));
                }
            }
            Value::Unsigned(number) => extend(self.numbers.get(&number), out),
            Value::Signed(number) => extend(self.numbers.get(&(number as u64)), out),
            Value::Ip(ip) => extend(self.addresses.get(&ip), out),
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

fn extend(found: Option<&Vec<u32>>, out: &mut Vec<u32>) {
    if let Some(entries) = found {
        out.extend_from_slice(entries);
    }
}

/// One rule may name a value twice.
fn push(entries: &mut Vec<u32>, entry: u32) {
    if entries.last() != Some(&entry) {
        entries.push(entry);
    }
}
