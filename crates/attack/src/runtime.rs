//! What a container runtime would say, put into a recording: of the containers that stages stand for no runtime knows.
//!
//! One of them is privileged, has directories of the host, an image and a namespace of its own. A capture carries such
//! knowledge as events, and so a recording of the suite can show what a live run without a runtime cannot.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use capture::{Compression, Item, Reader, Writer};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use serde_json::json;

/// The image of the privileged container; `tuning.yaml` speaks of it.
pub const IMAGE: &str = "peregrine/attacked";

/// Its namespace.
pub const NAMESPACE: &str = "attacked";

/// Copies a recording, with the privileged container's description before the first event.
///
/// # Errors
/// Files that cannot be read or written; a recording that is none.
pub fn describe(recording: &Path, to: &Path, id: &str) -> Result<()> {
    let input =
        File::open(recording).with_context(|| format!("cannot read {}", recording.display()))?;
    let mut reader = Reader::new(BufReader::new(input)).context("not a recording")?;
    let output = File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    let mut writer = Writer::new(BufWriter::new(output), Compression::Gzip)?;
    let mut loaded = false;
    let mut told = false;
    while let Some(item) = reader.next().context("the recording breaks off")? {
        match &item {
            Item::Loaded => loaded = true,
            Item::Event(record) if loaded && !told => {
                told = true;
                let bytes = description(record.ts, id);
                writer.event(&Record::parse(&bytes, 0, RecordFlags::default())?)?;
            }
            _ => {}
        }
        writer.item(&item)?;
    }
    writer.finish()?.flush()?;
    Ok(())
}

fn description(time: u64, id: &str) -> Vec<u8> {
    let mount = |source: &str, target: &str| json!({ "Source": source, "Destination": target, "Mode": "", "RW": true, "Propagation": "rprivate" });
    let text = json!({ "container": {
        "type": 0,
        "id": &id[..12],
        "full_id": id,
        "name": "attacked",
        "image": format!("{IMAGE}:latest"),
        "imagerepo": IMAGE,
        "imagetag": "latest",
        "privileged": true,
        "labels": { "io.kubernetes.pod.namespace": NAMESPACE, "io.kubernetes.pod.name": "attacked-0" },
        "Mounts": [mount("/var/run/docker.sock", "/var/run/docker.sock"), mount("/etc", "/host/etc")],
    } })
    .to_string();
    RecordBuilder::new(EventCode::new(codes::CONTAINER_JSON_2_E), time, 0)
        .text(text)
        .finish()
}
