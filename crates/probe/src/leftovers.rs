//! Memory that only a start needs: the heap that libbpf's copies of the programs and the rules' texts lay in, and the
//! pages of this program that were read for it. None of it comes back before the next start.

use std::fs;

use crate::programs;
use crate::shared::page_size;

/// Gives it back: call it when everything is loaded. Pages of the program that are used after all come again from the
/// page cache.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes nothing away that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
    for bytes in programs::objects() {
        let start = bytes.as_ptr() as usize;
        unmap(start, start + bytes.len());
    }
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else {
        return;
    };
    let here = give_back as *const () as usize;
    for (start, end) in maps.lines().filter_map(code) {
        if (start..end).contains(&here) {
            unmap(start, end);
        }
    }
}

/// The addresses of a mapping of code.
fn code(line: &str) -> Option<(usize, usize)> {
    let mut words = line.split(' ');
    let (start, end) = words.next()?.split_once('-')?;
    let is_code = words.next()? == "r-xp";
    let address = |text| usize::from_str_radix(text, 16).ok();
    is_code.then_some((address(start)?, address(end)?))
}

/// Forgets the whole pages between two addresses.
fn unmap(start: usize, end: usize) {
    let page = page_size();
    let (start, end) = (start.next_multiple_of(page), end / page * page);
    if start < end {
        // SAFETY: code and constants of this program, mapped from its file and never written, not even by the
        // dynamic linker, which has nothing to relocate there: what is forgotten is read again as it was.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_code() {
        let line = "55d0a000-55d0c000 r-xp 00001000 fe:00 77 /usr/bin/peregrine";
        assert_eq!(code(line), Some((0x55d0_a000, 0x55d0_c000)));
        assert_eq!(code(&line.replace("r-xp", "r--p")), None);
        assert_eq!(code("nothing"), None);
    }

    #[test]
    fn everything_is_still_there_afterwards() {
        let before: Vec<u64> = programs::objects().map(sum).to_vec();
        give_back();
        assert_eq!(before, programs::objects().map(sum).to_vec());
        assert_eq!(code("1000-2000 r-xp"), Some((0x1000, 0x2000)));
    }

    fn sum(bytes: &[u8]) -> u64 {
        bytes.iter().map(|byte| u64::from(*byte)).sum()
    }
}
