//! Where the comments of a text are.

use rules::yaml::{Kind, NodeId, Tree};

/// A comment, from its `#` to the end of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comment {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Nothing stands before it in its line.
    pub(super) alone: bool,
}

/// The bytes of all scalars, in order.
pub(super) fn scalars(tree: &Tree<'_>) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open: Vec<NodeId> = tree.documents.clone();
    while let Some(id) = open.pop() {
        let node = tree.node(id);
        match &node.kind {
            Kind::Scalar(_) => found.push((node.start, node.end)),
            Kind::Null => {}
            Kind::Sequence(all) => open.extend(all),
            Kind::Mapping(all) => open.extend(all.iter().flat_map(|&(key, value)| [key, value])),
        }
        // Aliases can make a small tree walk long.
        if found.len() > 4_000_000 {
            break;
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// All comments: what begins with `#` outside of scalars, at the start of a line or behind a blank.
pub(super) fn find(text: &str, tree: &Tree<'_>) -> Vec<Comment> {
    let bytes = text.as_bytes();
    let scalars = scalars(tree);
    let mut next = 0;
    let mut at = 0;
    let mut found = Vec::new();
    while at < bytes.len() {
        while scalars.get(next).is_some_and(|&(_, end)| end <= at) {
            next += 1;
        }
        if let Some(&(start, end)) = scalars.get(next)
            && start <= at
        {
            at = end.max(at + 1);
            continue;
        }
        if bytes[at] == b'#' && (at == 0 || bytes[at - 1].is_ascii_whitespace()) {
            let end = bytes[at..]
                .iter()
                .position(|&b| b == b'\n')
                .map_or(bytes.len(), |n| at + n);
            let line = bytes[..at]
                .iter()
                .rposition(|&b| b == b'\n')
                .map_or(0, |n| n + 1);
            let alone = bytes[line..at].iter().all(u8::is_ascii_whitespace);
            found.push(Comment {
                start: at,
                end,
                alone,
            });
            at = end;
        }
        at += 1;
    }
    found
}
