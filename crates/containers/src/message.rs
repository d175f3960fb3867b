//! What comes back: container records, users and groups, as records for the event stream.

use event::{EventCode, RecordBuilder, codes};
use state::{ACCOUNTS_EVENT, Container, State, UNKNOWN_EVENT, WAIT_EVENT};

/// Something that the state should know.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A container, under the name of its event.
    Container {
        /// `container`, `container_updated` or `container_removed`.
        name: &'static str,
        /// Short id.
        id: Vec<u8>,
        /// The record as JSON.
        json: String,
    },
    /// Nobody knows a container.
    Unknown {
        /// Short id.
        id: Vec<u8>,
    },
    /// All accounts of a container have been told.
    Accounts {
        /// Short id.
        id: Vec<u8>,
        /// The process was gone before they could be read: the next one may tell.
        gone: bool,
    },
    /// Accounts of a container are being read: to stand at the start of a capture.
    Reading {
        /// Short id.
        id: Vec<u8>,
    },
    /// A user of a container's own.
    User {
        /// Short id of the container.
        container: Vec<u8>,
        /// The user.
        user: event::snapshot::User,
    },
    /// A group of a container's own.
    Group {
        /// Short id of the container.
        container: Vec<u8>,
        /// The group.
        group: event::snapshot::Group,
    },
    /// Alerts wait so many milliseconds: to stand at the start of a capture.
    Wait {
        /// Milliseconds.
        ms: u64,
    },
}

fn asynchronous(ts: u64, name: &str, data: &str) -> RecordBuilder {
    RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), ts, 0)
        .u32(0)
        .text(name)
        .text(data)
}

/// Texts of accounts in records have two-byte lengths.
fn short(text: &[u8]) -> &[u8] {
    &text[..text.len().min(4096)]
}

impl Message {
    /// A container's record.
    #[must_use]
    pub fn container(name: &'static str, container: &Container) -> Self {
        Self::Container {
            name,
            id: container.id.clone(),
            json: container.to_json(),
        }
    }

    /// All that the state knows of containers: for the start of a capture.
    #[must_use]
    pub fn standing(state: &State) -> Vec<Self> {
        let mut all = Vec::new();
        if state.container_wait() != 0 {
            let ms = state.container_wait() / 1_000_000;
            all.push(Self::Wait { ms });
        }
        all.extend(
            state
                .containers()
                .map(|one| Self::container("container", one)),
        );
        let reading = state.containers_being_read();
        all.extend(reading.map(|id| Self::Reading { id: id.to_vec() }));
        for (container, user) in state.container_users() {
            let (container, user) = (container.to_vec(), user.clone());
            all.push(Self::User { container, user });
        }
        for (container, group) in state.container_groups() {
            let (container, group) = (container.to_vec(), group.clone());
            all.push(Self::Group { container, group });
        }
        all
    }

    /// The record of the event, at `ts` nanoseconds since the epoch.
    #[must_use]
    pub fn record(&self, ts: u64) -> Vec<u8> {
        let builder = match self {
            Self::Container { name, json, .. } => asynchronous(ts, name, json),
            Self::Unknown { id } => {
                let container = Container {
                    id: id.clone(),
                    ..Container::default()
                };
                asynchronous(ts, UNKNOWN_EVENT, &container.to_json())
            }
            Self::Accounts { id, gone } => {
                let sign = if *gone { "?" } else { "" };
                let text = format!("{sign}{}", String::from_utf8_lossy(id));
                asynchronous(ts, ACCOUNTS_EVENT, &text)
            }
            Self::Reading { id } => {
                let text = format!("+{}", String::from_utf8_lossy(id));
                asynchronous(ts, ACCOUNTS_EVENT, &text)
            }
            Self::Wait { ms } => asynchronous(ts, WAIT_EVENT, &ms.to_string()),
            Self::User { container, user } => {
                RecordBuilder::new(EventCode::new(codes::USER_ADDED_E), ts, -1)
                    .u32(user.uid)
                    .u32(user.gid)
                    .text(short(&user.name))
                    .text(short(&user.home))
                    .text(short(&user.shell))
                    .text(short(container))
            }
            Self::Group { container, group } => {
                RecordBuilder::new(EventCode::new(codes::GROUP_ADDED_E), ts, -1)
                    .u32(group.gid)
                    .text(short(&group.name))
                    .text(short(container))
            }
        };
        builder.finish()
    }

    /// Bytes that it takes in a queue, roughly.
    pub(crate) fn size(&self) -> usize {
        let own = match self {
            Self::Container { json, .. } => json.len(),
            Self::User { user, .. } => user.name.len() + user.home.len() + user.shell.len(),
            Self::Group { group, .. } => group.name.len(),
            Self::Unknown { .. }
            | Self::Accounts { .. }
            | Self::Reading { .. }
            | Self::Wait { .. } => 0,
        };
        own + 128
    }
}

#[cfg(test)]
mod tests {
    use event::{Record, RecordFlags};
    use state::Options;

    use super::*;

    #[test]
    fn the_state_takes_them_in() {
        let mut state = State::new(Options::default());
        let mut tell = |message: &Message| {
            let bytes = message.record(7);
            let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
            assert_eq!(record.ts, 7);
            state.process(&record);
        };
        tell(&Message::Wait { ms: 300 });
        let container = Container {
            id: b"0123456789ab".to_vec(),
            name: b"web".to_vec(),
            ..Container::default()
        };
        tell(&Message::container("container", &container));
        let own = b"0123456789ab".to_vec();
        tell(&Message::User {
            container: own.clone(),
            user: event::snapshot::User {
                uid: 33,
                name: b"www".to_vec(),
                ..event::snapshot::User::default()
            },
        });
        tell(&Message::Group {
            container: own.clone(),
            group: event::snapshot::Group {
                gid: 44,
                name: b"grp".to_vec(),
            },
        });
        tell(&Message::Unknown {
            id: b"other".to_vec(),
        });
        assert_eq!(state.container_wait(), 300_000_000);
        assert_eq!(state.container(&own).unwrap().name, b"web");
        assert_eq!(state.user(&own, 33).unwrap().name, b"www");
        assert_eq!(state.group(&own, 44).unwrap().name, b"grp");
        let standing = Message::standing(&state);
        assert_eq!(standing.len(), 4);
        assert_eq!(standing[0], Message::Wait { ms: 300 });

        // Accounts that are still being read when a capture begins are waited for in its replay.
        let reading = Message::Reading { id: own.clone() };
        let bytes = reading.record(7);
        let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
        state.process(&record);
        assert!(Message::standing(&state).contains(&reading));
        assert!(state.accounts_pending(&own));
    }
}
