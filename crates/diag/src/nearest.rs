//! The nearest known name to a misspelt one.

/// Longer names are not compared: nobody mistypes them, and the distance costs their product.
const LONGEST: usize = 64;

/// The known name with the fewest edits from `name`, if they are few enough to be a slip: a
/// third of the name's length, at least one.
#[must_use]
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() > LONGEST {
        return None;
    }
    let limit = (name.len() / 3).max(1);
    known
        .into_iter()
        .filter(|k| k.len().abs_diff(name.len()) <= limit && k.len() <= LONGEST)
        .map(|k| (distance(name.as_bytes(), k.as_bytes()), k))
        .filter(|&(d, _)| d <= limit)
        .min_by_key(|&(d, _)| d)
        .map(|(_, k)| k)
}

/// Insertions, deletions, replacements and swaps of neighbours, without regard to ASCII case.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = a[i - 1].eq_ignore_ascii_case(&b[j - 1]);
            row[j] = (last[j] + 1)
                .min(row[j - 1] + 1)
                .min(last[j - 1] + usize::from(!same));
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips() {
        let known = ["proc.name", "proc.pname", "fd.name"];
        assert_eq!(nearest("proc.nmae", known), Some("proc.name"));
        assert_eq!(nearest("porc.pname", known), Some("proc.pname"));
        assert_eq!(nearest("evt.type", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(1000), known), None);
    }
}
