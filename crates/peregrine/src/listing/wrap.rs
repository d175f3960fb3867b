//! Columns of wrapped text.

/// Writes `head`, then `text` wrapped between the columns `indent` and `width`; each line ends
/// with a blank, as the original's lists have it.
pub fn column(head: &str, text: &str, indent: usize, width: usize, out: &mut String) {
    let mut column = head.chars().count();
    out.push_str(head);
    if column >= indent {
        out.push(' ');
        column += 1;
    }
    let mut fresh = true;
    while column < indent {
        out.push(' ');
        column += 1;
    }
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !fresh && column + length >= width {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        }
        out.push_str(word);
        out.push(' ');
        column += length + 1;
        fresh = false;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_at_words() {
        let mut out = String::new();
        column("ab", "one two three", 4, 12, &mut out);
        assert_eq!(out, "ab  one two \n    three \n");
        out.clear();
        column("longer", "one", 4, 12, &mut out);
        assert_eq!(out, "longer one \n");
    }
}
