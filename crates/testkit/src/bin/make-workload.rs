//! Writes a synthetic capture: `make-workload KIND EVENTS FILE`, KIND being mixed, process, file or
//! network. The same arguments give the same bytes everywhere.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::BufWriter;

use capture::{Compression, Writer};
use event::snapshot::MachineInfo;
use event::{Record, RecordFlags};
use testkit::workload::{Kind, Workload};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, events, file] = arguments.as_slice() else {
        return Err("usage: make-workload mixed|process|file|network EVENTS FILE".into());
    };
    let names = Kind::ALL;
    let (kind, _) = names
        .iter()
        .find(|(_, name)| name == kind)
        .ok_or("unknown kind")?;
    let mut writer = Writer::new(BufWriter::new(File::create(file)?), Compression::None)?;
    writer.machine(&MachineInfo {
        cpus: 2,
        hostname: b"bench".to_vec(),
        ..Default::default()
    })?;
    let mut workload = Workload::new(*kind, 1);
    let mut bytes = Vec::new();
    for _ in 0..events.parse::<u64>()? {
        workload.next_into(&mut bytes);
        writer.event(&Record::parse(&bytes, 0, RecordFlags::default())?)?;
    }
    writer.finish()?;
    Ok(())
}
