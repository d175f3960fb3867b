//! From an event to the values at a path.
//!
//! An array met on the way, before the last key, is followed into all its elements, or into the one that an
//! index names; elements that lack the rest are passed over. What the last key holds is handed out as it is.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::json::{Kind, Node};

/// Values found, in order.
pub(crate) type Found<'s, 'd> = BumpVec<'s, Node<'d>>;

/// The values at `path` below `node`.
pub(crate) fn at<'s, 'd>(
    node: Node<'d>,
    path: &[&str],
    index: Option<u32>,
    scratch: &'s Bump,
) -> Found<'s, 'd> {
    let mut level = Found::new_in(scratch);
    level.push(node);
    for key in path {
        let mut next = Found::new_in(scratch);
        for node in level {
            match node.kind() {
                Kind::Object => next.extend(node.get(key)),
                Kind::Array => {
                    let chosen = chosen(node, index);
                    next.extend(chosen.filter_map(|element| element.get(key)));
                }
                _ => {}
            }
        }
        level = next;
    }
    level
}

/// The elements of an array that an index leaves.
pub(crate) fn chosen(array: Node<'_>, index: Option<u32>) -> impl Iterator<Item = Node<'_>> {
    array
        .elements()
        .enumerate()
        .filter(move |(n, _)| index.is_none_or(|index| *n == index as usize))
        .map(|(_, node)| node)
}
