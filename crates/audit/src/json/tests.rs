//! Documents, pointers and faults.

use super::*;

fn parse(text: &str) -> Document {
    Document::parse(text.as_bytes(), 64, 1000).unwrap()
}

#[test]
fn compact_text_keeps_order_and_digits() {
    let d = parse(" { \"b\" : [ 1.50 , -0e+2 , \"x \\u00e4\" ] , \"a\" : null } ");
    assert_eq!(d.text(), br#"{"b":[1.50,-0e+2,"x \u00e4"],"a":null}"#);
    let b = d.root().get("b").unwrap();
    assert_eq!(b.elements().count(), 3);
    assert_eq!(
        b.elements().nth(2).unwrap().string().unwrap().as_ref(),
        "x ä".as_bytes()
    );
    assert_eq!(d.root().get("a").unwrap().kind(), Kind::Null);
}

#[test]
fn pointers() {
    let d = parse(r#"{"a/b":{"m~n":[10,{"":7}]},"":1,"01":2}"#);
    let at = |p: &str| {
        d.root()
            .pointer(p)
            .map(|n| String::from_utf8_lossy(n.json()).into_owned())
    };
    assert_eq!(at("/a~1b/m~0n/0").as_deref(), Some("10"));
    assert_eq!(at("a~1b/m~0n/1/").as_deref(), Some("7"));
    assert_eq!(at("/"), Some("1".to_owned()));
    assert_eq!(at("/a~1b/m~0n/00"), None);
    assert_eq!(at("/a~1b/m~0n/2"), None);
    assert_eq!(at("").unwrap().as_bytes(), d.text());
}

#[test]
fn faults() {
    let kind = |text: &[u8]| Document::parse(text, 3, 6).map(|_| ()).unwrap_err().kind;
    for (text, wanted) in [
        (&b""[..], FaultKind::End),
        (b"[1,]", FaultKind::Unexpected),
        (b"{,}", FaultKind::Unexpected),
        (b"[,1]", FaultKind::Unexpected),
        (b"{\"a\" 1}", FaultKind::Unexpected),
        (b"[1 2]", FaultKind::Unexpected),
        (b"[1}", FaultKind::Unexpected),
        (b"01", FaultKind::Number),
        (b"1e", FaultKind::Number),
        (b"\"\\ud800\"", FaultKind::Escape),
        (b"\"\x01\"", FaultKind::Control),
        (b"\"\xff\"", FaultKind::Encoding),
        (b"1 1", FaultKind::Trailing),
        (b"[[[[", FaultKind::Depth),
        (b"[1,2,3,4,5,6]", FaultKind::Nodes),
        (b"nul", FaultKind::Unexpected),
        (b"\"abc", FaultKind::End),
    ] {
        assert_eq!(kind(text), wanted, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn pretty_text() {
    let mut out = Vec::new();
    parse(r#"{"a":[1,{}],"b":"x,\"{"}"#).root().pretty(&mut out);
    let wanted = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"x,\\\"{\"\n}";
    assert_eq!(String::from_utf8(out).unwrap(), wanted);
}
