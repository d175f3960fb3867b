//! A package's header as RPM's database has it.
//!
//! ```text
//! | entries u32 | length of data u32 |                all numbers with the highest byte first
//! | tag u32 | type u32 | offset u32 | count u32 |     for each entry
//! | data |
//! ```

/// Most entries of a header.
const ENTRIES_MAX: usize = 4096;
/// Most values of an entry.
const VALUES_MAX: usize = 1_000_000;

/// Types of values.
const INT32: u32 = 4;
const STRING: u32 = 6;
const STRINGS: u32 = 8;

/// Entries that are of use.
pub(crate) mod tag {
    pub(crate) const NAME: u32 = 1000;
    pub(crate) const VERSION: u32 = 1001;
    pub(crate) const RELEASE: u32 = 1002;
    pub(crate) const EPOCH: u32 = 1003;
    pub(crate) const DIGESTS: u32 = 1035;
    pub(crate) const DIRECTORY_OF: u32 = 1116;
    pub(crate) const BASENAMES: u32 = 1117;
    pub(crate) const DIRECTORIES: u32 = 1118;
    pub(crate) const ALGORITHM: u32 = 5011;
}

/// A header that was found to hold together.
pub(crate) struct Header<'h> {
    entries: &'h [u8],
    data: &'h [u8],
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

impl<'h> Header<'h> {
    pub(crate) fn parse(blob: &'h [u8]) -> Option<Self> {
        let (count, length) = (number(blob, 0)? as usize, number(blob, 4)? as usize);
        if count > ENTRIES_MAX {
            return None;
        }
        let begin = 8 + 16 * count;
        Some(Self {
            entries: blob.get(8..begin)?,
            data: blob.get(begin..begin.checked_add(length)?)?,
        })
    }

    /// Data of an entry of this type, and the number of its values.
    fn find(&self, tag: u32, types: &[u32]) -> Option<(&'h [u8], usize)> {
        let entry = self
            .entries
            .chunks_exact(16)
            .find(|entry| number(entry, 0) == Some(tag))?;
        let ty = number(entry, 4)?;
        let (offset, count) = (number(entry, 8)? as usize, number(entry, 12)? as usize);
        if !types.contains(&ty) || count > VALUES_MAX {
            return None;
        }
        Some((self.data.get(offset..)?, count))
    }

    /// A text.
    pub(crate) fn text(&self, tag: u32) -> Option<String> {
        let (data, _) = self.find(tag, &[STRING])?;
        let text = data.split(|&byte| byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// One of several texts.
    pub(crate) fn text_at(&self, tag: u32, at: usize) -> Option<&'h [u8]> {
        let (data, count) = self.find(tag, &[STRINGS])?;
        let mut texts = data.split(|&byte| byte == 0);
        if at < count { texts.nth(at) } else { None }
    }

    /// One of several numbers.
    pub(crate) fn number_at(&self, tag: u32, at: usize) -> Option<u32> {
        let (data, count) = self.find(tag, &[INT32])?;
        if at < count {
            number(data, at.checked_mul(4)?)
        } else {
            None
        }
    }
}

/// Makes a header: texts, lists of texts and of numbers.
#[cfg(test)]
pub(crate) fn make(
    texts: &[(u32, &str)],
    lists: &[(u32, &[&str])],
    numbers: &[(u32, &[u32])],
) -> Vec<u8> {
    let mut entries: Vec<[u32; 4]> = Vec::new();
    let mut data = Vec::new();
    for (tag, text) in texts {
        entries.push([*tag, STRING, data.len() as u32, 1]);
        data.extend(text.as_bytes());
        data.push(0);
    }
    for (tag, list) in lists {
        entries.push([*tag, STRINGS, data.len() as u32, list.len() as u32]);
        for text in *list {
            data.extend(text.as_bytes());
            data.push(0);
        }
    }
    for (tag, list) in numbers {
        while data.len() % 4 != 0 {
            data.push(0);
        }
        entries.push([*tag, INT32, data.len() as u32, list.len() as u32]);
        data.extend(list.iter().flat_map(|number| number.to_be_bytes()));
    }
    let head = [entries.len() as u32, data.len() as u32];
    let numbers = head.iter().chain(entries.iter().flatten());
    let mut out: Vec<u8> = numbers.flat_map(|number| number.to_be_bytes()).collect();
    out.extend(data);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_any_bytes_are_borne() {
        let blob = make(
            &[(tag::NAME, "bash"), (tag::VERSION, "5.2")],
            &[(tag::BASENAMES, &["bash", "sh", ""])],
            &[(tag::DIRECTORY_OF, &[1, 0, 7])],
        );
        let header = Header::parse(&blob).unwrap();
        assert_eq!(header.text(tag::NAME).as_deref(), Some("bash"));
        assert_eq!(header.text_at(tag::BASENAMES, 1), Some(&b"sh"[..]));
        assert_eq!(header.text_at(tag::BASENAMES, 3), None);
        assert_eq!(header.number_at(tag::DIRECTORY_OF, 2), Some(7));
        assert_eq!(header.number_at(tag::DIRECTORY_OF, 3), None);
        assert_eq!(header.text(tag::RELEASE), None);
        for end in 0..blob.len() {
            assert!(Header::parse(&blob[..end]).is_none());
        }
        for at in 0..blob.len() {
            let mut odd = blob.clone();
            odd[at] ^= 0xff;
            if let Some(header) = Header::parse(&odd) {
                header.text(tag::NAME);
                header.text_at(tag::BASENAMES, 1);
                header.number_at(tag::DIRECTORY_OF, 1);
            }
        }
    }
}
