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
    /// A bit for each byte with which some prefix begins.
    first: [u64; 4],
    /// The empty prefix is filed.
    has_empty: bool,
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
        match prefix.first() {
            Some(&first) => self.first[usize::from(first / 64)] |= 1 << (first % 64),
            None => self.has_empty = true,
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

    /// Whether a text that begins, or ends, with this byte may match. Most do not, and need no look at
    /// the tree.
    #[inline]
    fn may_begin(&self, first: Option<&u8>) -> bool {
        self.has_empty
            || first
                .is_some_and(|first| self.first[usize::from(first / 64)] >> (first % 64) & 1 == 1)
    }

    /// Calls `found` with every number whose prefix `text` begins with.
    #[inline]
    pub fn matches(&self, text: &[u8], found: impl FnMut(u32)) {
        if self.may_begin(text.first()) {
            self.walk(
                text,
                <[u8]>::first,
                |text, label| text.strip_prefix(label),
                found,
            );
        }
    }

    /// Calls `found` with every number whose prefix `text` begins with when it is read backwards.
    #[inline]
    pub fn matches_from_end(&self, text: &[u8], found: impl FnMut(u32)) {
        fn strip<'t>(text: &'t [u8], label: &[u8]) -> Option<&'t [u8]> {
            let (rest, end) = text.split_at_checked(text.len().checked_sub(label.len())?)?;
            end.iter().rev().eq(label).then_some(rest)
        }
        if self.may_begin(text.last()) {
            self.walk(text, <[u8]>::last, strip, found);
        }
    }

    fn walk<'t>(
        &self,
        text: &'t [u8],
        next: impl Fn(&'t [u8]) -> Option<&'t u8>,
        strip: impl Fn(&'t [u8], &[u8]) -> Option<&'t [u8]>,
        mut found: impl FnMut(u32),
    ) {
        let Some(mut node) = self.nodes.first() else {
            return;
        };
        let mut rest = text;
        loop {
            for &value in &node.values {
                found(value);
            }
            let Some(&first) = next(rest) else { return };
            let Ok(slot) = node.children.binary_search_by_key(&first, |c| c.0) else {
                return;
            };
            node = &self.nodes[node.children[slot].1 as usize];
            match strip(rest, &node.label) {
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
    fn suffixes_agree_with_a_scan() {
        let suffixes = [
            "/shadow",
            "shadow",
            "w",
            "",
            ".bashrc",
            "rc",
            "/etc/shadow",
            "/shadow",
        ];
        let mut map = PrefixMap::default();
        for (i, suffix) in suffixes.iter().enumerate() {
            let reversed: Vec<u8> = suffix.bytes().rev().collect();
            map.insert(&reversed, i as u32);
        }
        for text in [
            "/etc/shadow",
            "shadow",
            "ow",
            "",
            "/root/.bashrc",
            "rc",
            "xshadow",
            "/",
        ] {
            let mut found = Vec::new();
            map.matches_from_end(text.as_bytes(), |value| found.push(value));
            found.sort_unstable();
            let naive: Vec<u32> = (0..suffixes.len() as u32)
                .filter(|&i| text.ends_with(suffixes[i as usize]))
                .collect();
            assert_eq!(found, naive, "{text}");
        }
    }

    #[test]
    fn empty_map_matches_nothing() {
        assert_eq!(hits(&PrefixMap::default(), "/etc"), Vec::<u32>::new());
    }
}
