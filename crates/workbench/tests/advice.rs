//! Each lint finds what it is for, and leaves alone what is right.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

use fields::Catalogue;
use rules::{Loader, Options};
use workbench::fix;
use workbench::lint::{self, pieces::File};

fn loaded(text: &str, look: impl FnOnce(&Loader<'_>, &[diag::Diagnostic])) {
    let catalogue = Catalogue::new([]);
    let mut loader = Loader::new(&[("syscall", &catalogue)], Options::new());
    let outcome = loader.load("rules.yaml", text.as_bytes());
    let faults: Vec<String> = outcome
        .findings
        .iter()
        .filter(|f| f.is_error())
        .map(|f| f.diagnostic.message.clone())
        .collect();
    assert!(faults.is_empty(), "{faults:?} in\n{text}");
    let id = loader.sources().ids().next().unwrap();
    let file = File {
        id,
        text: &loader.sources().source(id).text,
    };
    let found = lint::lint(&[file], loader.rule_set(), &[("syscall", &catalogue)]);
    look(&loader, &found);
}

fn rule(condition: &str) -> String {
    format!(
        "- rule: r\n  desc: d\n  condition: >\n    {condition}\n  output: o %proc.name\n  priority: INFO\n"
    )
}

/// Codes with the text that is underlined.
fn advice(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    loaded(text, |loader, found| {
        for one in found {
            let span = one.primary.as_ref().unwrap().span;
            let shown = loader.sources().source(span.source).text[span.start..span.end].to_owned();
            all.push((one.code.id.to_owned(), shown));
        }
    });
    all
}

#[track_caller]
fn finds(condition: &str, code: &str, underlined: &str) {
    let all = advice(&rule(condition));
    assert!(
        all.iter()
            .any(|(id, text)| id == code && text == underlined),
        "{condition}: {all:?}"
    );
}

#[track_caller]
fn quiet(condition: &str, code: &str) {
    let all = advice(&rule(condition));
    assert!(all.iter().all(|(id, _)| id != code), "{condition}: {all:?}");
}

#[test]
fn conditions_that_cannot_hold() {
    finds(
        "evt.type = open and fd.num < 0 and fd.num >= 0",
        "P0301",
        "fd.num >= 0",
    );
    finds(
        "evt.type = open and proc.name = a and proc.name in (b, c)",
        "P0301",
        "proc.name in (b, c)",
    );
    finds(
        "evt.type = open and fd.name = /x and not fd.name = /x",
        "P0301",
        "not fd.name = /x",
    );
    let all = advice(&rule("evt.type = open and evt.type = execve"));
    assert!(all.iter().any(|(id, _)| id == "P0301"), "{all:?}");
    quiet("evt.type = open and evt.num = 0", "P0301");
    quiet(
        "evt.type = open and proc.aname = a and proc.aname = b",
        "P0301",
    );
    quiet(
        "evt.type = open and (proc.name = a or proc.name = b)",
        "P0301",
    );
    quiet("evt.type = open and fd.num >= 0 and fd.num < 3", "P0301");
}

#[test]
fn clauses_that_always_hold_or_stand_twice() {
    finds(
        "evt.type = open and fd.name startswith \"\"",
        "P0302",
        "fd.name startswith \"\"",
    );
    finds(
        "evt.type = open and (proc.name = a or not proc.name = a)",
        "P0302",
        "not proc.name = a",
    );
    finds(
        "evt.type = open and proc.name = a and proc.name = a",
        "P0303",
        "proc.name = a",
    );
    quiet(
        "evt.type = open and (proc.name = a or proc.pname = a)",
        "P0303",
    );
}

#[test]
fn comparisons_that_miss() {
    finds(
        "evt.type = open and proc.cwd = / and fd.name != /x",
        "P0304",
        "fd.name != /x",
    );
    quiet(
        "evt.type = open and fd.typechar = f and fd.name != /x",
        "P0304",
    );
    quiet("evt.type = open and proc.name != x", "P0304");
    finds(
        "evt.type = open and fd.name contains /etc/",
        "P0305",
        "fd.name contains /etc/",
    );
    quiet("evt.type = open and fd.name contains /.ssh/", "P0305");
    finds(
        "evt.type = open and fd.name startswith /etc",
        "P0306",
        "fd.name startswith /etc",
    );
    quiet("evt.type = open and fd.name startswith /etc/", "P0306");
}

#[test]
fn names_that_anybody_can_bear() {
    finds(
        "evt.type = execve and proc.name = nmap",
        "P0307",
        "proc.name = nmap",
    );
    finds(
        "evt.type = open and not proc.name in (a, b)",
        "P0307",
        "proc.name in (a, b)",
    );
    quiet(
        "evt.type = execve and proc.name = nmap and proc.exepath startswith /usr/",
        "P0307",
    );
    let allowed = format!(
        "# peregrine: allow P0307\n{}",
        rule("evt.type = execve and proc.name = nmap")
    );
    assert!(advice(&allowed).is_empty());
}

#[test]
fn outputs_and_lists() {
    let text = "- rule: r\n  desc: d\n  condition: evt.type = setuid and proc.exepath = /x\n  output: o %fd.name %evt.arg.path %evt.arg.uid\n  priority: INFO\n";
    let all = advice(text);
    let shown: Vec<&str> = all
        .iter()
        .filter(|(id, _)| id == "P0308")
        .map(|(_, text)| text.as_str())
        .collect();
    assert_eq!(shown, ["%fd.name", "%evt.arg.path"]);
    let text = format!(
        "- list: shell_binaries\n  items: [bash]\n{}",
        rule(
            "evt.type = execve and proc.exepath = /x and proc.name in (shell_binarys, shell_binaries)"
        )
    );
    assert_eq!(
        advice(&text),
        [("P0309".to_owned(), "shell_binarys".to_owned())]
    );
}

#[test]
fn safe_fixes() {
    let text = "- list: l\n  items: [a]\n- list: l\n  items: [b]\n  append: true\n- rule: r\n  desc: d\n  condition: >\n    evt.dir = < and\n    evt.type = open and proc.exe regex /bin/x and\n    proc.name in (l) and proc.name in (l)\n  output: o %container.info\n  priority: warn\n- rule: r\n  enabled: false\n";
    loaded(text, |loader, found| {
        let id = loader.sources().ids().next().unwrap();
        let mut edits = fix::repairs(&File { id, text });
        edits.extend(
            found
                .iter()
                .filter_map(|one| fix::of_suggestions(one.code.id, &one.suggestions)),
        );
        let out = fix::apply(text, &edits);
        assert_eq!(
            out,
            "- list: l\n  items: [a]\n- list: l\n  items: [b]\n  override: {items: append}\n- rule: r\n  desc: d\n  condition: >\n    evt.type = open and proc.exe = /bin/x and\n    proc.name in (l)\n  output: o \n  priority: WARNING\n- rule: r\n  enabled: false\n  override: {enabled: replace}\n"
        );
    });
}
