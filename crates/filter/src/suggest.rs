//! The nearest known name to a wrong one.

/// The name with the fewest edits, if these are few for its length.
pub(crate) fn nearest(wrong: &str, names: &[&str]) -> Option<String> {
    if wrong.len() > 64 {
        return None;
    }
    let most = (wrong.len() / 4).clamp(1, 4);
    names
        .iter()
        .filter(|name| name.len().abs_diff(wrong.len()) <= most)
        .map(|name| (distance(wrong.as_bytes(), name.as_bytes()), *name))
        .filter(|(edits, _)| *edits <= most)
        .min()
        .map(|(_, name)| name.to_owned())
}

/// Edits between two texts: insert, delete, replace, swap of neighbours.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1; b.len() + 1];
        for j in 0..b.len() {
            let replaced = above[j] + usize::from(!a[i].eq_ignore_ascii_case(&b[j]));
            row[j + 1] = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_typing_errors_only() {
        let names = ["proc.name", "proc.pname", "fd.name", "evt.type"];
        assert_eq!(nearest("proc.nmae", &names).as_deref(), Some("proc.name"));
        assert_eq!(nearest("evt.typ", &names).as_deref(), Some("evt.type"));
        assert_eq!(nearest("container.id", &names), None);
    }
}
