//! What can go wrong with a plugin.

/// An error of a plugin, or in dealing with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The shared object is no plugin of ours.
    #[error("cannot load plugin {path}: {reason}")]
    Load {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The plugin said no.
    #[error("plugin {plugin}: {text}")]
    Plugin {
        /// Its name.
        plugin: String,
        /// Its words.
        text: String,
    },
    /// The child process is gone, or is ended because it did not answer.
    #[error("plugin {plugin}: {text}")]
    Gone {
        /// Its name.
        plugin: String,
        /// How it ended.
        text: String,
    },
    /// The plugin does not have the capability.
    #[error("plugin {plugin} has no {what}")]
    Incapable {
        /// Its name.
        plugin: String,
        /// What was asked.
        what: &'static str,
    },
}

impl Error {
    /// Whether the child process is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }

    pub(crate) fn load(path: &str, reason: impl Into<String>) -> Self {
        Self::Load {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn plugin(plugin: &str, text: impl Into<String>) -> Self {
        Self::Plugin {
            plugin: plugin.to_owned(),
            text: text.into(),
        }
    }

    pub(crate) fn gone(plugin: &str, text: impl Into<String>) -> Self {
        Self::Gone {
            plugin: plugin.to_owned(),
            text: text.into(),
        }
    }
}
