//! `syslog.*`: what is written to `/dev/log`, as RFC 3164 writes it: `<PRIORITY>TEXT`.

use event::EventFlags;
use filter::Value;

use super::{Ask, bytes};
use crate::catalogue::Id;
use crate::render::Out;
use crate::view::EventView;

const SEVERITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warn", "notice", "info", "debug",
];
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "clock", "authpriv",
    "ftp", "ntp", "logaudit", "logalert", "cron", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

/// Whether the event writes to a descriptor whose name has `/dev/log` in it.
pub(super) fn is_message(view: &EventView<'_>) -> bool {
    view.record.info.flags.contains(EventFlags::WRITES_TO_FD)
        && view
            .descriptor()
            .is_some_and(|d| contains(d.name(), b"/dev/log"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

/// Priority and text of a message.
fn parse(data: &[u8]) -> Option<(u32, &[u8])> {
    let rest = data.strip_prefix(b"<")?;
    let end = rest.iter().take(4).position(|&b| b == b'>')?;
    let priority: u32 = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    (priority < 192).then_some((priority, &rest[end + 1..]))
}

pub(super) fn value<'s>(view: &'s EventView<'s>, ask: &Ask<'_, 's>) -> Option<Value<'s>> {
    if !is_message(view) {
        return None;
    }
    let (priority, text) = parse(view.record.param_named("data")?)?;
    let (facility, severity) = (priority >> 3, priority & 7);
    match ask.id {
        Id::SyslogFacility => Some(Value::Unsigned(u64::from(facility))),
        Id::SyslogSeverity => Some(Value::Unsigned(u64::from(severity))),
        Id::SyslogFacilityStr => bytes(FACILITIES.get(facility as usize)?),
        Id::SyslogSeverityStr => bytes(SEVERITIES.get(severity as usize)?),
        _ => Some(ask.compose(|out: &mut Out<'_>| {
            let text = text.trim_ascii_end();
            out.extend_from_slice(text.split(|&b| b == 0).next().unwrap_or(text));
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        assert_eq!(
            parse(b"<38>sshd[1]: hello"),
            Some((38, &b"sshd[1]: hello"[..]))
        );
        for wrong in [
            &b""[..],
            b"<",
            b"<>",
            b"<38",
            b"<192>x",
            b"<-1>x",
            b"<99999>x",
            b"x<38>",
        ] {
            assert_eq!(parse(wrong), None);
        }
    }
}
