//! `peregrine diff`: what changes between two sets of rule files, rule by rule.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};
use workbench::meaning::{self, Difference, What};

use super::test::files::{Loaded, load};
use crate::cli::{CheckForm, Diff};
use crate::{output, rulefiles};

/// Compares. Exit code 1: they differ.
pub(crate) fn run(args: &Diff) -> Result<u8> {
    let set = |path: &str| -> Result<Loaded> {
        // A set is a file, a folder, or several of them joined by commas, in the order of loading.
        let paths: Vec<String> = path.split(',').map(str::to_owned).collect();
        let mut files = Vec::new();
        for path in &paths {
            if std::path::Path::new(path).is_dir() {
                files.extend(rulefiles::collect(
                    std::slice::from_ref(path),
                    true,
                    &mut Vec::new(),
                )?);
            } else {
                files.push(rulefiles::read(std::path::Path::new(path))?);
            }
        }
        load(&files)
    };
    let (a, b) = (set(&args.before)?, set(&args.after)?);
    let all = meaning::differences(&a.set, &b.set);
    match args.format {
        CheckForm::Text => output::print(&text(&all))?,
        CheckForm::Json => output::print(&format!("{:#}\n", document(&all)))?,
    }
    Ok(u8::from(!all.is_empty()))
}

fn text(all: &[Difference]) -> String {
    let mut out = String::new();
    for one in all {
        let verb = match one.what {
            What::Added => "added",
            What::Removed => "removed",
            What::Changed(_) => "changed",
        };
        let _ = writeln!(out, "{} \"{}\": {verb}", one.thing, one.name);
        if let What::Changed(keys) = &one.what {
            for (key, was, is) in keys {
                change(key, was, is, &mut out);
            }
        }
    }
    let count = |thing: &str| all.iter().filter(|one| one.thing == thing).count();
    if all.is_empty() {
        out.push_str("no difference in meaning\n");
    } else {
        let _ = writeln!(
            out,
            "{} rules, {} macros, {} lists differ",
            count("rule"),
            count("macro"),
            count("list")
        );
    }
    out
}

/// Both values whole where they are short; the words that differ, with a few around them, where they are long.
fn change(key: &str, was: &str, is: &str, out: &mut String) {
    const SHORT: usize = 100;
    if was.len() <= SHORT && is.len() <= SHORT {
        let _ = writeln!(out, "  {key}\n  - {was}\n  + {is}");
        return;
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (
        was.split_whitespace().collect(),
        is.split_whitespace().collect(),
    );
    let front = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - front;
    let back = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take(rest)
        .take_while(|(a, b)| a == b)
        .count();
    /// Words around a difference that are shown.
    const AROUND: usize = 6;
    /// Words of a difference that are shown.
    const MOST: usize = 60;
    let show = |words: &[&str]| {
        let (from, to) = (
            front.saturating_sub(AROUND),
            (words.len() - back + AROUND).min(words.len()),
        );
        let middle = &words[from..to];
        let (before, behind) = (
            if from > 0 { "... " } else { "" },
            if to < words.len() || middle.len() > MOST {
                " ..."
            } else {
                ""
            },
        );
        format!(
            "{before}{}{behind}",
            middle[..middle.len().min(MOST)].join(" ")
        )
    };
    let _ = writeln!(out, "  {key}\n  - {}\n  + {}", show(&a), show(&b));
}

fn document(all: &[Difference]) -> Value {
    let one = |one: &Difference| {
        let mut value = json!({"kind": one.thing, "name": one.name});
        match &one.what {
            What::Added => value["change"] = json!("added"),
            What::Removed => value["change"] = json!("removed"),
            What::Changed(keys) => {
                value["change"] = json!("changed");
                value["keys"] = keys
                    .iter()
                    .map(|(key, was, is)| json!({"key": key, "before": was, "after": is}))
                    .collect();
            }
        }
        value
    };
    json!({ "differences": all.iter().map(one).collect::<Vec<_>>() })
}
