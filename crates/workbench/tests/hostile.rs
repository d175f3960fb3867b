//! Damaged files, and texts that are none: everything ends, nothing panics, and layout keeps its promises.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

use fields::Catalogue;
use rules::{Loader, Options};
use serde_json::json;
use workbench::fix;
use workbench::layout::{self, Refusal};
use workbench::lint::{self, pieces::File};
use workbench::scenario::{Cast, Suite};
use workbench::server::{Server, Setting};
use workbench::words;

/// Numbers that look random and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }
}

const PIECES: [&str; 24] = [
    "\n", "  ", "- ", ": ", "#", " # x\n", "'", "\"", "[", "]", "{", "}", ",", ">\n", "|\n", "&a ",
    "*a", "!x ", "(", ")", " and ", "\t", "é", "---\n",
];

/// A text with some bytes gone, doubled or strange.
fn damaged(text: &str, chance: &mut Chance) -> String {
    let whole = text.contains("\ntests:\n");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (from, count) = if whole {
        // Up to the end of a test.
        let blank = lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.trim().is_empty());
        (0, blank.map(|(at, _)| at).nth(8).unwrap())
    } else {
        (chance.below(lines.len()), 12)
    };
    let mut out: String = lines[from..(from + count).min(lines.len())].concat();
    for _ in 0..=chance.below(4) {
        let mut at = chance.below(out.len() + 1);
        while !out.is_char_boundary(at) {
            at -= 1;
        }
        if chance.below(3) == 0 && at < out.len() {
            out.remove(at);
        } else {
            out.insert_str(at, PIECES[chance.below(PIECES.len())]);
        }
    }
    out
}

fn texts() -> Vec<String> {
    let root = testkit::corpus::workspace_root();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    vec![
        read("rules/peregrine_rules.yaml"),
        read("rules/k8s_audit_rules.yaml"),
        read("rules/tests/stable.yaml"),
        "- rule: a\n  desc: >\n\n    b\n  tests:\n    - events: [x]\n# y\n- list: l # z\n  items:\n  - 'q'\n  -  \"r\n\n    s\"\n".to_owned(),
    ]
}

#[test]
fn damaged_files() {
    let catalogue = Catalogue::new([]);
    let mut chance = Chance(0x5eed);
    let texts = texts();
    let (mut laid_out, mut played) = (0, 0);
    for round in 0..3000 {
        let text = damaged(&texts[round % texts.len()], &mut chance);
        let _ = words::words(&text);
        match layout::format(&text) {
            Ok(out) => {
                laid_out += 1;
                assert_eq!(
                    layout::format(&out).as_ref(),
                    Ok(&out),
                    "a second time:\n{text}\n---\n{out}"
                );
            }
            Err(Refusal::Meaning(what)) => {
                // To refuse is right; it should be rare.
                println!("{what}: {text:?}");
            }
            Err(_) => {}
        }
        let mut loader = Loader::new(&[("syscall", &catalogue)], Options::new());
        loader.load("x", text.as_bytes());
        if let Some(id) = loader.sources().ids().next() {
            let file = File {
                id,
                text: &loader.sources().source(id).text,
            };
            let edits = fix::repairs(&file);
            let _ = fix::apply(file.text, &edits);
            let _ = lint::lint(&[file], loader.rule_set(), &[("syscall", &catalogue)]);
        }
        if let Ok(Some(suite)) = Suite::parse(&text) {
            for test in suite.tests {
                let mut cast = Cast::new();
                for event in &test.events {
                    played += usize::from(cast.step(event).is_ok());
                }
            }
        }
    }
    assert!(
        laid_out > 300 && played > 100,
        "{laid_out} laid out, {played} played"
    );
}

#[test]
fn an_editor_may_say_anything() {
    let catalogue = Catalogue::new([]);
    let mut server = Server::new(Setting {
        schemas: vec![("syscall", &catalogue)],
        options: Options::new(),
        base: Vec::new(),
    });
    let mut chance = Chance(77);
    let texts = texts();
    for message in [
        json!(null),
        json!([]),
        json!({"id": 1}),
        json!({"method": 7}),
        json!({"id": 2, "method": "textDocument/hover"}),
    ] {
        let _ = server.handle(&message);
    }
    for round in 0..150 {
        let text = damaged(&texts[round % texts.len()], &mut chance);
        server.handle(&json!({"method": "textDocument/didOpen", "params": {"textDocument": {"uri": "a", "text": text}}}));
        let range = json!({
            "start": {"line": chance.below(9), "character": chance.below(99)},
            "end": {"line": chance.below(9), "character": chance.below(99)},
        });
        server.handle(&json!({"method": "textDocument/didChange", "params": {"textDocument": {"uri": "a"}, "contentChanges": [{"range": range, "text": "é("}]}}));
        for method in [
            "completion",
            "hover",
            "definition",
            "references",
            "rename",
            "prepareRename",
            "formatting",
            "codeAction",
            "documentSymbol",
        ] {
            let answer = server.handle(&json!({
                "id": round,
                "method": format!("textDocument/{method}"),
                "params": {"textDocument": {"uri": "a"}, "position": range["start"], "range": range, "newName": "x_y"},
            }));
            assert_eq!(answer.messages.len(), 1, "{method}");
        }
    }
}
