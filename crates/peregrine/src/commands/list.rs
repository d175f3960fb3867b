//! `peregrine list`: fields, events, rules, macros, lists.

use anyhow::Result;
use fields::Catalogue;
use fields::listing::{self, Form};

use crate::cli::{List, Listed};
use crate::sources::{Sources, listing as listing_of};
use crate::{describe, output};

/// Prints a list.
pub(crate) fn run(args: &List) -> Result<u8> {
    let form = match (args.json, args.markdown) {
        (true, _) => Form::Json,
        (_, true) => Form::Markdown,
        _ => Form::Text,
    };
    let Some(loaded) = super::prepare::load(&args.rules, Vec::new())? else {
        return Ok(1);
    };
    let catalogue = Catalogue::new(loaded.settings.static_fields.iter().cloned());
    let sources = Sources::of(&catalogue, &loaded.settings, true)?;
    let key = match args.what {
        Listed::Fields => {
            let all = listing_of::fields(
                &catalogue,
                &sources,
                None,
                form,
                false,
                listing_of::Reader::Person,
            );
            output::print(&all)?;
            return Ok(0);
        }
        Listed::Events => {
            output::print(&listing::events(form))?;
            return Ok(0);
        }
        Listed::Rules => "rules",
        Listed::Macros => "macros",
        Listed::Lists => "lists",
    };
    let Some(loading) =
        super::prepare::rules(&args.rules, &loaded.settings, &catalogue, &sources, false)?
    else {
        return Ok(1);
    };
    if form == Form::Json {
        let mut all = describe::json(&loading, None, &sources)?;
        output::print(&format!("{:#}\n", all[key].take()))?;
        return Ok(0);
    }
    let set = loading.set();
    let (head, rows): (&[&str], Vec<Vec<String>>) = match args.what {
        Listed::Macros => {
            let row = |m: &rules::Macro| vec![m.name.clone(), one_line(&m.condition)];
            (
                &["Macro", "Condition"],
                set.macros.iter().map(row).collect(),
            )
        }
        Listed::Lists => {
            let row = |l: &rules::List| vec![l.name.clone(), l.items.join(", ")];
            (&["List", "Items"], set.lists.iter().map(row).collect())
        }
        _ => {
            let row = |r: &rules::Rule| {
                vec![
                    r.name.clone(),
                    r.priority.name().to_owned(),
                    if r.enabled { "on" } else { "off" }.to_owned(),
                    r.tags.join(", "),
                    one_line(&r.description),
                ]
            };
            let head = &["Rule", "Priority", "State", "Tags", "Description"];
            (head, set.rules.iter().map(row).collect())
        }
    };
    output::print(&if form == Form::Markdown {
        markdown(head, &rows)
    } else {
        table(head, &rows)
    })?;
    Ok(0)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Columns wide enough for their values; the last one is not padded.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let values = rows.iter().map(|row| row[column].chars().count());
        values
            .chain([head[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut out = String::new();
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        for (n, value) in row.iter().enumerate() {
            if n + 1 == row.len() {
                out.push_str(value);
            } else {
                out.push_str(&format!("{value:<width$}  ", width = widths[n]));
            }
        }
        out.push('\n');
    }
    out
}

fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let mut out = line(&head);
    out.push_str(&format!("|{}\n", "---|".repeat(head.len())));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        out.push_str(&line(&cells));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align() {
        let rows = [vec!["a".to_owned(), "b|c".to_owned()]];
        assert_eq!(table(&["Name", "X"], &rows), "Name  X\na     b|c\n");
        assert_eq!(
            markdown(&["Name", "X"], &rows),
            "| Name | X |\n|---|---|\n| a | b\\|c |\n"
        );
    }
}
