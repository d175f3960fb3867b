//! Which unknown shapes of control groups were reported: each once.
//!
//! A path that holds a full id in a shape of nobody's is reported when it is seen; one that may be
//! containerd's when it turns out that no runtime knows it.

use std::collections::{BTreeMap, BTreeSet};

use containers::Message;
use state::{Family, Sighting};

use crate::log;

/// Most shapes that are remembered; more are not reported.
const SHAPES_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    reported: BTreeSet<Vec<u8>>,
    /// Paths by the id of whom somebody is being asked about.
    asked: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

/// A path with each run of digits and hex letters of some length replaced by one sign.
fn shape(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let hex = rest.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let run = if hex >= 8 { hex } else { digits };
        if run > 0 {
            out.push(b'#');
        } else {
            out.push(rest[0]);
        }
        rest = &rest[run.max(1)..];
    }
    out
}

impl Shapes {
    /// A container was seen.
    pub(super) fn see(&mut self, sighting: &Sighting) {
        match sighting.identity.family {
            Family::Unknown => self.report(&sighting.path),
            Family::Namespaced if !sighting.is_known && self.asked.len() < SHAPES_MAX => {
                let id = sighting.identity.id.clone();
                self.asked.insert(id, sighting.path.clone());
            }
            _ => {}
        }
    }

    /// A question was answered.
    pub(super) fn hear(&mut self, message: &Message) {
        let (Message::Unknown { id } | Message::Container { id, .. }) = message else {
            return;
        };
        let path = self.asked.remove(id.as_slice());
        if let (Some(path), Message::Unknown { .. }) = (path, message) {
            self.report(&path);
        }
    }

    fn report(&mut self, path: &[u8]) {
        if self.insert(path) {
            log::warning(&format!(
                "the control group {} is that of a container of no known runtime; its processes \
                 are told apart by id only",
                String::from_utf8_lossy(path).escape_default()
            ));
        }
    }

    /// Whether the shape is new, and worth a line.
    fn insert(&mut self, path: &[u8]) -> bool {
        self.reported.len() < SHAPES_MAX && self.reported.insert(shape(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_once() {
        let mut shapes = Shapes::default();
        assert!(shapes.insert(b"/garden/x-0123456789abcdef.y"));
        assert!(!shapes.insert(b"/garden/x-fedcba9876543210.y"));
        assert!(shapes.insert(b"/garden/z-0123456789abcdef.y"));
        assert!(shapes.insert(b"/pod1/x") && !shapes.insert(b"/pod22/x"));
        for i in 0..1000u32 {
            let name: String = (0..=i % 500).map(|_| 'x').collect();
            shapes.insert(name.as_bytes());
        }
        assert!(shapes.reported.len() <= SHAPES_MAX);
    }
}
