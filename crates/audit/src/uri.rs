//! Parameters in the query of a request.

/// The first parameter of this name, decoded; `None` as well where the query does not decode.
pub(crate) fn parameter(uri: &[u8], name: &str) -> Option<Vec<u8>> {
    let query = uri.split(|&b| b == b'#').next()?;
    let start = query.iter().position(|&b| b == b'?')? + 1;
    query[start..].split(|&b| b == b'&').find_map(|pair| {
        let split = pair.iter().position(|&b| b == b'=').unwrap_or(pair.len());
        let key = decode(&pair[..split])?;
        (key == name.as_bytes()).then(|| decode(pair.get(split + 1..).unwrap_or_default()))?
    })
}

/// All parameters of this name, decoded, in order.
pub(crate) fn parameters(uri: &[u8], name: &str) -> Vec<Vec<u8>> {
    let Some(start) = uri.iter().position(|&b| b == b'?') else {
        return Vec::new();
    };
    let matching = uri[start + 1..].split(|&b| b == b'&').filter_map(|pair| {
        let split = pair.iter().position(|&b| b == b'=')?;
        let key = decode(&pair[..split])?;
        (key == name.as_bytes()).then(|| decode(&pair[split + 1..]))?
    });
    matching.collect()
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(text.get(at + 1..at + 3)?).ok()?;
                if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return None;
                }
                out.push(u8::from_str_radix(digits, 16).ok()?);
                at += 2;
            }
            other => out.push(other),
        }
        at += 1;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_decoding() {
        let uri = b"/exec?command=sh&command=-c&a%62=x+%2F&empty&bad=%zz#frag?z=1";
        assert_eq!(parameter(uri, "command").as_deref(), Some(&b"sh"[..]));
        assert_eq!(parameters(uri, "command"), [b"sh".to_vec(), b"-c".to_vec()]);
        assert_eq!(parameter(uri, "ab").as_deref(), Some(&b"x /"[..]));
        assert_eq!(parameter(uri, "empty").as_deref(), Some(&b""[..]));
        assert_eq!(parameter(uri, "bad"), None);
        assert_eq!(parameter(uri, "z"), None);
        assert_eq!(parameter(b"/plain", "z"), None);
    }
}
