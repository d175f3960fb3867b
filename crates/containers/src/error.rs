//! Why a question had no answer.

use std::io;

/// What went wrong with one question.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The socket cannot be reached.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The connection broke, or what came was not the protocol.
    #[error("the connection broke: {0}")]
    Protocol(String),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is longer than anybody needs.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// The answer is not what was asked for.
    #[error("the answer makes no sense: {0}")]
    Malformed(String),
    /// There is no such thing.
    #[error("not found")]
    NotFound,
    /// The other side says no.
    #[error("refused with {code}: {message}")]
    Refused {
        /// Status of HTTP or gRPC.
        code: u32,
        /// What it says, cut.
        message: String,
    },
    /// A file that is needed cannot be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Text of a stranger's for a message: short, and one line.
pub(crate) fn cut(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}
