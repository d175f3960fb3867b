//! Which events a plugin may put into a stream. Both ends of the socket look: the child tells the plugin, the parent trusts
//! nobody.

use event::{Record, RecordFlags, codes};

use crate::info::Info;

/// Whether an event that a plugin puts into a stream is one that it may.
pub(crate) fn announced(info: &Info, event: &[u8]) -> Result<(), String> {
    let name = &info.name;
    let malformed = || format!("malformed async event produced by plugin: {name}");
    let record = Record::parse(event, 0, RecordFlags::default());
    let record = record.map_err(|_| malformed())?;
    if record.code.number() != codes::ASYNCEVENT_E || record.param_count() != 3 {
        return Err(malformed());
    }
    let kind = String::from_utf8_lossy(record.text(1));
    if info.async_events.iter().any(|announced| *announced == kind) {
        Ok(())
    } else {
        Err(format!(
            "incompatible async event '{kind}' produced by plugin: {name}"
        ))
    }
}

/// The same for the stream of a source.
pub(crate) fn admitted(info: &Info, source: &str, event: &[u8]) -> Result<(), String> {
    announced(info, event)?;
    let name = &info.name;
    if !info.injects_into(source) {
        return Err(format!(
            "async events of plugin '{name}' are not compatible with open event source '{source}'"
        ));
    }
    if source != "syscall" && event.get(8..16) != Some(&[0xFF; 8][..]) {
        return Err(format!(
            "async events of plugin '{name}' can have no thread associated with open event source '{source}'"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use event::{EventCode, RecordBuilder};

    use super::*;
    use crate::info::Capability;

    #[test]
    fn what_may_be_put_into_a_stream() {
        let info = Info {
            name: "p".to_owned(),
            capabilities: Capability::Async as u32,
            async_events: vec!["tick".to_owned()],
            async_sources: vec!["syscall".to_owned(), "own".to_owned()],
            ..Info::default()
        };
        let tick = |name: &str, tid| {
            RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), 1, tid)
                .u32(0)
                .text(name)
                .bytes(b"x")
                .finish()
        };
        assert_eq!(admitted(&info, "syscall", &tick("tick", 7)), Ok(()));
        assert_eq!(admitted(&info, "own", &tick("tick", -1)), Ok(()));
        let other = RecordBuilder::new(EventCode::new(codes::PLUGINEVENT_E), 1, -1)
            .u32(0)
            .bytes(b"x")
            .finish();
        for (source, event, word) in [
            ("own", tick("tick", 7), "no thread"),
            ("other", tick("tick", -1), "not compatible"),
            ("own", tick("tock", -1), "incompatible async event 'tock'"),
            ("own", other, "malformed"),
            ("own", vec![0; 5], "malformed"),
        ] {
            let error = admitted(&info, source, &event).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
