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
    plain: HashMap<Box<[u8]>, u32>,
    globs: Vec<(Glob, u32)>,
}

/// All prefixes of one check.
#[derive(Debug)]
pub(crate) struct PathPrefixes {
    nodes: Vec<Node>,
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    path.split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty())
}

impl PathPrefixes {
    pub(crate) fn new<'p>(patterns: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let mut tree = Self {
            nodes: vec![Node::default()],
        };
        let mut globs: HashMap<(u32, &'p [u8]), u32> = HashMap::new();
        for pattern in patterns {
            let mut at = 0;
            for part in components(pattern) {
                let new = u32::try_from(tree.nodes.len()).expect("conditions are shorter");
                let node = &mut tree.nodes[at as usize];
                at = if Glob::is_special(part) {
                    *globs.entry((at, part)).or_insert_with(|| {
                        node.globs.push((Glob::new(part, false), new));
                        new
                    })
                } else {
                    *node.plain.entry(part.into()).or_insert(new)
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
        self.below(0, components(path))
    }

    /// Recursion is as deep as the longest pattern has components: at most 128.
    fn below<'v>(&self, at: u32, mut rest: impl Iterator<Item = &'v [u8]> + Clone) -> bool {
        let node = &self.nodes[at as usize];
        if node.end {
            return true;
        }
        let Some(part) = rest.next() else {
            return false;
        };
        if let Some(&next) = node.plain.get(part)
            && self.below(next, rest.clone())
        {
            return true;
        }
        node.globs
            .iter()
            .any(|(glob, next)| glob.matches(part) && self.below(*next, rest.clone()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Glob, PathPrefixes, components};

    proptest! {
        #[test]
        fn tree_agrees_with_each_pattern_alone(
            patterns in proptest::collection::vec("/?([ab*?]{1,2}/){0,3}", 0..6),
            path in "/?([ab]{1,2}/){0,4}",
        ) {
            let tree = PathPrefixes::new(patterns.iter().map(String::as_bytes));
            let alone = patterns.iter().any(|pattern| {
                let pattern: Vec<_> = components(pattern.as_bytes()).collect();
                let path: Vec<_> = components(path.as_bytes()).collect();
                pattern.len() <= path.len()
                    && pattern.iter().zip(&path).all(|(p, v)| Glob::new(p, false).matches(v))
            });
            prop_assert_eq!(tree.matches(path.as_bytes()), alone);
        }
    }
}
