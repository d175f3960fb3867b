//! `pmatch`: does a path lie below one of many prefixes?
//!
//! Paths are compared by components; empty ones vanish. The patterns form a tree of components, so
//! one walk over the value answers for all of them; a node is visited at most once, as its depth
//! fixes the component it is compared with.

use hashbrown::HashMap;

use crate::glob::Glob;

#[derive(Debug, Default)]
struct Node {
    /// A pattern ends here.
    end: bool,
    /// Components without special characters: few are compared one by one, more are hashed.
    few: Vec<(Box<[u8]>, u32)>,
    many: HashMap<Box<[u8]>, u32>,
    globs: Vec<(Glob, u32)>,
}

const FEW: usize = 6;

impl Node {
    fn plain(&self, part: &[u8]) -> Option<u32> {
        if self.many.is_empty() {
            return self
                .few
                .iter()
                .find(|(own, _)| **own == *part)
                .map(|(_, next)| *next);
        }
        self.many.get(part).copied()
    }

    fn add_plain(&mut self, part: &[u8], next: u32) {
        if self.many.is_empty() && self.few.len() < FEW {
            self.few.push((part.into(), next));
        } else {
            self.many.extend(self.few.drain(..));
            self.many.insert(part.into(), next);
        }
    }
}

/// All prefixes of one check.
#[derive(Debug)]
pub(crate) struct PathPrefixes {
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
struct Components<'p>(&'p [u8]);

impl<'p> Iterator for Components<'p> {
    type Item = &'p [u8];

    #[inline]
    fn next(&mut self) -> Option<&'p [u8]> {
        while let [b'/', rest @ ..] = self.0 {
            self.0 = rest;
        }
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'/', self.0).unwrap_or(self.0.len());
        let (part, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(part)
    }
}

impl PathPrefixes {
    pub(crate) fn new<'p>(patterns: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let mut tree = Self {
            nodes: vec![Node::default()],
        };
        let mut globs: HashMap<(u32, &'p [u8]), u32> = HashMap::new();
        for pattern in patterns {
            let mut at = 0;
            for part in Components(pattern) {
                let new = u32::try_from(tree.nodes.len()).expect("conditions are shorter");
                let node = &mut tree.nodes[at as usize];
                at = if Glob::is_special(part) {
                    *globs.entry((at, part)).or_insert_with(|| {
                        node.globs.push((Glob::new(part, false), new));
                        new
                    })
                } else {
                    node.plain(part).unwrap_or_else(|| {
                        node.add_plain(part, new);
                        new
                    })
                };
                if at == new {
                    tree.nodes.push(Node::default());
                }
            }
            tree.nodes[at as usize].end = true;
        }
        tree
    }

    pub(crate) fn matches(&self, path: &[u8]) -> bool {
        self.below(0, Components(path))
    }

    /// Recursion is as deep as the longest pattern has components: at most 128.
    fn below(&self, at: u32, mut rest: Components<'_>) -> bool {
        let node = &self.nodes[at as usize];
        if node.end {
            return true;
        }
        let Some(part) = rest.next() else {
            return false;
        };
        if let Some(next) = node.plain(part)
            && self.below(next, rest)
        {
            return true;
        }
        node.globs
            .iter()
            .any(|(glob, next)| glob.matches(part) && self.below(*next, rest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Components, Glob, PathPrefixes};

    proptest! {
        #[test]
        fn tree_agrees_with_each_pattern_alone(
            patterns in proptest::collection::vec("/?([ab*?]{1,2}/){0,3}", 0..6),
            path in "/?([ab]{1,2}/){0,4}",
        ) {
            let tree = PathPrefixes::new(patterns.iter().map(String::as_bytes));
            let alone = patterns.iter().any(|pattern| {
                let pattern: Vec<_> = Components(pattern.as_bytes()).collect();
                let path: Vec<_> = Components(path.as_bytes()).collect();
                pattern.len() <= path.len()
                    && pattern.iter().zip(&path).all(|(p, v)| Glob::new(p, false).matches(v))
            });
            prop_assert_eq!(tree.matches(path.as_bytes()), alone);
        }
    }
}
