//! What an exec sets and a fork shares: the program a process runs, with its arguments.
//!
//! An image never changes once made. It has a number of its own, so that a result which depends
//! on the image alone can be kept beside it and is known to be stale when the number differs.
//!
//! The texts lie in one allocation:
//!
//! ```text
//! | exe | exepath | comm ' ' arg ' ' arg ... |
//!                  \______ command line ____/
//! ```

use std::cell::OnceCell;
use std::rc::Rc;

use crate::programs::Slot;

/// A program as a process runs it.
#[derive(Debug)]
pub struct Image {
    generation: u64,
    text: Box<[u8]>,
    exe_end: u32,
    path_end: u32,
    comm_end: u32,
    /// Ends of the arguments in `text`; between two lies one space.
    arg_ends: Box<[u32]>,
    /// File it was loaded from.
    pub file: ImageFile,
    /// What that file is, once somebody asked.
    pub(crate) identity: OnceCell<Rc<Slot>>,
}

/// What is known of the file that an image was loaded from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageFile {
    /// The user that runs it may write it.
    pub writable: bool,
    /// It lies in an overlay's upper layer.
    pub upper_layer: bool,
    /// It lies in an overlay's lower layer.
    pub lower_layer: bool,
    /// It lies in memory only.
    pub from_memfd: bool,
    /// Inode; 0: unknown.
    pub ino: u64,
    /// Change time of the inode, nanoseconds since the epoch; 0: unknown.
    pub ctime: u64,
    /// Modification time of the inode, nanoseconds since the epoch; 0: unknown.
    pub mtime: u64,
    /// From the inode's change to the process' birth; it wraps where the file is newer. 0: unknown.
    pub ctime_to_clone: u64,
    /// From the start of the pid namespace to the inode's change; 0: unknown, or the other way round.
    pub pidns_start_to_ctime: u64,
}

/// The texts of an image to be made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ImageTexts<'a> {
    pub(crate) comm: &'a [u8],
    pub(crate) exe: &'a [u8],
    pub(crate) exepath: &'a [u8],
    /// NUL-separated, a final NUL optional.
    pub(crate) args: &'a [u8],
}

/// Longest text of a name or path that is kept.
const NAME_MAX: usize = 4096;
/// Longest block of arguments that is kept.
const ARGS_MAX: usize = 65_536;

fn cut(text: &[u8], max: usize) -> &[u8] {
    &text[..text.len().min(max)]
}

/// The items of a NUL-separated block: one final NUL ends the last item, empty ones inside count,
/// nothing before the final NUL is no item.
pub(crate) fn items(block: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let body = block.strip_suffix(&[0]).unwrap_or(block);
    let none = body.is_empty();
    body.split(|&b| b == 0).filter(move |_| !none)
}

impl Image {
    pub(crate) fn new(generation: u64, texts: &ImageTexts<'_>, file: ImageFile) -> Self {
        let (comm, exe) = (cut(texts.comm, NAME_MAX), cut(texts.exe, NAME_MAX));
        let (exepath, args) = (cut(texts.exepath, NAME_MAX), cut(texts.args, ARGS_MAX));
        let mut text = Vec::with_capacity(comm.len() + exe.len() + exepath.len() + args.len() + 1);
        text.extend_from_slice(exe);
        let exe_end = text.len() as u32;
        text.extend_from_slice(exepath);
        let path_end = text.len() as u32;
        text.extend_from_slice(comm);
        let comm_end = text.len() as u32;
        let count = items(args).count();
        let mut arg_ends = Vec::with_capacity(count);
        for arg in items(args) {
            text.push(b' ');
            text.extend_from_slice(arg);
            arg_ends.push(text.len() as u32);
        }
        Self {
            generation,
            text: text.into_boxed_slice(),
            exe_end,
            path_end,
            comm_end,
            arg_ends: arg_ends.into_boxed_slice(),
            file,
            identity: OnceCell::new(),
        }
    }

    /// Unique among all images of one state.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Kernel's name of the process (`proc.name`).
    #[must_use]
    pub fn comm(&self) -> &[u8] {
        &self.text[self.path_end as usize..self.comm_end as usize]
    }

    /// First argument (`proc.exe`).
    #[must_use]
    pub fn exe(&self) -> &[u8] {
        &self.text[..self.exe_end as usize]
    }

