//! Which unknown shapes of control groups were reported: each once.

use std::collections::BTreeSet;

/// Most shapes that are remembered; more are not reported.
const SHAPES_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Shapes(BTreeSet<Vec<u8>>);

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
    /// Whether the shape is new, and worth a line.
    pub(super) fn insert(&mut self, path: &[u8]) -> bool {
        self.0.len() < SHAPES_MAX && self.0.insert(shape(path))
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
        assert!(shapes.0.len() <= SHAPES_MAX);
    }
}
