//! Small reads of small files.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// At most `limit` bytes of a file, into `buffer`; whether it could be read.
pub(crate) fn read_into(path: &Path, limit: usize, buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    File::open(path).is_ok_and(|file| fill(file, limit, buffer))
}

/// At most `limit` bytes of an open file. The files of `/proc/PID` give all they have at once: a
/// read that got less than it had room for was the last.
pub(crate) fn fill(file: impl Into<File>, limit: usize, buffer: &mut Vec<u8>) -> bool {
    let mut file = file.into();
    while buffer.len() < limit {
        let start = buffer.len();
        let room = (limit - start).min(4096);
        buffer.resize(start + room, 0);
        let got = file.read(&mut buffer[start..]);
        let Ok(got) = got else {
            buffer.truncate(start);
            return start > 0;
        };
        buffer.truncate(start + got);
        if got < room {
            break;
        }
    }
    true
}

/// At most 64 KiB of a file; empty if it cannot be read.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    let mut buffer = Vec::new();
    read_into(path, 1 << 16, &mut buffer);
    buffer
}

/// Where a link leads; empty if it cannot be read.
pub(crate) fn link(path: &Path) -> Vec<u8> {
    std::fs::read_link(path)
        .map(|to| to.into_os_string().into_vec())
        .unwrap_or_default()
}

/// Entries of a directory that are numbers, in its order.
pub(crate) fn numbers(path: &Path) -> Vec<i64> {
    let Ok(entries) = std::fs::read_dir(path) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect()
}

/// Words of a line, split at blanks and tabs.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// A decimal number.
pub(crate) fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

/// A hexadecimal number.
pub(crate) fn hex(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text.trim_ascii()).ok()?, 16).ok()
}

/// An octal number.
pub(crate) fn octal(text: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(text.trim_ascii()).ok()?, 8).ok()
}

/// Value of the line `NAME:\tVALUE`.
pub(crate) fn field<'a>(file: &'a [u8], name: &str) -> Option<&'a [u8]> {
    file.split(|&b| b == b'\n').find_map(|line| {
        let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b":")?;
        Some(value.trim_ascii())
    })
}
