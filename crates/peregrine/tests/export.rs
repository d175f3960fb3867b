//! `peregrine export`: rows of a Parquet file are the events that `read` prints, and the alerts of a file.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use testkit::corpus::workspace_root;

fn peregrine(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(args)
        .output()
        .unwrap()
}

fn sample() -> String {
    workspace_root()
        .join("samples/incident.scap")
        .display()
        .to_string()
}

/// Rows of a file as texts; an empty text where there is no value.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    let text = |field: &Field| match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        other => other.to_string(),
    };
    rows.map(|row| {
        row.unwrap()
            .get_column_iter()
            .map(|(_, f)| text(f))
            .collect()
    })
    .collect()
}

#[test]
fn rows_are_what_read_prints() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("events.parquet");
    let to = file.display().to_string();
    let fields = "evt.num,evt.rawtime,evt.type,evt.failed,proc.pid,proc.name,fd.num,fd.name,evt.args,fd.sport,proc.aname";
    let condition = "proc.name exists";
    // Small groups, so that there are many.
    let output = peregrine(&[
        "export",
        &sample(),
        "--to",
        &to,
        "--fields",
        fields,
        "--filter",
        condition,
        "--rows",
        "20",
    ]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let names: Vec<&str> = fields.split(',').collect();
    let format: Vec<String> = names.iter().map(|name| format!("%{name}")).collect();
    let read = peregrine(&[
        "read",
        &sample(),
        condition,
        "--json",
        "-p",
        &format.join(" "),
    ]);
    let lines: Vec<serde_json::Value> = String::from_utf8_lossy(&read.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let rows = rows(&file);
    assert!(rows.len() > 80 && said.contains(" rows in "), "{said}");
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(&lines) {
        for (cell, name) in row.iter().zip(&names) {
            let told = match &line[*name] {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(*cell, told, "{name} of {line}");
        }
    }
    let reader = SerializedFileReader::new(File::open(&file).unwrap()).unwrap();
    assert!(reader.metadata().num_row_groups() > 3);
}

#[test]
fn a_folder_gets_a_file_for_each_input() {
    let place = tempfile::tempdir().unwrap();
    let alerts = place.path().join("alerts.jsonl");
    let line = |rule: &str, port: &str, more: &str| {
        format!(
            "{{\"hostname\":\"h\",\"output\":\"o\",\"output_fields\":{{\"evt.time\":1795292950537529439,\"fd.sport\":{port},\"proc.name\":\"a\\nb\"{more}}},\
             \"priority\":\"Notice\",\"rule\":\"{rule}\",\"source\":\"syscall\",\"tags\":[\"x\",\"y\"],\"time\":\"2026-11-21T20:29:10.537529439Z\"}}\n"
        )
    };
    let text = [
        line("one", "80", ""),
        line("two", "null", ",\"user.name\":null"),
        line("three", "\"many\"", ",\"evt.is_io\":true"),
    ];
    std::fs::write(&alerts, text.concat()).unwrap();
    let (alerts, folder) = (alerts.display().to_string(), place.path().join("tables"));
    let to = format!("{}/", folder.display());
    let output = peregrine(&["export", &alerts, &sample(), "--to", &to]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");

    assert!(rows(&folder.join("incident.scap.parquet")).len() > 80);
    let file = folder.join("alerts.jsonl.parquet");
    let reader = SerializedFileReader::new(File::open(&file).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr();
    let names: Vec<&str> = schema.columns().iter().map(|c| c.name()).collect();
    assert_eq!(
        names,
        [
            "time",
            "rule",
            "priority",
            "source",
            "hostname",
            "tags",
            "output",
            "evt.is_io",
            "evt.time",
            "fd.sport",
            "proc.name",
            "user.name"
        ]
    );
    let rows = rows(&file);
    let column = |name: &str| -> Vec<&str> {
        let at = names.iter().position(|n| *n == name).unwrap();
        rows.iter().map(|row| row[at].as_str()).collect()
    };
    assert_eq!(column("rule"), ["one", "two", "three"]);
    assert_eq!(column("time"), ["1795292950537529439"; 3]);
    assert_eq!(column("evt.time"), ["1795292950537529439"; 3]);
    assert_eq!(column("tags"), ["[\"x\",\"y\"]"; 3]);
    // Numbers and texts together are texts.
    assert_eq!(column("fd.sport"), ["80", "", "many"]);
    assert_eq!(column("proc.name"), ["a\nb"; 3]);
    assert_eq!(column("evt.is_io"), ["", "", "true"]);
}

#[test]
fn a_fault_is_told_and_what_stood_before_it_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let whole = std::fs::read(sample()).unwrap();
    let cut = place.path().join("cut.scap");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let none = place.path().join("none.scap");
    std::fs::write(&none, "nothing of the kind").unwrap();
    let (cut, none) = (cut.display().to_string(), none.display().to_string());
    let to = place.path().join("to");
    let output = peregrine(&["export", &none, &cut, "--to", &format!("{}/", to.display())]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("none.scap: ") && said.contains("cut.scap: "),
        "{said}"
    );
    assert!(said.contains("rows before the fault"), "{said}");
    assert!(!rows(&to.join("cut.scap.parquet")).is_empty());
    // Neither a half file nor one of nothing is left.
    let left: Vec<_> = std::fs::read_dir(&to).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    let field = peregrine(&["export", &cut, "--to", &none, "--fields", "proc.nome"]);
    let said = String::from_utf8_lossy(&field.stderr).into_owned();
    assert_eq!(field.status.code(), Some(1));
    assert!(
        said.contains("'proc.nome'") && said.contains("list fields"),
        "{said}"
    );
}
