//! Lists of ids, which containerd's own API and the Container Runtime Interface answer in the same
//! shape.

use prost::Message;

/// One of a list: its id is all that is asked for.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Listed {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
}

/// Containers, or sandboxes of pods.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct List {
    #[prost(message, repeated, tag = "1")]
    pub(crate) items: Vec<Listed>,
}

impl List {
    /// The ids alone.
    pub(crate) fn ids(self) -> impl Iterator<Item = String> {
        self.items.into_iter().map(|one| one.id)
    }
}
