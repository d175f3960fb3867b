//! Lists, inserted as text.
//!
//! The language defines the insertion as a sequence: for each list in order of definition, every
//! mention of its name in the text so far is replaced by its items, so that items may mention
//! lists that are defined later, but not earlier ones. Done literally that is a search of every
//! condition for every list. Instead the names are indexed: one walk over the text finds which
//! lists are mentioned at all, and only these are inserted, in the same order, each adding the
//! lists that its own items mention. The resulting text is the same byte for byte.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::text::{Assembled, Rewrite};
use crate::definition::ListDef;
use crate::exception::quoted;
use crate::state::Named;

/// What ends a name; all of it ASCII.
const DELIMITERS: &[char] = &[' ', '\t', '\n', '\r', '(', ')', ',', '='];
const BLANKS: &[char] = &[' ', '\t', '\n', '\r'];

/// Most bytes that a condition may grow to, and that may be inserted into all of them together.
pub(crate) const LONGEST: usize = 8 << 20;
const LONGEST_TOTAL: usize = 24 << 20;

/// Lists ready to be inserted.
pub(crate) struct Lists {
    entries: Vec<Compiled>,
    by_name: HashMap<String, usize>,
    /// Lists whose name has delimiters in it, so that the walk over words does not find them.
    odd: Vec<usize>,
    /// Bytes by which texts have grown.
    grown: usize,
}

/// A list with the items of other lists in the place of their names, one level deep.
pub(crate) struct Compiled {
    pub(crate) name: String,
    pub(crate) items: Vec<String>,
    /// The items as they are inserted.
    joined: String,
    /// Lists that the joined items mention.
    mentions: Vec<usize>,
    pub(crate) used: bool,
}

impl Lists {
    /// Compiles all lists.
    pub(crate) fn new(definitions: &Named<ListDef>) -> Self {
        let mut entries: Vec<Compiled> = Vec::with_capacity(definitions.iter().len());
        let mut used = vec![false; definitions.iter().len()];
        for list in definitions.iter() {
            let mut items = Vec::with_capacity(list.items.len());
            for item in &list.items {
                let other = definitions
                    .position(&item.value)
                    .zip(definitions.find(&item.value))
                    .filter(|(_, other)| other.order.index < list.order.visibility);
                match other {
                    Some((at, other)) => {
                        used[at] = true;
                        items.extend(other.items.iter().map(|i| i.value.clone()));
                    }
                    None => items.push(item.value.clone()),
                }
            }
            let quoted: Vec<String> = items.iter().map(|i| quoted(i)).collect();
            entries.push(Compiled {
                name: list.name.clone(),
                items,
                joined: quoted.join(", "),
                mentions: Vec::new(),
                used: false,
            });
        }
        let by_name: HashMap<String, usize> = entries
            .iter()
            .enumerate()
            .map(|(n, list)| (list.name.clone(), n))
            .collect();
        let odd = (0..entries.len())
            .filter(|&n| entries[n].name.contains(DELIMITERS))
            .collect();
        let mut lists = Self {
            entries,
            by_name,
            odd,
            grown: 0,
        };
        for (n, used) in used.into_iter().enumerate() {
            let mentions = lists.mentioned(&lists.entries[n].joined);
            lists.entries[n].mentions = mentions;
            lists.entries[n].used = used;
        }
        lists
    }

    pub(crate) fn entries(&self) -> &[Compiled] {
        &self.entries
    }

    /// Lists whose names stand as words in a text.
    fn mentioned(&self, text: &str) -> Vec<usize> {
        let ends = |b: &u8| DELIMITERS.contains(&char::from(*b));
        let mut found = Vec::new();
        let mut at = 0;
        // Byte by byte: delimiters are ASCII, and conditions are long.
        for word in text.as_bytes().split(ends) {
            let place = at..at + word.len();
            at = place.end + 1;
            if word.is_empty() {
                continue;
            }
            found.extend(text.get(place).and_then(|word| self.by_name.get(word)));
        }
        found
    }

