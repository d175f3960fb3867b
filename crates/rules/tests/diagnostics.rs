//! Golden texts of every diagnostic: `case.yaml` gives `case.out`. `UPDATE=1` rewrites them.

use std::fmt::Write;
use std::path::Path;

use fields::Catalogue;
use rules::{AppendOutput, ExtraField, Loader, Options};

fn output(case: &Path) -> String {
    let catalogue = Catalogue::new([]);
    let mut options = Options::new();
    options.append_output.push(AppendOutput {
        rule: "With extra field".to_owned(),
        extra_fields: vec![ExtraField {
            key: "proc.nmae".to_owned(),
            format: None,
        }],
        ..AppendOutput::default()
    });
    let mut loader = Loader::new(
        &[("syscall", &catalogue), ("k8s_audit", &catalogue)],
        options,
    );
    let name = case
        .file_name()
        .expect("a file")
        .to_string_lossy()
        .into_owned();
    let loaded = loader.load(&name, &std::fs::read(case).expect("the case is there"));
    let mut text = String::new();
    for finding in loaded.findings.iter().chain(&loader.unmet_plugins()) {
        writeln!(text, "{}\n", finding.text(loader.sources(), false)).expect("a string");
    }
    text
}

#[test]
fn texts_are_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let update = std::env::var_os("UPDATE").is_some();
    let mut all = String::new();
    let mut wrong = Vec::new();
    let mut cases: Vec<_> = std::fs::read_dir(&folder)
        .expect("the cases are there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    cases.sort();
    assert!(cases.len() > 50, "only {} cases", cases.len());
    for case in cases {
        let have = output(&case);
        assert!(!have.is_empty(), "{} gives no finding", case.display());
        let recorded = case.with_extension("out");
        if update {
            std::fs::write(&recorded, &have).expect("writable");
        }
        let want = std::fs::read_to_string(&recorded).unwrap_or_default();
        if want != have {
            wrong.push(format!("{}:\n{have}", case.display()));
        }
        all.push_str(&have);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for code in rules::code::ALL {
        assert!(
            all.contains(&format!("[{}", code.id)),
            "no case shows {}",
            code.id
        );
    }
}

#[test]
fn every_code_is_explained_and_unique() {
    let mut ids: Vec<&str> = rules::code::ALL.iter().map(|c| c.id).collect();
    for code in rules::code::ALL {
        assert!(
            code.id.len() == 5 && code.id.starts_with("P01"),
            "{}",
            code.id
        );
        assert!(
            code.explanation.len() > 40,
            "{} is hardly explained",
            code.id
        );
        assert!(
            !code.title.is_empty() && !code.title.ends_with('.'),
            "{}",
            code.id
        );
        assert!(diag::code::find(&[rules::code::ALL], &code.id.to_lowercase()).is_some());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules::code::ALL.len());
}
