//! What a container runtime would say: of the containers that stages stand for no runtime knows.
//!
//! Some of them have an image, a namespace, directories of the host, all privileges. Live, a [`Runtime`] says so over a
//! socket as Docker's would; a recording of the suite gets it as the event that captures have for it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use capture::{Compression, Item, Reader, Writer};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use serde_json::{Value, json};

/// What the runtime says of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Description {
    /// The image's repository; `tuning.yaml` speaks of some.
    pub image: String,
    /// The Kubernetes namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// True if it has all privileges.
    pub privileged: bool,
    /// Directories of the host: where they are there, and where inside.
    pub mounts: Vec<(String, String)>,
}

/// A container that a runtime knows: its whole id, and what is said of it.
pub type Known = (String, Description);

impl Description {
    /// The one that has all privileges, and the host's directories.
    #[must_use]
    pub fn privileged() -> Self {
        let mount = |source: &str, target: &str| (source.to_owned(), target.to_owned());
        Self {
            image: "peregrine/attacked".to_owned(),
            namespace: "attacked".to_owned(),
            pod: "attacked-0".to_owned(),
            privileged: true,
            mounts: vec![
                mount("/var/run/docker.sock", "/var/run/docker.sock"),
                mount("/etc", "/host/etc"),
            ],
        }
    }

    /// `image NAME, namespace NAME, pod NAME, mount PATH, privileged`: all but the image may be missing.
    #[must_use]
    pub fn read(words: &str) -> Option<Self> {
        let mut about = Self {
            image: String::new(),
            namespace: "shop".to_owned(),
            pod: "web-0".to_owned(),
            privileged: false,
            mounts: Vec::new(),
        };
        for part in words.split(',') {
            let (key, value) = part.trim().split_once(' ').unwrap_or((part.trim(), ""));
            match key {
                "image" => value.clone_into(&mut about.image),
                "namespace" => value.clone_into(&mut about.namespace),
                "pod" => value.clone_into(&mut about.pod),
                "mount" => about.mounts.push((value.to_owned(), value.to_owned())),
                "privileged" => about.privileged = true,
                _ => return None,
            }
        }
        (!about.image.is_empty()).then_some(about)
    }

    fn labels(&self) -> Value {
        json!({ "io.kubernetes.pod.namespace": self.namespace, "io.kubernetes.pod.name": self.pod })
    }

    fn mounts(&self) -> Vec<Value> {
        let mount = |(source, target): &(String, String)| {
            json!({
                "Type": "bind", "Source": source, "Destination": target, "Mode": "", "RW": true,
                "Propagation": "rprivate",
            })
        };
        self.mounts.iter().map(mount).collect()
    }
}

/// Copies a recording, with the containers' descriptions before the first event.
///
/// # Errors
/// Files that cannot be read or written; a recording that is none.
pub fn describe(recording: &Path, to: &Path, containers: &[Known]) -> Result<()> {
    let input =
        File::open(recording).with_context(|| format!("cannot read {}", recording.display()))?;
    let mut reader = Reader::new(BufReader::new(input)).context("not a recording")?;
    let output = File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    let mut writer = Writer::new(BufWriter::new(output), Compression::Gzip)?;
    let mut loaded = false;
    let mut told = false;
    let mut early: Vec<Vec<u8>> = Vec::new();
    while let Some(item) = reader.next().context("the recording breaks off")? {
        match &item {
            Item::Loaded => {
                loaded = true;
                for bytes in early.drain(..) {
                    writer.event(&Record::parse(&bytes, 0, RecordFlags::default())?)?;
                }
            }
            // Lists may come once more behind events; a file has no place for them there. Those in front stay: early events
            // are held back, so nothing of the events is written yet.
            Item::Interfaces(_) | Item::Users(_) if loaded => continue,
            // What stands at the start may end with lists: events go behind them.
            Item::Event(record) if !loaded => {
                early.push(record.bytes().to_vec());
                continue;
            }
            Item::Event(record) if loaded && !told => {
                told = true;
                for known in containers {
                    let bytes = description(record.ts, known);
                    writer.event(&Record::parse(&bytes, 0, RecordFlags::default())?)?;
                }
            }
            _ => {}
        }
        writer.item(&item)?;
    }
    writer.finish()?.flush()?;
    Ok(())
}

fn description(time: u64, (id, about): &Known) -> Vec<u8> {
    let text = json!({ "container": {
        "type": 0,
        "id": &id[..12],
        "full_id": id,
        "name": name(id),
        "image": format!("{}:latest", about.image),
        "imagerepo": about.image,
        "imagetag": "latest",
        "privileged": about.privileged,
        "labels": about.labels(),
        "Mounts": about.mounts(),
    } })
    .to_string();
    RecordBuilder::new(EventCode::new(codes::CONTAINER_JSON_2_E), time, 0)
        .text(text)
        .finish()
}

fn name(id: &str) -> String {
    format!("attacked-{}", &id[..4])
}

/// The socket of a runtime that knows these containers, and nothing else.
pub struct Runtime {
    folder: tempfile::TempDir,
}

impl Runtime {
    /// Answers from now on, until the suite ends.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn serve(containers: &[Known]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener =
            UnixListener::bind(folder.path().join("docker.sock")).context("no socket")?;
        let containers: Arc<[Known]> = containers.into();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let containers = Arc::clone(&containers);
                std::thread::spawn(move || answer(stream, &containers));
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
fn answer(stream: UnixStream, containers: &[Known]) {
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
            let all = containers.iter().map(|(id, _)| json!({ "Id": id }));
            Some(Value::Array(all.collect()))
        } else {
            let asked = |id: &str| path.contains(&format!("/containers/{}", &id[..12]));
            containers
                .iter()
                .find(|(id, _)| asked(id))
                .map(|(id, about)| inspected(id, about))
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

fn inspected(id: &str, about: &Description) -> Value {
    json!({
        "Id": id,
        "Name": format!("/{}", name(id)),
        "Created": "2026-01-01T00:00:00Z",
        "State": { "Running": true },
        "Image": "",
        "Config": {
            "Image": format!("{}:latest", about.image),
            "Env": [],
            "Labels": about.labels(),
        },
        "HostConfig": { "Privileged": about.privileged, "PidMode": "", "NetworkMode": "none", "IpcMode": "private" },
        "NetworkSettings": { "IPAddress": "", "Ports": {} },
        "Mounts": about.mounts(),
    })
}
