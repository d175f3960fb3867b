//! Files made to hurt: each gets a clear error, in bounded time and memory.

use std::fmt::Write;
use std::time::{Duration, Instant};

use fields::Catalogue;
use rules::{Loaded, Loader, Options};

fn load(bytes: &[u8]) -> Loaded {
    let catalogue = Catalogue::new([]);
    let mut loader = Loader::new(&[("syscall", &catalogue)], Options::new());
    let begin = Instant::now();
    let loaded = loader.load("hostile.yaml", bytes);
    assert!(
        begin.elapsed() < Duration::from_secs(300),
        "took {:?}",
        begin.elapsed()
    );
    // Everything that is said can be rendered, and is not itself too long.
    let text = loaded.text(loader.sources(), false);
    assert!(text.len() < 1 << 20, "{} bytes of text", text.len());
    let json = loaded.json(loader.sources()).to_string();
    assert!(json.len() < 4 << 20, "{} bytes of JSON", json.len());
    loaded
}

/// Code of the first error.
fn refused(bytes: &[u8]) -> &'static str {
    let loaded = load(bytes);
    let error = loaded
        .findings
        .iter()
        .find(|f| f.is_error())
        .expect("it must be refused");
    error.diagnostic.code.id
}

#[test]
fn what_is_no_yaml() {
    assert_eq!(refused(b"\x7fELF\x02\x01\x01\0\0\0\0"), "P0104");
    assert_eq!(refused(b"\xff\xfe-\0 \0r\0"), "P0104");
    assert_eq!(refused(b"{[}]"), "P0102");
    assert_eq!(refused(b"- rule: \"x"), "P0102");
    assert_eq!(refused(b"- *nothing"), "P0102");
    assert_eq!(refused(b"- &a [*a]"), "P0102");
    assert_eq!(refused(b"%PDF-1.4\n1 0 obj"), "P0102");
    assert!(load(b"").successful());
    assert!(load(b"\xef\xbb\xbf# nothing but a comment\n").successful());
}

#[test]
fn fifty_megabytes() {
    let item = b"- list: a\n  items: [b]\n";
    let mut many = Vec::with_capacity(50 << 20);
    while many.len() < 50 << 20 {
        many.extend_from_slice(item);
    }
    assert_eq!(refused(&many), "P0103");
    assert_eq!(refused(&vec![b'['; 50 << 20]), "P0103");
    assert_eq!(refused(&vec![b'a'; 30 << 20]), "P0105");
    assert_eq!(refused("- a\n".repeat(2_000_000).as_bytes()), "P0106");
}

#[test]
fn ten_thousand_levels() {
    assert_eq!(refused("- ".repeat(10_000).as_bytes()), "P0103");
    assert_eq!(refused("[".repeat(10_000).as_bytes()), "P0103");
    let mut steps = String::new();
    for level in 0..10_000 {
        writeln!(steps, "{}a:", " ".repeat(level)).expect("a string");
    }
    assert_eq!(refused(steps.as_bytes()), "P0103");
    let parentheses = format!(
        "- macro: m\n  condition: {}evt.type = open{}\n",
        "(".repeat(10_000),
        ")".repeat(10_000)
    );
    assert_eq!(refused(parentheses.as_bytes()), "P0142");
    let nots = format!(
        "- macro: m\n  condition: {}evt.type = open\n",
        "not ".repeat(100_000)
    );
    load(nots.as_bytes());
}

#[test]
fn bombs() {
    let mut aliases = String::from("- &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 0..30 {
        let inner = vec![format!("*a{n}"); 10].join(", ");
        writeln!(aliases, "- &a{} [{inner}]", n + 1).expect("a string");
    }
    assert_eq!(refused(aliases.as_bytes()), "P0103");

    let mut macros = String::from("- macro: m0\n  condition: evt.type = open\n");
    for n in 0..200 {
        writeln!(macros, "- macro: m{}\n  condition: m{n} or m{n}", n + 1).expect("a string");
    }
    assert_eq!(refused(macros.as_bytes()), "P0147");

    let mut lists = String::new();
    for n in 0..60 {
        writeln!(lists, "- list: l{n}\n  items: [l{0}, l{0}]", n + 1).expect("a string");
    }
    lists.push_str("- list: l60\n  items: [x, y]\n- macro: m\n  condition: fd.name in (l0)\n");
    assert_eq!(refused(lists.as_bytes()), "P0147");

    let items = vec!["abc"; 200_000].join(", ");
    let uses = vec!["m"; 5000].join(" or ");
    let copies = format!(
        "- list: l\n  items: [{items}]\n- macro: m\n  condition: fd.name in (l)\n- macro: n\n  condition: {uses}\n"
    );
    assert_eq!(refused(copies.as_bytes()), "P0147");
}

#[test]
fn macros_that_call_themselves() {
    assert_eq!(refused(b"- macro: a\n  condition: a\n"), "P0140");
    let circle = "- macro: a\n  condition: evt.type = open\n- macro: b\n  condition: a\n- macro: a\n  condition: or b\n  append: true\n";
    assert_eq!(refused(circle.as_bytes()), "P0141");
    let mut chain = String::new();
    for n in (0..3000).rev() {
        writeln!(chain, "- macro: m{n}\n  condition: evt.type = open").expect("a string");
    }
    for n in 0..2999 {
        writeln!(
            chain,
            "- macro: m{n}\n  condition: or m{}\n  append: true",
            n + 1
        )
        .expect("a string");
    }
    load(chain.as_bytes());
    chain.push_str("- macro: m2999\n  condition: or m0\n  append: true\n");
    assert_eq!(refused(chain.as_bytes()), "P0141");
}

#[test]
fn control_characters_are_not_passed_on() {
    let catalogue = Catalogue::new([]);
    let mut loader = Loader::new(&[("syscall", &catalogue)], Options::new());
    let file =
        b"- rule: \"\\e[31mred\"\n  enabled: true\n- macro: \"\\e[2J\"\n  condition: \x1b[2J\n";
    let loaded = loader.load("a\x1b[1m.yaml", file);
    assert!(!loaded.successful());
    assert!(!loaded.text(loader.sources(), false).contains('\x1b'));
}
