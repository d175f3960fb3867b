//! The oldest container event had four parameters; its successor has one JSON text.

use event::Record;

/// `{"id":"..","type":N,"name":"..","image":".."}` with its NUL; `None` when a parameter is
/// missing or the text is no text.
pub(super) fn describe(event: &Record<'_>) -> Option<Vec<u8>> {
    let text = |index: usize| std::str::from_utf8(event.param(index).strip_suffix(&[0])?).ok();
    let (id, kind) = (text(0)?, event.u32(1)?);
    let (name, image) = (text(2)?, text(3)?);
    let mut json = String::with_capacity(64 + id.len() + name.len() + image.len());
    json.push_str("{\"id\":");
    quote(&mut json, id);
    json.push_str(&format!(",\"type\":{kind},\"name\":"));
    quote(&mut json, name);
    json.push_str(",\"image\":");
    quote(&mut json, image);
    json.push_str("}\0");
    Some(json.into_bytes())
}

fn quote(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if (c as u32) < 0x20 => json.push_str(&format!("\\u{:04x}", c as u32)),
            c => json.push(c),
        }
    }
    json.push('"');
}
