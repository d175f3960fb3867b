//! The console blocks of the README and of some pages are real: each command is run, and its output compared. So are the rules
//! that they show.
//!
//! `UPDATE=1` rewrites the blocks.

use std::path::Path;
use std::process::Command;

use testkit::corpus::workspace_root;

const FENCE: &str = "```console\n";

fn run(command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(words.first(), Some(&"peregrine"), "{command}");
    let output = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(&words[1..])
        .current_dir(workspace_root())
        .env("TZ", "UTC")
        .env("NO_COLOR", "1")
        .env("FALCO_HOSTNAME", "shop-1")
        .output()
        .expect("the binary is built");
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn console_blocks_are_real() {
    for page in [
        "README.md",
        "docs/alerts.md",
        "docs/outputs.md",
        "docs/rules.md",
    ] {
        check(&workspace_root().join(page));
    }
}

fn check(path: &Path) {
    let text = std::fs::read_to_string(path).expect("the page is there");
    let mut made = String::new();
    let mut rest = text.as_str();
    let mut blocks = 0;
    while let Some(start) = rest.find(FENCE) {
        let (before, block) = rest.split_at(start + FENCE.len());
        let end = block.find("```").expect("a block ends");
        let command = block[..end]
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("$ "));
        let command = command.expect("a block starts with its command");
        made.push_str(before);
        made.push_str(&format!("$ {command}\n{}", run(command)));
        rest = &block[end..];
        blocks += 1;
    }
    made.push_str(rest);
    assert!(blocks > 0, "{} shows no run", path.display());
    settle(path, &text, &made);
}

fn settle(path: &Path, kept: &str, made: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, made).expect("the page can be written");
        return;
    }
    assert!(
        kept == made,
        "{} is out of date (UPDATE=1 renews it); now it would be\n{made}",
        path.display()
    );
}

#[test]
fn rules_shown_are_those_of_files() {
    for (page, files) in [
        ("README.md", ["rules/peregrine_rules.yaml"].as_slice()),
        (
            "docs/rules.md",
            &["samples/shop_rules.yaml", "samples/shop_local.yaml"],
        ),
    ] {
        let text = read(page);
        let rules: String = files.iter().map(|file| read(file)).collect();
        let blocks: Vec<&str> = text
            .split("```yaml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect();
        assert!(!blocks.is_empty(), "{page} shows no rule");
        for block in blocks {
            assert!(rules.contains(block), "{page}: not in {files:?}:\n{block}");
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace_root().join(path)).expect("the file is there")
}
