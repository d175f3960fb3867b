//! Which of many prefixes a text begins with, in one walk over the text.
//!
//! A radix tree in one vector: each edge carries the bytes up to the next branching, so a text that
//! shares nothing with any prefix is dismissed at its first byte. Rejected: a hash per prefix length
//! (as many look-ups as there are lengths), and an Aho-Corasick automaton (finds substrings, which
//! nobody asks for here, at the price of a step for every byte of every text).

/// Prefixes and the numbers filed under them.
#[derive(Clone, Debug, Default)]
pub struct PrefixMap {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Bytes from the parent to here.
    label: Box<[u8]>,
    /// Numbers of the prefixes that end here.
    values: Vec<u32>,
    /// First byte of each child's label, sorted, and the child's position.
    children: Vec<(u8, u32)>,
}

impl PrefixMap {
    /// Files `value` under `prefix`. The empty prefix matches every text.
    pub fn insert(&mut self, prefix: &[u8], value: u32) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let (mut at, mut rest) = (0usize, prefix);
        while let Some(&first) = rest.first() {
            let slot = match self.nodes[at]
                .children
                .binary_search_by_key(&first, |c| c.0)
            {
                Ok(slot) => slot,
                Err(slot) => {
                    let leaf = self.push(rest.into(), vec![value], Vec::new());
                    self.nodes[at].children.insert(slot, (first, leaf));
                    return;
                }
            };
            let child = self.nodes[at].children[slot].1 as usize;
            let common = shared(&self.nodes[child].label, rest);
            if common < self.nodes[child].label.len() {
                self.split(child, common);
            }
            at = child;
            rest = &rest[common..];
        }
        self.nodes[at].values.push(value);
    }

    /// Whether no prefix is filed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Calls `found` with every number whose prefix `text` begins with.
    #[inline]
    pub fn matches(&self, text: &[u8], mut found: impl FnMut(u32)) {
        let Some(mut node) = self.nodes.first() else {
            return;
        };
        let mut rest = text;
        loop {
            for &value in &node.values {
                found(value);
            }
            let Some(&first) = rest.first() else { return };
            let Ok(slot) = node.children.binary_search_by_key(&first, |c| c.0) else {
                return;
            };
            node = &self.nodes[node.children[slot].1 as usize];
            match rest.strip_prefix(&*node.label) {
                Some(tail) => rest = tail,
                None => return,
            }
        }
    }

    fn push(&mut self, label: Box<[u8]>, values: Vec<u32>, children: Vec<(u8, u32)>) -> u32 {
        self.nodes.push(Node {
            label,
            values,
            children,
        });
        u32::try_from(self.nodes.len() - 1).expect("fewer than 2^32 prefixes")
    }

    /// Cuts the edge to `node` after `at` bytes; what hung below hangs below the new lower half.
    fn split(&mut self, node: usize, at: usize) {
        let upper = std::mem::take(&mut self.nodes[node]);
        let (head, tail) = upper.label.split_at(at);
        let lower = self.push(tail.into(), upper.values, upper.children);
        self.nodes[node] = Node {
            label: head.into(),
            values: Vec::new(),
            children: vec![(tail[0], lower)],
        };
    }
}

fn shared(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(map: &PrefixMap, text: &str) -> Vec<u32> {
        let mut out = Vec::new();
        map.matches(text.as_bytes(), |v| out.push(v));
        out.sort_unstable();
        out
    }

    #[test]
    fn agrees_with_a_scan() {
        let prefixes = [
            "/etc/",
            "/etc/passwd",
            "/e",
            "",
            "/etc/shadow",
            "/var/lib/",
            "/etc/",
            "x",
            "/etc/pa",
        ];
        let mut map = PrefixMap::default();
        for (i, p) in prefixes.iter().enumerate() {
            map.insert(p.as_bytes(), i as u32);
        }
        for text in [
            "/etc/passwd-",
            "/etc",
            "/",
            "",
            "/var/lib/x",
            "/var/libx",
            "xyz",
            "/etc/shadow",
        ] {
            let naive: Vec<u32> = (0..prefixes.len() as u32)
                .filter(|&i| text.starts_with(prefixes[i as usize]))
                .collect();
            assert_eq!(hits(&map, text), naive, "{text}");
        }
    }

    #[test]
    fn empty_map_matches_nothing() {
        assert_eq!(hits(&PrefixMap::default(), "/etc"), Vec::<u32>::new());
    }
}
