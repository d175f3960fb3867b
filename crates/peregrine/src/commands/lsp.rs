//! `peregrine lsp`: rule files in an editor, over standard input and output.

use std::io::{BufRead, Read, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use config::Settings;
use serde_json::Value;
use workbench::server::{Server, Setting};

use crate::cli::Lsp;
use crate::rulefiles;
use crate::sources::{self, Sources};

/// Longest message that is read.
const LONGEST: usize = 256 << 20;

/// Answers until the client says good-bye or hangs up.
pub(crate) fn run(args: &Lsp) -> Result<u8> {
    let settings = Settings::default();
    let catalogue = crate::containers::catalogue(&settings);
    let sources = Sources::new(&catalogue, true);
    let files = rulefiles::collect(&args.rules, true, &mut Vec::new())?;
    let base = files.into_iter().map(|file| {
        let uri = uri(Path::new(&file.name))?;
        Ok((uri, String::from_utf8_lossy(&file.content).into_owned()))
    });
    let setting = Setting {
        schemas: sources.schemas(),
        options: rules::Options {
            plugins: sources::built_in_plugins(&sources),
            ..rules::Options::new()
        },
        base: base.collect::<Result<_>>()?,
    };
    let mut server = Server::new(setting);
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    while let Some(message) = read(&mut input)? {
        let answer = server.handle(&message);
        for message in &answer.messages {
            let body = message.to_string();
            write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
        }
        output.flush()?;
        if let Some(proper) = answer.exit {
            return Ok(u8::from(!proper));
        }
    }
    Ok(0)
}

/// `file:///...` of a path.
fn uri(path: &Path) -> Result<String> {
    let path =
        std::fs::canonicalize(path).with_context(|| format!("cannot find {}", path.display()))?;
    let mut out = String::from("file://");
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(out)
}

/// The next message; `None` at the end of input.
fn read(input: &mut impl BufRead) -> Result<Option<Value>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if input
            .by_ref()
            .take(8192)
            .read_line(&mut line)
            .context("cannot read a message")?
            == 0
        {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let Some(length) = length.filter(|&length| length <= LONGEST) else {
        bail!(
            "a message has no length that can be: this speaks the language server protocol, an editor starts it"
        );
    };
    let mut body = Vec::new();
    input
        .take(length as u64)
        .read_to_end(&mut body)
        .context("cannot read a message")?;
    if body.len() < length {
        return Ok(None);
    }
    Ok(Some(
        serde_json::from_slice(&body).context("a message is not JSON")?,
    ))
}
