//! Bodies of blocks as they are written: the newest version of each, little-endian.
//!
//! Texts longer than what readers accept are cut, here and nowhere else.

pub(crate) mod descriptor;
pub(crate) mod event;
pub(crate) mod lists;
pub(crate) mod process;

/// Appends a length and at most `limit` bytes of `text`.
pub(crate) fn text(out: &mut Vec<u8>, text: &[u8], limit: u64) {
    let text = &text[..text.len().min(limit as usize)];
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text);
}

/// Appends an entry that begins with its length, which counts itself.
pub(crate) fn sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}
