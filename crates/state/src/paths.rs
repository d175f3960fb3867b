//! Joining a directory and a path as the engine's fields show them: by text alone, links are not
//! followed.

/// Longer results are not built.
const PATH_MAX: usize = 1024;
const TOO_LONG: &[u8] = b"/DIR_TOO_LONG/FILENAME_TOO_LONG";

/// Replaces `out` by `base` and `path` joined, `path` normalised.
///
/// An absolute `path` ignores `base`; an empty one gives nothing. `base` is taken as it is and
/// nothing is put between the two, so it should end in `/`. `..` climbs into `base`.
pub fn concat(out: &mut Vec<u8>, base: &[u8], path: &[u8]) {
    out.clear();
    if path.is_empty() {
        return;
    }
    if base.len() + path.len() + 1 > PATH_MAX {
        out.extend_from_slice(TOO_LONG);
        return;
    }
    let absolute = path[0] == b'/';
    if !absolute {
        out.extend_from_slice(base);
    }
    if is_normal(path) {
        out.extend_from_slice(path);
        return;
    }
    let rewound_base = |out: &Vec<u8>| !absolute && !base.is_empty() && out.is_empty();
    let mut rest = path;
    // Whether anything at all came before: an emptied relative base takes no leading slash.
    while let Some(&byte) = rest.first() {
        let at_start = out.last().is_none_or(|&b| b == b'/');
        if at_start && byte == b'.' {
            if rest == b".." || rest.starts_with(b"../") {
                if out.len() > 1 {
                    out.pop();
                    let keep = out.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
                    out.truncate(keep);
                }
                rest = &rest[rest.len().min(3)..];
                continue;
            }
            if rest == b"." || rest.starts_with(b"./") {
                rest = &rest[rest.len().min(2)..];
                continue;
            }
        }
        if byte == b'/' {
            if out.last() != Some(&b'/') && !rewound_base(out) {
                out.push(b'/');
            }
            rest = &rest[1..];
            continue;
        }
        let end = rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
        out.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
    if out.len() > 1 && out.last() == Some(&b'/') {
        out.pop();
    }
}

/// Whether normalising leaves a path as it is. False for a few paths of which that is true: those
/// with a component that begins with a dot, and `/`.
///
/// Looks for a slash that is followed by another one or by a dot, eight bytes at a time. The two
/// differ in their lowest bit only.
#[must_use]
pub fn is_normal(path: &[u8]) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const SLASHES: u64 = LOW * b'/' as u64;
    // Marks the bytes that are zero, and perhaps some above them: an answer that is too cautious.
    let zeros = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let (Some(first), Some(last)) = (path.first(), path.last()) else {
        return false;
    };
    if *first == b'.' || *last == b'/' {
        return false;
    }
    let mut at = 0;
    while let (Some(these), Some(next)) = (
        path[at..].first_chunk::<8>(),
        path[at + 1..].first_chunk::<8>(),
    ) {
        let slashes = zeros(u64::from_le_bytes(*these) ^ SLASHES);
        let either = zeros((u64::from_le_bytes(*next) | LOW) ^ SLASHES);
        if slashes & either != 0 {
            return false;
        }
        at += 8;
    }
    !path[at..]
        .windows(2)
        .any(|pair| pair[0] == b'/' && pair[1] | 1 == b'/')
}

/// Whether a path is what [`concat`] makes of it, whatever the directory: absolute, normal, and not
/// so long that it is not built.
#[must_use]
pub fn stands_alone(path: &[u8]) -> bool {
    path.first() == Some(&b'/') && path.len() + 2 <= PATH_MAX && is_normal(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_by_text() {
        for (base, path, expected) in [
            ("/a/", "b", "/a/b"),
            ("/a", "b", "/ab"),
            ("/a/", "/b//c/./d/", "/b/c/d"),
            ("/a/", "", ""),
            ("/a/", "..", "/"),
            ("/a/b/", "../c", "/a/c"),
            ("/", "..", "/"),
            ("", "/..", "/"),
            ("", "/../..", "/"),
            ("foo/", "a/..", "foo"),
            ("foo/", "..", ""),
            ("/x//y/../", "z", "/x//y/../z"),
            ("/a/", ".hidden", "/a/.hidden"),
            ("/a/", "..hidden", "/a/..hidden"),
            ("/a/", "./././b", "/a/b"),
            ("/a/", ".", "/a"),
            ("/", "/", "/"),
            ("<UNKNOWN>", "x", "<UNKNOWN>x"),
            ("/a/", "b/../../../c", "/c"),
            ("/a/", "a..b/c.", "/a/a..b/c."),
        ] {
            let mut out = b"old".to_vec();
            concat(&mut out, base.as_bytes(), path.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{base} + {path}");
        }
    }

    #[test]
    fn too_long() {
        let mut out = Vec::new();
        concat(&mut out, &[b'a'; 1000], &[b'b'; 24]);
        assert_eq!(out, TOO_LONG);
        concat(&mut out, &[b'a'; 1000], &[b'b'; 23]);
        assert_eq!(out.len(), 1023);
    }
}
