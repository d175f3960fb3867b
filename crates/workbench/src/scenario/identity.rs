//! What somebody found out about the file of an event's program.

use state::{ProgramFile, ProgramIdentity, program_json};

use super::cast::Actor;
use super::spec::{EventSpec, Read};

/// What the event says that its program's file is; `None` where it says nothing of that.
pub(super) fn told(spec: &EventSpec, actor: &Actor) -> Read<Option<String>> {
    const FIELDS: [&str; 6] = [
        "proc.exe_hash",
        "proc.exe_package",
        "proc.exe_package_version",
        "proc.exe_package_intact",
        "proc.exe_package_db",
        "proc.exe_identity",
    ];
    if !FIELDS.iter().any(|field| spec.given(field).is_some()) {
        return Ok(None);
    }
    let text = |field: &str| spec.text(&[field]).unwrap_or_default().into_boxed_str();
    let file = ProgramFile {
        container: actor.inside.id.as_bytes().into(),
        path: actor.exepath.as_bytes().into(),
        ino: actor.ino,
        ctime: actor.ctime,
        mtime: actor.mtime,
    };
    let identity = ProgramIdentity {
        is_complete: &*text("proc.exe_identity") != "unknown",
        hash: text("proc.exe_hash"),
        package: text("proc.exe_package"),
        version: text("proc.exe_package_version"),
        database: text("proc.exe_package_db"),
        intact: spec.truth("proc.exe_package_intact")?,
    };
    Ok(Some(program_json(&file, &identity, true)))
}
