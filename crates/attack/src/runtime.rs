//! What a container runtime would say: of the containers that stages stand for no runtime knows.
//!
//! One of them is privileged, has directories of the host, an image and a namespace of its own. Live, a [`Runtime`] says so
//! over a socket as Docker's would; a recording of the suite gets it as the event that captures have for it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use capture::{Compression, Item, Reader, Writer};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use serde_json::{Value, json};

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

/// The socket of a runtime that knows the privileged container, and nothing else.
pub struct Runtime {
    folder: tempfile::TempDir,
}

impl Runtime {
    /// Answers from now on, until the suite ends.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn serve(id: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener =
            UnixListener::bind(folder.path().join("docker.sock")).context("no socket")?;
        let id = id.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let id = id.clone();
                std::thread::spawn(move || answer(stream, &id));
            }
        });
        Ok(Self { folder })
    }

    /// Where it is asked.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }
}

/// One connection, which may ask more than once. Whoever asks for events waits for as long as it likes.
fn answer(stream: UnixStream, id: &str) {
    let Ok(mut output) = stream.try_clone() else {
        return;
    };
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        for header in lines.by_ref() {
            if header.trim().is_empty() {
                break;
            }
        }
        let path = request.split_whitespace().nth(1).unwrap_or_default();
        if path.contains("/events") {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
            if output.write_all(head.as_bytes()).is_err() {
                return;
            }
            continue;
        }
        let body = if path.contains("/containers/json") {
            Some(json!([{ "Id": id }]))
        } else if path.contains(&format!("/containers/{}", &id[..12])) {
            Some(inspected(id))
        } else {
            None
        };
        let status = if body.is_some() {
            "200 OK"
        } else {
            "404 Not Found"
        };
        let body = body
            .unwrap_or_else(|| json!({ "message": "there is no such thing" }))
            .to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if output.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn inspected(id: &str) -> Value {
    let mount = |source: &str, target: &str| {
        json!({
            "Type": "bind", "Source": source, "Destination": target, "Mode": "", "RW": true,
            "Propagation": "rprivate",
        })
    };
    json!({
        "Id": id,
        "Name": "/attacked",
        "Created": "2026-01-01T00:00:00Z",
        "State": { "Running": true },
        "Image": "",
        "Config": {
            "Image": format!("{IMAGE}:latest"),
            "Env": [],
            "Labels": { "io.kubernetes.pod.namespace": NAMESPACE, "io.kubernetes.pod.name": "attacked-0" },
        },
        "HostConfig": { "Privileged": true, "PidMode": "", "NetworkMode": "none", "IpcMode": "private" },
        "NetworkSettings": { "IPAddress": "", "Ports": {} },
        "Mounts": [mount("/var/run/docker.sock", "/var/run/docker.sock"), mount("/etc", "/host/etc")],
    })
}