    /// Inserts all lists that the text mentions.
    ///
    /// # Errors
    /// When the text would grow past [`LONGEST`]: lists that mention others several times double.
    pub(crate) fn expand(&mut self, text: &mut Assembled) -> Result<(), ()> {
        let mut waiting: BTreeSet<usize> = self.mentioned(&text.text).into_iter().collect();
        waiting.extend(&self.odd);
        let before = text.text.len();
        while let Some(list) = waiting.pop_first() {
            if self.insert(list, text)? {
                self.entries[list].used = true;
                waiting.extend(self.entries[list].mentions.iter().filter(|&&m| m > list));
            }
        }
        self.grown += text.text.len().saturating_sub(before);
        if self.grown > LONGEST_TOTAL {
            Err(())
        } else {
            Ok(())
        }
    }

    /// Inserts one list wherever it is mentioned. The blanks around a mention are swallowed, also
    /// those that were put behind the mention before; an empty list takes a comma with it.
    fn insert(&self, list: usize, text: &mut Assembled) -> Result<bool, ()> {
        let Compiled {
            name,
            joined,
            items,
            ..
        } = &self.entries[list];
        let old = &text.text;
        let bytes = old.as_bytes();
        let delimiter = |b: u8| DELIMITERS.contains(&char::from(b));
        let mut new = Rewrite::new(text);
        let (mut copied, mut from, mut found_any) = (0, 0, false);
        while let Some(found) = old.get(from..).and_then(|rest| rest.find(name.as_str())) {
            let (start, mut end) = (from + found, from + found + name.len());
            let alone = (start == 0 || delimiter(bytes[start - 1]))
                && bytes.get(end).is_none_or(|&b| delimiter(b));
            if !alone || name.is_empty() {
                from = start + old[start..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            found_any = true;
            let place = start..end;
            new.copy(copied, start);
            new.cut(new.text().trim_end_matches(BLANKS).len());
            while bytes
                .get(end)
                .is_some_and(|&b| BLANKS.contains(&char::from(b)))
            {
                end += 1;
            }
            if items.is_empty() {
                if new.text().ends_with(',') {
                    new.cut(new.text().len() - 1);
                } else if bytes.get(end) == Some(&b',') {
                    end += 1;
                }
            }
            // At the very beginning the search goes on one byte late: a quirk without effect on
            // any condition that parses, kept so that the text is the same.
            let late = usize::from(new.text().is_empty());
            if late == 0 {
                new.insert(" ", place.clone(), list);
            }
            new.insert(joined, place.clone(), list);
            new.insert(" ", place, list);
            if new.text().len() > LONGEST {
                return Err(());
            }
            (copied, from) = (end, end + late);
        }
        if found_any {
            new.copy(copied, old.len());
            *text = new.finish();
        }
        Ok(found_any)
    }
}

#[cfg(test)]
mod tests {
    use super::{Assembled, Lists};
    use crate::context::{Context, Written};
    use crate::definition::{ListDef, Order, Text};
    use crate::exception::quoted;
    use crate::state::Named;
    use crate::yaml::{ScalarPlace, Style};

    fn named(lists: &[(&str, &[&str])]) -> Named<ListDef> {
        let source = diag::SourceMap::new().add("t", "");
        let mut named = Named::default();
        for (n, (name, items)) in lists.iter().enumerate() {
            let number = u32::try_from(n + 1).unwrap();
            let text = |i: &&str| Text {
                value: (*i).to_owned(),
                span: diag::Span::new(source, 0, 0),
            };
            let list = ListDef {
                name: (*name).to_owned(),
                items: items.iter().map(text).collect(),
                context: Context::file(source),
                order: Order {
                    index: number,
                    visibility: number,
                },
            };
            named.push(name, list);
        }
        named
    }

    fn assembled(text: &str) -> Assembled {
        let place = ScalarPlace {
            style: Style::Plain,
            start: 0,
            content: 0,
            end: text.len(),
        };
        let source = diag::SourceMap::new().add("t", text);
        Assembled::new(&[Written {
            source,
            place,
            value: text.to_owned(),
        }])
    }

    /// The definition of the language, literally.
    fn literal(lists: &[(&str, &[&str])], text: &str) -> String {
        let compiled = Lists::new(&named(lists));
        let mut text = text.to_owned();
        for list in compiled.entries() {
            let sub = list
                .items
                .iter()
                .map(|i| quoted(i))
                .collect::<Vec<_>>()
                .join(", ");
            let delims = " \t\n\r(),=";
            let blanks = " \t\n\r";
            let mut at = text.find(&list.name);
            while let Some(found) = at {
                let (mut start, mut end) = (found, found + list.name.len());
                let b = text.as_bytes();
                let is = |set: &str, at: usize| set.as_bytes().contains(&b[at]);
                let mut next = start;
                if (start == 0 || is(delims, start - 1)) && (end >= b.len() || is(delims, end)) {
                    while start > 0 && is(blanks, start - 1) {
                        start -= 1;
                    }
                    while end < b.len() && is(blanks, end) {
                        end += 1;
                    }
                    if list.items.is_empty() {
                        if start > 0 && b[start - 1] == b',' {
                            start -= 1;
                        } else if end < b.len() && b[end] == b',' {
                            end += 1;
                        }
                    }
                    let mut new = String::new();
                    if start > 0 {
                        new += &text[..start];
                        new += " ";
                    }
                    new += &sub;
                    new += " ";
                    new += &text[end..];
                    text = new;
                    next = start + sub.len() + 1;
                }
                at = text
                    .get(next + 1..)
                    .and_then(|r| r.find(&list.name))
                    .map(|n| n + next + 1);
            }
        }
        text
    }

    fn check(lists: &[(&str, &[&str])], text: &str) -> String {
        let mut all = Lists::new(&named(lists));
        let mut out = assembled(text);
        all.expand(&mut out).unwrap();
        assert_eq!(out.text, literal(lists, text), "{text:?}");
        out.text
    }

    #[test]
    fn mentions_are_replaced() {
        let lists: &[(&str, &[&str])] = &[("shells", &["sh", "ba sh"]), ("none", &[])];
        assert_eq!(check(lists, "p in (shells)"), "p in ( sh, \"ba sh\" )");
        check(
            lists,
            "p in (a, none, b) and q in (none) and r in (none, x)",
        );
        check(lists, "p=shells or \"shells\" or x.shells or shells");
        check(lists, "shells");
        check(lists, "none, shells none");
    }

    #[test]
    fn nesting_depends_on_the_order() {
        let outer: &[(&str, &[&str])] =
            &[("d", &["c"]), ("c", &["b"]), ("b", &["a"]), ("a", &["x"])];
        assert_eq!(check(outer, "p in (d)"), "p in ( x )");
        let inner: &[(&str, &[&str])] =
            &[("a", &["x"]), ("b", &["a"]), ("c", &["b"]), ("d", &["c"])];
        assert_eq!(check(inner, "p in (d)"), "p in ( b )");
        assert_eq!(check(inner, "p in (c)"), "p in ( a )");
    }

    #[test]
    fn odd_names() {
        let lists: &[(&str, &[&str])] =
            &[("a", &["one two"]), ("one two", &["x"]), ("a b", &["y"])];
        check(lists, "p in (a) and q in (one two) and r in (a b)");
    }

    #[test]
    fn random_texts_expand_as_defined() {
        let words = [
            "a", "b", "c", "ab", "x", "(", ")", ",", " ", "  ", "=", "\n", "\"", "in",
        ];
        let mut seed = 7_u64;
        let mut random = |n: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % n
        };
        for _ in 0..3000 {
            let names = ["a", "b", "c", "ab"];
            let items: Vec<Vec<&str>> = names
                .iter()
                .map(|_| (0..random(4)).map(|_| words[random(5)]).collect())
                .collect();
            let lists: Vec<(&str, &[&str])> = names
                .iter()
                .zip(&items)
                .map(|(n, i)| (*n, i.as_slice()))
                .collect();
            let text: String = (0..random(20))
                .map(|_| words[random(words.len())])
                .collect();
            check(&lists, &text);
        }
    }
}
