//! Which runtimes answer right now: for people who ask why something is missing.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::Client;
use crate::error::Error;
use crate::settings::Settings;
use crate::sockets::{self, Runtime};

/// A socket that exists.
#[derive(Debug)]
pub struct Surveyed {
    /// Who is expected behind it.
    pub runtime: Runtime,
    /// Where it is.
    pub path: PathBuf,
    /// Number of its containers, or why it does not tell.
    pub containers: Result<usize, Error>,
}

/// Asks all sockets that exist for their containers, at most for `time`.
///
/// # Errors
/// When nothing can be asked at all.
pub fn survey(settings: &Settings, time: Duration) -> io::Result<Vec<Surveyed>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let mut found = runtime.block_on(async {
        let mut asked = JoinSet::new();
        for place in sockets::present(settings) {
            let client = Client::new(&place, settings);
            asked.spawn(async move {
                let answer = timeout(time, client.list()).await;
                Surveyed {
                    runtime: place.runtime,
                    path: place.path,
                    containers: answer.unwrap_or(Err(Error::TimedOut)).map(|ids| ids.len()),
                }
            });
        }
        asked.join_all().await
    });
    found.sort_by(|a, b| (a.runtime, &a.path).cmp(&(b.runtime, &b.path)));
    Ok(found)
}
