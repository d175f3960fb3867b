//! Makes work for a monitor, and says how much: `live-load KIND [turns=N] [seconds=S] [rate=R]`,
//! KIND being files, openat2, linkat, setpgid, getppid, exec or mixed. One line of JSON at the end.

#![forbid(unsafe_code)]

use std::time::Duration;

use testkit::load::{Kind, Load, Pace};

const USAGE: &str = "usage: live-load files|openat2|linkat|setpgid|getppid|exec|mixed [turns=N] [seconds=S] [rate=R]";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().and_then(|name| Kind::named(&name));
    let kind = kind.ok_or(USAGE)?;
    let mut pace = Pace::default();
    for argument in arguments {
        match argument.split_once('=').ok_or(USAGE)? {
            ("turns", n) => pace.turns = Some(n.parse()?),
            ("seconds", s) => pace.time = Some(Duration::from_secs_f64(s.parse()?)),
            ("rate", r) => pace.rate = Some(r.parse()?),
            _ => return Err(USAGE.into()),
        }
    }
    if pace.turns.is_none() && pace.time.is_none() {
        return Err(USAGE.into());
    }
    let done = Load::new()?.work(kind, pace)?;
    println!(
        "{}",
        serde_json::json!({
            "pid": std::process::id(),
            "turns": done.turns,
            "seconds": done.elapsed.as_secs_f64(),
        })
    );
    Ok(())
}
