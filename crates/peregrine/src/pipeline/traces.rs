//! What an event did to files and connections, in a few words: evidence that is kept with an alert, and the deeds of an
//! incident's processes in a capture.

use event::{Record, constants as k};
use fields::Catalogue;
use filter::{FieldSource, Template};
use state::{Context, Descriptor, State};
use store::{Thing, Touched};

/// Connections of a process that are noted with its alert.
const CONNECTIONS: usize = 16;
/// Bytes of a name that are kept.
const NAME: usize = 4096;

/// Finds it.
pub(crate) struct Traces {
    path: Template,
    source: Template,
    target: Template,
    protocol: Template,
}

impl Traces {
    /// With the fields of system calls.
    pub(crate) fn new(catalogue: &Catalogue) -> Self {
        let template = |text: &str| {
            Template::parse(text, catalogue)
                .expect("fields of our own catalogue")
                .permissive()
        };
        Self {
            path: template("*%fs.path.name"),
            source: template("*%fs.path.source"),
            target: template("*%fs.path.target"),
            protocol: template("*%fd.l4proto"),
        }
    }

    /// What an event touched.
    pub(crate) fn of(
        &self,
        record: &Record<'_>,
        view: &impl FieldSource,
        state: &State,
        context: &Context,
    ) -> Option<Touched> {
        let descriptor = state.event_descriptor(context);
        let call = record.info.name;
        let failed = record.result().is_some_and(|result| result < 0);
        let file = |how: &str, name: String| {
            let how = if failed { "tried" } else { how };
            touched(Thing::File, how, name)
        };
        match call {
            "open" | "openat" | "openat2" | "creat" | "open_by_handle_at" => {
                const WRITING: u32 = k::O_WRONLY | k::O_TRUNC | k::O_CREAT;
                let opened = descriptor.filter(|file| !failed && file.kind.is_file());
                match opened {
                    Some(opened) => {
                        let writes = call == "creat" || opened.open_flags & WRITING != 0;
                        let how = if writes { "written" } else { "read" };
                        file(how, text(opened.name()))
                    }
                    // Neither a directory nor a device is a file that was read.
                    None if !failed => None,
                    None => file("", shown(&self.path, view)),
                }
            }
            "unlink" | "unlinkat" | "rmdir" => file("removed", shown(&self.path, view)),
            "rename" | "renameat" | "renameat2" => file("renamed", self.both(view)),
            "link" | "linkat" | "symlink" | "symlinkat" => file("linked", self.both(view)),
            "mkdir" | "mkdirat" => file("made", shown(&self.path, view)),
            "chmod" | "fchmodat" | "chown" | "lchown" | "fchownat" => {
                file("changed", shown(&self.path, view))
            }
            "fchmod" | "fchown" => file("changed", text(descriptor?.name())),
            "execve" | "execveat" => {
                let thread = state.thread(context.thread?);
                file("run", text(thread.image.exepath()))
            }
            _ => {
                let descriptor = descriptor?;
                if descriptor.kind.is_ip() {
                    let how = match call {
                        "connect" => "connected",
                        "accept" | "accept4" => "accepted",
                        "listen" | "bind" => "listened",
                        other => other,
                    };
                    return self.connection(how, descriptor, view);
                }
                let known = descriptor.kind.is_file().then(|| text(descriptor.name()))?;
                touched(Thing::File, call, known)
            }
        }
    }

    fn connection(
        &self,
        how: &str,
        descriptor: &Descriptor,
        view: &impl FieldSource,
    ) -> Option<Touched> {
        let name = text(descriptor.name());
        if name.is_empty() {
            return None;
        }
        let protocol = shown(&self.protocol, view);
        let name = match protocol.as_str() {
            "" | "<NA>" => name,
            protocol => format!("{name} {protocol}"),
        };
        touched(Thing::Connection, how, name)
    }

    fn both(&self, view: &impl FieldSource) -> String {
        format!(
            "{} -> {}",
            shown(&self.source, view),
            shown(&self.target, view)
        )
    }

    /// Connections to elsewhere that the event's process has open.
    pub(crate) fn connections(state: &State, context: &Context) -> Vec<Touched> {
        let table = context.thread.and_then(|ix| state.descriptors(ix));
        let all = table.into_iter().flat_map(state::DescriptorTable::iter);
        let open = all.filter(|(_, one)| one.kind.is_ip() && one.dest().is_some());
        let mut list: Vec<Touched> = Vec::new();
        for (_, one) in open {
            let name = text(one.name());
            if list.len() < CONNECTIONS && list.iter().all(|known| known.name != name) {
                list.extend(touched(Thing::Connection, "open", name));
            }
        }
        list
    }
}

fn touched(thing: Thing, how: &str, name: String) -> Option<Touched> {
    let known = !name.is_empty() && name != "<NA>";
    known.then(|| Touched {
        thing,
        how: how.to_owned(),
        name,
    })
}

fn shown(template: &Template, view: &impl FieldSource) -> String {
    let mut bytes = Vec::new();
    template.render(view, &mut bytes);
    text(&bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(NAME)]).into_owned()
}
