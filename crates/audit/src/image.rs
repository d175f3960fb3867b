//! Names of images.

/// The image without tag and digest; a registry's port stays.
pub(crate) fn repository(image: &[u8]) -> &[u8] {
    let image = image.split(|&b| b == b'@').next().unwrap_or(image);
    let last = image.iter().rposition(|&b| b == b'/').map_or(0, |n| n + 1);
    match image[last..].iter().position(|&b| b == b':') {
        Some(colon) => &image[..last + colon],
        None => image,
    }
}

/// As [`repository`], and without the registry that is meant where none is named.
pub(crate) fn short_repository(image: &[u8]) -> &[u8] {
    let name = repository(image);
    name.strip_prefix(b"docker.io/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_digests_and_ports() {
        for (image, wanted) in [
            ("nginx", "nginx"),
            ("nginx:1.2", "nginx"),
            ("reg:5000/a/b:1", "reg:5000/a/b"),
            ("reg:5000/a/b@sha256:00", "reg:5000/a/b"),
            ("a/b:1@sha256:00", "a/b"),
            ("", ""),
        ] {
            assert_eq!(repository(image.as_bytes()), wanted.as_bytes(), "{image}");
        }
        assert_eq!(short_repository(b"docker.io/a/b:1"), b"a/b");
    }
}
