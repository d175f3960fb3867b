//! Names of the domain name system, and sets of them: type `DOMAIN`.
//!
//! A constant is a name, or with a dot before it a name and everything below:
//!
//! | constant | is |
//! |---|---|
//! | `example.com` | that name |
//! | `.example.com` | `example.com`, `www.example.com`, `a.b.example.com`; not `badexample.com` |
//!
//! Case does not matter, nor does the dot that ends a name. This holds for `=`, `!=`, `in` and
//! `intersects`; the other operators of texts see a name as a text.
//!
//! A set answers with one hash for each label of the name, however many members it has: lists of
//! hundreds of thousands of names cost what a list of one costs.

use hashbrown::HashSet;

/// Longest name that is looked up. One that is longer is none.
const LONGEST: usize = 1024;

/// The form in which names are compared: lower case, without the dot at the end.
#[must_use]
pub fn normal(name: &[u8]) -> Box<[u8]> {
    let mut name = name.to_ascii_lowercase();
    if name.len() > 1 && name.ends_with(b".") && name != b".." {
        name.pop();
    }
    name.into()
}

/// A set of names and of what lies below names.
#[derive(Debug, Default)]
pub struct DomainSet {
    exact: HashSet<Box<[u8]>>,
    /// Without the dot before them.
    above: HashSet<Box<[u8]>>,
}

impl DomainSet {
    /// Of constants in [`normal`] form.
    #[must_use]
    pub fn new(constants: impl IntoIterator<Item = Box<[u8]>>) -> Self {
        let mut set = Self::default();
        for constant in constants {
            match constant.strip_prefix(b".") {
                Some(above) if !above.is_empty() => set.above.insert(above.into()),
                _ => set.exact.insert(constant),
            };
        }
        set
    }

    /// Whether a name is a member, or lies below one that has a dot before it.
    #[must_use]
    pub fn has(&self, name: &[u8]) -> bool {
        if name.len() > LONGEST {
            return false;
        }
        let mut folded = [0; LONGEST];
        let folded = &mut folded[..name.len()];
        folded.copy_from_slice(name);
        folded.make_ascii_lowercase();
        let name = match folded.strip_suffix(b".") {
            Some(rest) if !rest.is_empty() && rest != b"." => rest,
            _ => &*folded,
        };
        if self.exact.contains(name) {
            return true;
        }
        if self.above.is_empty() {
            return false;
        }
        let dots = memchr::memchr_iter(b'.', name).map(|at| at + 1);
        let mut starts = std::iter::once(0).chain(dots);
        starts.any(|start| self.above.contains(&name[start..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(all: &[&str]) -> DomainSet {
        DomainSet::new(all.iter().map(|one| normal(one.as_bytes())))
    }

    #[test]
    fn names_and_what_lies_below() {
        let set = set(&["Example.com", ".evil.org.", "one"]);
        for (name, is_member) in [
            ("example.com", true),
            ("EXAMPLE.com.", true),
            ("www.example.com", false),
            ("evil.org", true),
            ("a.b.evil.org", true),
            ("bad-evil.org", false),
            ("evil.org.uk", false),
            ("one", true),
            ("", false),
            (".", false),
        ] {
            assert_eq!(set.has(name.as_bytes()), is_member, "{name}");
        }
        assert!(!set.has(&[b'.'; 5000]));
    }

    #[test]
    fn the_root_is_a_name_and_no_suffix() {
        let root = set(&["."]);
        assert!(root.has(b".") && !root.has(b"a.b") && !root.has(b""));
    }

    #[test]
    fn a_large_list() {
        let all = (0..100_000).map(|n| normal(format!(".d{n}.example.net").as_bytes()));
        let set = DomainSet::new(all);
        assert!(set.has(b"x.y.d99999.example.net") && set.has(b"d0.example.net"));
        assert!(!set.has(b"d100000.example.net") && !set.has(b"example.net"));
    }
}
