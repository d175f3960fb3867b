//! What addresses are called, told at the start of a capture: as events named `names`, which other readers
//! pass over.
//!
//! ```text
//! {"names":{"container":"3ad7b26ded6d","addresses":[["192.0.2.7",[["www.example.com",1700000660000000000]]]]}}
//! ```
//!
//! Each name stands with the time, nanoseconds since the epoch, up to which it is believed.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::table::Table;
use crate::state::State;

/// Name of the event that says what addresses are called.
pub const NAMES_EVENT: &str = "names";
/// Bytes of names after which the next event begins: with the names of one more address it still fits a
/// record.
const SIZE: usize = 24_000;
/// Most addresses of an event that are taken.
const ADDRESSES: usize = 4096;

impl State {
    /// All names that are known, as the texts of `names` events, in an order that is always the same.
    #[must_use]
    pub fn standing_names(&self) -> Vec<String> {
        let Some(book) = self.names.as_deref() else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for (container, addresses) in book.table.all() {
            let container = String::from_utf8_lossy(container);
            let mut some: Vec<Value> = Vec::new();
            let mut size = 0;
            let mut tell = |some: &mut Vec<Value>| {
                let addresses = std::mem::take(some);
                let text = json!({"names": {"container": container, "addresses": addresses}});
                all.push(text.to_string());
            };
            for (ip, names) in addresses {
                let names = names.iter().map(|(name, until)| {
                    size += name.len() + 32;
                    json!([String::from_utf8_lossy(name), until])
                });
                let names: Value = names.collect();
                some.push(json!([ip.to_string(), names]));
                if size > SIZE {
                    size = 0;
                    tell(&mut some);
                }
            }
            if !some.is_empty() {
                tell(&mut some);
            }
        }
        all
    }

    /// A recording says what stood when it began.
    pub(crate) fn names_told(&mut self, text: &[u8]) {
        if let Some(book) = self.names.as_deref_mut()
            && restore(&mut book.table, text).is_none()
        {
            self.counters.names_malformed += 1;
        }
    }
}

fn restore(table: &mut Table, text: &[u8]) -> Option<()> {
    let parsed: Value = serde_json::from_slice(text).ok()?;
    let names = parsed.get("names")?;
    let container = names.get("container")?.as_str()?;
    for address in names.get("addresses")?.as_array()?.iter().take(ADDRESSES) {
        let ip: IpAddr = address.get(0)?.as_str()?.parse().ok()?;
        let known = address.get(1)?.as_array()?.iter();
        let known: Option<Vec<(&str, u64)>> = known
            .map(|one| Some((one.get(0)?.as_str()?, one.get(1)?.as_u64()?)))
            .collect();
        table.restore(container.as_bytes(), ip, &known?);
    }
    Some(())
}
