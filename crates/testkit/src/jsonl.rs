//! Reads JSON documents and JSON lines, plain or gzip-compressed (by the file's first bytes).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

/// Opens a file, unpacking it if it is gzip.
///
/// # Errors
/// What the file system says.
pub fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    if file.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::with_capacity(
            1 << 16,
            MultiGzDecoder::new(file),
        )));
    }
    Ok(Box::new(file))
}

/// The whole text of a file, unpacked if it is gzip.
///
/// # Errors
/// What the file system says, or text that is not UTF-8.
pub fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// The one JSON document in a file.
///
/// # Errors
/// What the file system says, or text that is not JSON.
pub fn document(path: &Path) -> io::Result<Value> {
    serde_json::from_reader(open(path)?).map_err(|e| named(path, &e.into()))
}

/// The JSON lines of a file, one by one; empty lines are passed over.
///
/// # Errors
/// What the file system says when the file is opened; later faults are items of the iterator.
pub fn lines(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Value>>> {
    let owned = path.to_owned();
    Ok(open(path)?
        .lines()
        .filter(|l| l.as_ref().map_or(true, |l| !l.trim().is_empty()))
        .map(move |line| serde_json::from_str(&line?).map_err(|e| named(&owned, &e.into()))))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn plain_and_packed_lines_read_alike() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain.jsonl");
        std::fs::write(&plain, "{\"a\":1}\n\n{\"a\":2}\n").unwrap();
        let packed = folder.path().join("packed.jsonl.gz");
        let mut gz = flate2::write::GzEncoder::new(
            File::create(&packed).unwrap(),
            flate2::Compression::fast(),
        );
        gz.write_all(b"{\"a\":1}\n{\"a\":2}").unwrap();
        gz.finish().unwrap();
        for path in [plain, packed] {
            let all: Vec<Value> = lines(&path).unwrap().map(Result::unwrap).collect();
            assert_eq!(
                all,
                [serde_json::json!({"a": 1}), serde_json::json!({"a": 2})]
            );
        }
    }
}
