//! The outputs that a configuration asks for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use config::Settings;
use filter::render::Buffers;
use outputs::channel::file::FileChannel;
use outputs::channel::program::ProgramChannel;
use outputs::channel::stream::Stream;
use outputs::channel::syslog::SyslogChannel;
use outputs::{Channel, Form, Listener, Notice, Outputs, Overflow, Policy};

use crate::{log, terminal};

/// What alerts look like.
pub(crate) fn form(settings: &Settings, hostname: Vec<u8>) -> Form {
    let outputs = &settings.outputs;
    Form {
        iso8601: outputs.time_format_iso_8601,
        json: outputs.json_output,
        include_output: outputs.json_include_output,
        include_message: outputs.json_include_message,
        include_fields: outputs.json_include_output_fields,
        include_tags: outputs.json_include_tags,
        hostname,
        buffers: if settings.buffer_format_base64 {
            Buffers::Base64
        } else {
            Buffers::Text
        },
    }
}

/// Starts them, in the order in which messages reach them.
///
/// # Errors
/// When a worker cannot be started.
pub(crate) fn start(settings: &Settings, live: bool) -> io::Result<Outputs> {
    let outputs = &settings.outputs;
    let mut channels: Vec<Box<dyn Channel>> = Vec::new();
    if let Some(file) = &outputs.file {
        channels.push(Box::new(FileChannel::new(&file.target, file.keep_alive)));
    }
    if outputs.stdout {
        let colour = terminal::colour_stdout() && !outputs.json_output;
        channels.push(Box::new(Stream::stdout(colour)));
    }
    if outputs.syslog {
        channels.push(Box::new(SyslogChannel::new("peregrine")));
    }
    if let Some(program) = &outputs.program {
        channels.push(Box::new(ProgramChannel::new(
            &program.target,
            program.keep_alive,
        )));
    }
    let policy = Policy {
        overflow: if live {
            Overflow::Drop(outputs.queue_capacity)
        } else {
            // A capture has time: nothing is dropped for a slow reader.
            Overflow::Wait
        },
        linger: Duration::from_millis(if outputs.buffered { 100 } else { 1 }),
    };
    let listener: Listener = Arc::new(|notice| match notice {
        Notice::Failed(name, error) => log::error(&format!("output {name}: {error}")),
        Notice::Full(name) => log::error(&format!("output {name}: queue full, messages are lost")),
    });
    Outputs::start(channels, policy, &listener)
}
