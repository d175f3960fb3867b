//! `peregrine replay`: rules over a capture.

use anyhow::Result;
use config::Override;

use super::prepare::Prepared;
use crate::cli;
use crate::pipeline;
use crate::pipeline::beside::Company;
use crate::source;
use crate::sources::{self, AuditFile, Sources};

/// Replays.
pub(crate) fn run(args: &cli::Replay) -> Result<u8> {
    let overrides = vec![
        Override::set("engine.kind", "replay"),
        Override::set("engine.replay.capture_file", &args.file),
    ];
    let audit_events = sources::looks_like_json(&args.file);
    let prepared = Prepared::read(
        &args.rules,
        &args.alerts,
        overrides,
        |catalogue, settings| Sources::of(catalogue, settings, true),
        audit_events,
    )?;
    let Some(prepared) = prepared else {
        return Ok(1);
    };
    let plan = prepared.plan(&args.alerts, args.seconds);
    let company = Company::of_capture(plan.sources)?;
    let ended = if audit_events {
        let limits = audit::Limits::default();
        pipeline::run(&plan, company, |_| AuditFile::open(&args.file, limits))?
    } else {
        pipeline::run(&plan, company, |_| source::open(&args.file, false))?
    };
    // The program ends here, and its memory with it: taking the rules apart first is time for nothing.
    std::mem::forget(prepared);
    match ended.fault {
        Some(fault) => Err(fault),
        None => Ok(0),
    }
}
