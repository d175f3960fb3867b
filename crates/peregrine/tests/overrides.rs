//! What users of Falco wrote on top of its rules loads on top of ours, without a warning that it did not have there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::corpus::{self, Corpus, workspace_root};

const OURS: [&str; 3] = [
    "rules/peregrine_rules.yaml",
    "rules/peregrine-incubating_rules.yaml",
    "rules/peregrine-sandbox_rules.yaml",
];

/// Falco's own sets, the newest last: the names in them are what users speak of.
const FALCOS: [&str; 4] = [
    "rules/falco-0.15.0/falco_rules.yaml",
    "rules/falco-0.25.0/falco_rules.yaml",
    "rules/falco-rules-latest/archive/falco-deprecated_rules.yaml",
    "rules/falco-rules-latest/falco_rules.yaml",
];

/// The same for Kubernetes audit events.
const FALCOS_AUDIT: [&str; 4] = [
    "rules/falco-0.15.0/k8s_audit_rules.yaml",
    "rules/falco-0.25.0/k8s_audit_rules.yaml",
    "rules/plugin-k8saudit-0.4.0/k8s_audit_rules.yaml",
    "rules/plugin-k8saudit-latest/k8s_audit_rules.yaml",
];

const OUR_AUDIT: &str = "rules/k8s_audit_rules.yaml";

/// What the last of some files gave: code, kind and name of each finding.
struct Findings {
    errors: BTreeSet<String>,
    warnings: BTreeSet<String>,
}

fn check(files: &[PathBuf]) -> Findings {
    let output = Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(["check", "--format", "json"])
        .args(files)
        .current_dir(workspace_root())
        .output()
        .expect("the binary is built");
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let last = json["falco_load_results"]
        .as_array()
        .and_then(|all| all.last())
        .expect("a result per file")
        .clone();
    let named = |key: &str| {
        let mut found = BTreeSet::new();
        for finding in last[key].as_array().into_iter().flatten() {
            let mut text = finding["code"].as_str().unwrap_or_default().to_owned();
            for place in finding["context"]["locations"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let (kind, name) = (&place["item_type"], &place["item_name"]);
                if matches!(kind.as_str(), Some("rule" | "macro" | "list")) {
                    write!(text, " {kind} {name}").expect("memory");
                }
            }
            found.insert(text);
        }
        found
    };
    Findings {
        errors: named("errors"),
        warnings: named("warnings"),
    }
}

fn ours() -> Vec<PathBuf> {
    OURS.iter().map(PathBuf::from).collect()
}

/// `- kind: name` lines of a rule file.
fn names(file: &Path, kind: &str) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("a rule file");
    let start = format!("- {kind}: ");
    text.lines()
        .filter_map(|line| line.strip_prefix(&start))
        .map(|name| name.trim().trim_matches('"').to_owned())
        .collect()
}

#[test]
fn every_name_that_falco_has_exists() {
    let Some(corpus) = corpus::find("names of Falco's rules") else {
        return;
    };
    for kind in ["rule", "macro", "list"] {
        let here: BTreeSet<String> = OURS
            .iter()
            .flat_map(|file| names(&workspace_root().join(file), kind))
            .collect();
        for file in FALCOS {
            for name in names(&corpus.path(file), kind) {
                assert!(here.contains(&name), "{kind} `{name}` of {file} is missing");
            }
        }
    }
}

#[test]
fn every_name_of_the_audit_rules_exists() {
    let Some(corpus) = corpus::find("names of Falco's rules") else {
        return;
    };
    for kind in ["rule", "macro", "list"] {
        let here = names(&workspace_root().join(OUR_AUDIT), kind);
        for file in FALCOS_AUDIT {
            for name in names(&corpus.path(file), kind) {
                assert!(here.contains(&name), "{kind} `{name}` of {file} is missing");
            }
        }
    }
}

#[test]
fn every_kind_of_override_loads_on_the_audit_rules() {
    let Some(corpus) = corpus::find("names of Falco's rules") else {
        return;
    };
    let text = Overrides {
        names: &|kind| every_name(&corpus, &FALCOS_AUDIT, kind),
        source: "k8s_audit",
        field: "ka.user.name",
        beside: "ka.verb",
        item: &|_| "something_else",
    };
    assert_loads(vec![PathBuf::from(OUR_AUDIT)], &text.write());
}

#[test]
fn the_newest_stable_names_are_in_the_stable_file() {
    let Some(corpus) = corpus::find("names of Falco's rules") else {
        return;
    };
    let file = corpus.path(FALCOS[3]);
    for kind in ["rule", "macro", "list"] {
        let here = names(&workspace_root().join(OURS[0]), kind);
        for name in names(&file, kind) {
            assert!(here.contains(&name), "{kind} `{name}` is missing");
        }
    }
}

