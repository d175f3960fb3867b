//! Parameters that a live kernel sent, as text: types that captures of the corpus hardly have.
//!
//! Each parameter is put alone into a record of its type. Texts that need state (names of descriptors, users,
//! threads, absolute paths) are left to the comparison of whole captures.

#![allow(clippy::unwrap_used, reason = "a fault in the corpus is a failed test")]

use std::io::Read;
use std::path::{Path, PathBuf};

use bumpalo::Bump;
use event::{EventCode, ParamType, Record, RecordBuilder, RecordFlags};
use fields::{Environment, EventView, render};
use serde_json::Value;
use state::{Options, State};

fn corpus() -> Option<Value> {
    let root = std::env::var_os("PEREGRINE_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let path = root.join("golden/live/events.json.gz");
    let Ok(bytes) = std::fs::read(&path) else {
        let required = std::env::var_os("PEREGRINE_REQUIRE_CORPUS").is_some_and(|v| v == "1");
        assert!(!required, "missing: {}", path.display());
        eprintln!("left out: {} is not there", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok())
        .collect()
}

fn needs_state(ty: ParamType) -> bool {
    use ParamType as T;
    matches!(
        ty,
        T::Pid | T::Pid32 | T::Uid | T::Gid | T::FsPath | T::FsRelPath | T::FdList
    )
}

#[test]
fn texts_of_live_parameters() {
    let Some(document) = corpus() else { return };
    let mut compared = 0;
    let mut differing = Vec::new();
    let scratch = Bump::new();
    let environment = Environment::default();
    let empty = Vec::new();
    let subtests = document["subtests"].as_array().unwrap();
    for event in subtests
        .iter()
        .flat_map(|t| t["events"].as_array().unwrap_or(&empty))
    {
        let code = EventCode::new(event["code"].as_u64().unwrap() as u16);
        let info = code.info().unwrap();
        for (index, param) in info.params.iter().enumerate() {
            let expected = &event["params"][param.name];
            let (Some(hex), Some(raw)) = (expected["hex"].as_str(), expected["raw"].as_str())
            else {
                continue;
            };
            let Some(bytes) = unhex(hex).filter(|_| expected.get("len").is_none()) else {
                continue;
            };
            if needs_state(param.ty) || raw.contains('<') && raw != "<NA>" {
                continue;
            }
            let mut builder = RecordBuilder::new(code, 1, 1);
            for at in 0..info.params.len() {
                builder.push(if at == index { &bytes } else { &[] });
            }
            let record_bytes = builder.finish();
            let record = Record::parse(&record_bytes, 0, RecordFlags::default()).unwrap();
            let mut state = State::new(Options::default());
            let context = state.process(&record);
            let view = EventView::new(&record, &state, &context, &environment);
            let mut our_raw = render::Out::new_in(&scratch);
            render::raw(&view, index, &mut our_raw);
            let mut ours = render::Out::new_in(&scratch);
            render::resolved(&view, index, &mut ours);
            let theirs = expected["res"].as_str().unwrap_or_default();
            // A descriptor's name is state; errors and the current directory are not.
            let named =
                matches!(param.ty, ParamType::Fd | ParamType::Fd32) && theirs.starts_with('<');
            // The original has no name for the errors of the key facility.
            let named = named || theirs.is_empty() && ours == b"ENOKEY";
            compared += 1;
            if our_raw != raw.as_bytes() || (!named && ours != theirs.as_bytes()) {
                differing.push(format!(
                    "{} {} {:?} {hex}: theirs {raw} {theirs} ours {} {}",
                    info.name,
                    param.name,
                    param.ty,
                    String::from_utf8_lossy(&our_raw),
                    String::from_utf8_lossy(&ours)
                ));
            }
        }
    }
    differing.sort();
    differing.dedup();
    println!(
        "{compared} parameters compared, {} kinds of differences",
        differing.len()
    );
    assert!(compared > 5000, "{compared} parameters compared");
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
