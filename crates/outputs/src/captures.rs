//! Files that have the events around alerts which did not go out by themselves, so that the line that tells of those
//! alerts can say where to look.

use filter::json;
use filter::render::sanitize;

/// Most files that are named; the others are counted.
const MOST: usize = 8;

/// Files of alerts that a line tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    files: Vec<Vec<u8>>,
    last: Vec<u8>,
    more: u64,
}

impl Captures {
    /// Adds an alert's file. Alerts that share one follow each other.
    pub(crate) fn note(&mut self, file: Option<&[u8]>) {
        let Some(file) = file.filter(|file| *file != self.last) else {
            return;
        };
        self.last.clear();
        self.last.extend_from_slice(file);
        if self.files.iter().any(|known| known == file) {
            return;
        }
        if self.files.len() < MOST {
            self.files.push(file.to_vec());
        } else {
            self.more += 1;
        }
    }

    /// Whether none was saved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// As a part of a line.
    pub(crate) fn text(&self, out: &mut Vec<u8>) {
        for (n, file) in self.files.iter().enumerate() {
            out.extend_from_slice(if n == 0 { b"; events in " } else { b", " });
            sanitize(file, out);
        }
        if self.more > 0 {
            out.extend_from_slice(format!(" and {} more files", self.more).as_bytes());
        }
    }

    /// As JSON, with how many are not named.
    pub(crate) fn fields(&self, prefix: &str, fields: &mut Vec<(String, Vec<u8>)>) {
        if self.is_empty() {
            return;
        }
        let mut list = b"[".to_vec();
        for (n, file) in self.files.iter().enumerate() {
            if n > 0 {
                list.push(b',');
            }
            json::string(file, &mut list);
        }
        list.push(b']');
        fields.push((format!("{prefix}.captures"), list));
        if self.more > 0 {
            let more = self.more.to_string().into_bytes();
            fields.push((format!("{prefix}.captures_more"), more));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_named_once_and_none_is_forgotten() {
        let mut captures = Captures::default();
        let mut text = Vec::new();
        captures.text(&mut text);
        assert!(captures.is_empty() && text.is_empty());
        for n in 0..10 {
            for _ in 0..3 {
                captures.note(Some(format!("/c/{n}\n").as_bytes()));
            }
            captures.note(None);
        }
        captures.text(&mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.starts_with("; events in /c/0") && text.ends_with(" and 2 more files"),
            "{text}"
        );
        assert_eq!(text.matches("/c/").count(), MOST);
        assert!(!text.contains('\n'), "no name makes a line");
        let mut fields = Vec::new();
        captures.fields("group", &mut fields);
        let names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["group.captures", "group.captures_more"]);
        let list: Vec<String> = serde_json::from_slice(&fields[0].1).unwrap();
        assert_eq!((list.len(), &*list[0]), (MOST, "/c/0\n"));
    }
}