/// The names of a kind in some files.
fn every_name(corpus: &Corpus, files: &[&str], kind: &str) -> BTreeSet<String> {
    let of = |file: &&str| names(&corpus.path(file), kind);
    files.iter().flat_map(of).collect()
}

/// Every way to change what another file says.
struct Overrides<'a> {
    /// The names of a kind.
    names: &'a dyn Fn(&str) -> BTreeSet<String>,
    source: &'a str,
    /// A field that has text.
    field: &'a str,
    /// Another one.
    beside: &'a str,
    /// What can be added to a list of this name.
    item: &'a dyn Fn(&str) -> &'static str,
}

impl Overrides<'_> {
    fn write(&self) -> String {
        let Self {
            source,
            field,
            beside,
            ..
        } = self;
        let mut text = String::new();
        for name in (self.names)("list") {
            let item = (self.item)(&name);
            write!(
                text,
                "- list: {name}\n  items: [{item}]\n  override:\n    items: append\n"
            )
            .expect("memory");
        }
        for name in (self.names)("macro") {
            write!(
                text,
                "- macro: {name}\n  condition: and not {field} = somebody\n  override:\n    \
                 condition: append\n"
            )
            .expect("memory");
        }
        for name in (self.names)("rule") {
            write!(
                text,
                "- rule: {name}\n  source: {source}\n  condition: and not {field} = somebody\n  \
                 tags: [ours]\n  exceptions:\n    - name: allowed\n      fields: [{field}, {beside}]\n      \
                 values:\n        - [somebody, something]\n  priority: CRITICAL\n  enabled: true\n  \
                 override:\n    condition: append\n    tags: append\n    exceptions: append\n    \
                 priority: replace\n    enabled: replace\n"
            )
            .expect("memory");
        }
        text
    }
}

/// A text loads after some files without a finding.
fn assert_loads(mut files: Vec<PathBuf>, text: &str) {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("local_rules.yaml");
    std::fs::write(&file, text).expect("written");
    files.push(file);
    let found = check(&files);
    assert!(found.errors.is_empty(), "{:#?}", found.errors);
    assert!(found.warnings.is_empty(), "{:#?}", found.warnings);
}

/// On every name of Falco's newest and of its old files.
#[test]
fn every_kind_of_override_loads_on_every_name() {
    let Some(corpus) = corpus::find("names of Falco's rules") else {
        return;
    };
    let text = Overrides {
        names: &|kind| every_name(&corpus, &FALCOS, kind),
        source: "syscall",
        field: "proc.name",
        beside: "user.name",
        // Ports and addresses are compared as such; everything else is a word.
        item: &|name| match name {
            name if name.contains("port") && !name.contains("binar") => "4711",
            name if name.contains("ipaddrs") || name == "c2_server_ip_list" => "'\"192.0.2.7\"'",
            name if name.contains("networks") || name == "rfc_1918_addresses" => {
                "'\"192.0.2.0/24\"'"
            }
            _ => "something_else",
        },
    };
    assert_loads(ours(), &text.write());
}

/// The community's files give on ours no finding that they do not give on the rules they were written for.
#[test]
fn community_files_load_as_they_do_on_falcos() {
    let Some(corpus) = corpus::find("names of Falco's rules") else {
        return;
    };
    let index = corpus.path("rules/community/index.json");
    let index: Value =
        serde_json::from_slice(&std::fs::read(index).expect("the index")).expect("JSON");
    let mut seen = 0;
    for (name, entry) in index.as_object().expect("an object") {
        let file = corpus.path("rules/community").join(name);
        let after = entry["load_after"].as_array();
        let mut theirs: Vec<PathBuf> = after
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|file| corpus.path(file))
            .collect();
        // Files for another source stand on that source's rules.
        let audit = theirs
            .iter()
            .any(|file| file.to_string_lossy().contains("k8s"));
        if theirs.is_empty() {
            theirs.push(corpus.path(FALCOS[3]));
        }
        theirs.push(file.clone());
        let mut on_ours = if audit {
            vec![PathBuf::from(OUR_AUDIT)]
        } else {
            ours()
        };
        on_ours.push(file);
        let (theirs, on_ours) = (check(&theirs), check(&on_ours));
        if theirs.errors.is_empty() {
            assert!(on_ours.errors.is_empty(), "{name}: {:#?}", on_ours.errors);
            let new: Vec<&String> = on_ours.warnings.difference(&theirs.warnings).collect();
            assert!(new.is_empty(), "{name}: {new:#?}");
        }
        seen += 1;
    }
    assert!(seen > 20, "only {seen} community files");
}
