//! `peregrine export`: events of captures, or alerts, as tables that analytical engines read.
//!
//! One Parquet file for each input: a row for each event with a column for each field, or a row for each alert. Types are
//! those of the fields, so that a port is a number and a time a time stamp. A file has its name when it is whole: what
//! queries a folder never meets half of one.

mod alerts;
mod events;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cli;
use crate::pipeline::summary::{grouped, plural};
use events::Exporter;
use table::Table;

/// Converts every input; goes on after one that is faulty, and tells it.
pub(crate) fn run(args: &cli::Export) -> Result<u8> {
    let to = Path::new(&args.to);
    let into_folder = to.is_dir() || args.to.ends_with('/');
    if args.files.len() > 1 && !into_folder {
        bail!(
            "{} inputs need a folder: write {}/ or name one that exists",
            args.files.len(),
            args.to
        );
    }
    if into_folder {
        std::fs::create_dir_all(to)
            .with_context(|| format!("cannot make the folder {}", to.display()))?;
    }
    let exporter = Exporter::new(args)?;
    let mut faults = 0;
    let mut taken: Vec<PathBuf> = Vec::new();
    for file in &args.files {
        let place = if into_folder {
            to.join(named(file))
        } else {
            to.to_owned()
        };
        if taken.contains(&place) {
            bail!(
                "{file}: {} would hold two inputs of one name; export them into two folders",
                place.display()
            );
        }
        match export(file, &place, &exporter) {
            Ok(rows) => eprintln!(
                "{file}: {} row{} in {}",
                grouped(rows),
                plural(rows),
                place.display()
            ),
            Err(error) => {
                faults += 1;
                eprintln!("error: {file}: {error:#}");
            }
        }
        taken.push(place);
    }
    Ok(u8::from(faults > 0))
}

/// `a/trace.scap.gz` as `trace.scap.parquet`: inputs of one name and different endings stay apart.
fn named(file: &str) -> String {
    let name = Path::new(file).file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let name = if file == "-" { "stdin" } else { &name };
    let stem = name.strip_suffix(".gz").unwrap_or(name);
    format!("{stem}.parquet")
}

/// Converts one input; gives the number of rows. What stood before a fault is kept, and the fault told.
fn export(file: &str, place: &Path, exporter: &Exporter) -> Result<u64> {
    let mut half = place.as_os_str().to_owned();
    half.push(".part");
    let half = PathBuf::from(half);
    let written = if alerts::are_in(file)? {
        alerts::export(file, &half, exporter.rows())
    } else {
        exporter.export(file, &half)
    };
    let (rows, fault) = match written {
        Ok(written) => written,
        Err(error) => {
            // Nothing is in it that could be of use.
            let _ = std::fs::remove_file(&half);
            return Err(error);
        }
    };
    std::fs::rename(&half, place).with_context(|| format!("cannot write {}", place.display()))?;
    match fault {
        None => Ok(rows),
        Some(fault) => Err(fault.context(format!(
            "{} rows before the fault are in {}",
            grouped(rows),
            place.display()
        ))),
    }
}

/// Rows that were written, and what ended the reading early.
type Written = (u64, Option<anyhow::Error>);

/// Completes a table.
fn finish(table: Table, fault: Option<anyhow::Error>) -> Result<Written> {
    Ok((table.finish()?, fault))
}
