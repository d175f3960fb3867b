//! Where events come from.
//!
//! A capture file today; a live source will yield the same items, so that nothing behind it needs
//! to know the difference.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use capture::{Item, Reader};

/// Yields the items of a machine's life in order.
pub(crate) trait Source {
    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// When the source broke; what came before was good.
    fn next(&mut self) -> Result<Option<Item<'_>>, capture::Error>;
}

impl<R: Read> Source for Reader<R> {
    #[inline]
    fn next(&mut self) -> Result<Option<Item<'_>>, capture::Error> {
        Self::next(self)
    }
}

/// An input that counts what was read of it, for the progress bar.
pub(crate) struct Counted<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// An opened capture.
pub(crate) struct CaptureFile {
    /// Its reader.
    pub(crate) reader: Reader<Counted<Box<dyn Read>>>,
    /// Its size, where it has one.
    pub(crate) size: Option<u64>,
    /// Bytes read of it so far.
    pub(crate) position: Arc<AtomicU64>,
}

/// Opens a capture; `-` is standard input. `raw`: events as recorded.
///
/// # Errors
/// When the file cannot be opened or is no capture; the message names the file and a way out.
pub(crate) fn open(path: &str, raw: bool) -> Result<CaptureFile> {
    let (input, size): (Box<dyn Read>, _) = if path == "-" {
        (Box::new(io::stdin().lock()), None)
    } else {
        if Path::new(path).is_dir() {
            bail!("{path} is a directory; name a capture file in it");
        }
        let file =
            File::open(path).with_context(|| format!("cannot open the capture file {path}"))?;
        let size = file
            .metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|m| m.len());
        (Box::new(file), size)
    };
    let position = Arc::new(AtomicU64::new(0));
    let input = Counted {
        inner: input,
        bytes: Arc::clone(&position),
    };
    let reader = if raw {
        Reader::raw(input)
    } else {
        Reader::new(input)
    };
    let reader = reader.with_context(|| format!("cannot read {path} as a capture"))?;
    Ok(CaptureFile {
        reader,
        size,
        position,
    })
}
