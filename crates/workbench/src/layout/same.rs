//! Whether two trees say the same. Conditions are compared by their words, all else to the letter.

use rules::yaml::{Kind, NodeId, Tree};

use super::Refusal;
use crate::words::joined;

/// Most nodes that are compared; aliases expand.
const MOST: usize = 8_000_000;

/// Compares all documents.
pub(super) fn compare(a: &Tree<'_>, b: &Tree<'_>) -> Result<(), Refusal> {
    if a.documents.len() != b.documents.len() {
        return Err(Refusal::Meaning("documents"));
    }
    let mut open: Vec<(NodeId, NodeId, bool)> = a
        .documents
        .iter()
        .zip(&b.documents)
        .map(|(&a, &b)| (a, b, false))
        .collect();
    let mut count = 0;
    while let Some((x, y, is_condition)) = open.pop() {
        count += 1;
        if count > MOST {
            return Err(Refusal::Meaning("it is too large"));
        }
        match (&a.node(x).kind, &b.node(y).kind) {
            (Kind::Null, Kind::Null) => {}
            (Kind::Scalar(x), Kind::Scalar(y)) => {
                let same =
                    x.value == y.value || (is_condition && joined(&x.value) == joined(&y.value));
                if !same {
                    return Err(Refusal::Meaning("a value"));
                }
            }
            (Kind::Sequence(x), Kind::Sequence(y)) if x.len() == y.len() => {
                open.extend(x.iter().zip(y).map(|(&x, &y)| (x, y, false)));
            }
            (Kind::Mapping(x), Kind::Mapping(y)) if x.len() == y.len() => {
                for (&(key, value), &(other, its)) in x.iter().zip(y) {
                    open.push((key, other, false));
                    open.push((value, its, a.text(key) == Some("condition")));
                }
            }
            _ => return Err(Refusal::Meaning("the shape")),
        }
    }
    Ok(())
}