    /// Path of the executable, as far as known (`proc.exepath`).
    #[must_use]
    pub fn exepath(&self) -> &[u8] {
        &self.text[self.exe_end as usize..self.path_end as usize]
    }

    /// Name, then each argument after a space (`proc.cmdline`).
    #[must_use]
    pub fn cmdline(&self) -> &[u8] {
        &self.text[self.path_end as usize..]
    }

    /// The arguments but the first, joined with spaces (`proc.args`).
    #[must_use]
    pub fn args_joined(&self) -> &[u8] {
        self.text.get(self.comm_end as usize + 1..).unwrap_or(&[])
    }

    /// The arguments but the first.
    #[must_use]
    pub fn args(&self) -> impl ExactSizeIterator<Item = &[u8]> + DoubleEndedIterator {
        self.arg_ends.iter().enumerate().map(|(i, &end)| {
            let start = if i == 0 {
                self.comm_end
            } else {
                self.arg_ends[i - 1]
            };
            &self.text[start as usize + 1..end as usize]
        })
    }

    /// Whether making an image of these texts would give this one again.
    pub(crate) fn has(&self, texts: &ImageTexts<'_>) -> bool {
        self.comm() == cut(texts.comm, NAME_MAX)
            && self.exe() == cut(texts.exe, NAME_MAX)
            && self.exepath() == cut(texts.exepath, NAME_MAX)
            && self.has_args(cut(texts.args, ARGS_MAX))
    }

    /// Whether the arguments are those of a NUL-separated block.
    fn has_args(&self, block: &[u8]) -> bool {
        let mut rest = block.strip_suffix(&[0]).unwrap_or(block);
        if rest.is_empty() || self.arg_ends.is_empty() {
            return rest.is_empty() && self.arg_ends.is_empty();
        }
        for (at, arg) in self.args().enumerate() {
            let separated = if at == 0 {
                Some(rest)
            } else {
                rest.strip_prefix(&[0])
            };
            match separated.and_then(|rest| rest.strip_prefix(arg)) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        rest.is_empty()
    }

    pub(crate) fn empty() -> Rc<Self> {
        Rc::new(Self::new(0, &ImageTexts::default(), ImageFile::default()))
    }

    /// Of a thread of which nothing is known. All such share generation `u64::MAX`.
    pub(crate) fn unknown() -> Rc<Self> {
        let texts = ImageTexts {
            comm: b"<NA>",
            exe: b"<NA>",
            ..ImageTexts::default()
        };
        Rc::new(Self::new(u64::MAX, &texts, ImageFile::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(comm: &[u8], exe: &[u8], path: &[u8], args: &[u8]) -> Image {
        let texts = ImageTexts {
            comm,
            exe,
            exepath: path,
            args,
        };
        let image = Image::new(7, &texts, ImageFile::default());
        assert!(image.has(&texts));
        image
    }

    #[test]
    fn texts_come_back() {
        let i = image(b"cat", b"/bin/cat", b"/usr/bin/cat", b"-n\0\0a b\0");
        assert_eq!(i.comm(), b"cat");
        assert_eq!(i.exe(), b"/bin/cat");
        assert_eq!(i.exepath(), b"/usr/bin/cat");
        assert_eq!(i.cmdline(), b"cat -n  a b");
        assert_eq!(i.args_joined(), b"-n  a b");
        assert_eq!(i.args().collect::<Vec<_>>(), [&b"-n"[..], b"", b"a b"]);
    }

    #[test]
    fn no_arguments() {
        let none = image(b"cat", b"cat", b"", b"");
        assert_eq!(none.args().len(), 0);
        assert_eq!(none.cmdline(), b"cat");
        assert_eq!(none.args_joined(), b"");
        assert!(none.has(&ImageTexts {
            comm: b"cat",
            exe: b"cat",
            exepath: b"",
            args: b"\0"
        }));
        let one = image(b"cat", b"cat", b"", b" \0");
        assert_eq!(one.args().len(), 1);
        assert_eq!(one.cmdline(), b"cat  ");
        assert!(!none.has(&ImageTexts {
            comm: b"cat",
            exe: b"cat",
            exepath: b"",
            args: b" \0"
        }));
    }

    #[test]
    fn endless_texts_are_cut() {
        let long = vec![b'x'; 1 << 17];
        let i = image(&long, &long, &long, &long);
        assert_eq!(i.comm().len(), NAME_MAX);
        assert_eq!(i.args_joined().len(), ARGS_MAX);
    }
}
