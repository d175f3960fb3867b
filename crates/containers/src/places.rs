//! A task for each socket: list, follow the events, come back when the connection breaks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use state::{Container, Pending};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Client, Events};
use crate::counters::count;
use crate::docker::{Change, What};
use crate::error::Error;
use crate::hub::Hub;
use crate::sockets::{self, Place, Runtime};

/// Between two looks for sockets that have appeared, at least and at most.
const LOOK: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_secs(10);
/// First wait before another attempt.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Ways for events of a socket, and most events that wait in each.
const LANES: usize = 16;
const LANE_MAX: usize = 256;
/// A connection that held so long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// Starts a task for each socket that there is or will be.
pub(crate) async fn watch_all(hub: Arc<Hub>) {
    loop {
        let settings = hub.settings.clone();
        let looked = tokio::task::spawn_blocking(move || sockets::present(&settings)).await;
        for place in looked.unwrap_or_default() {
            if hub.has_client(&place) {
                continue;
            }
            hub.unlisted.fetch_add(1, Ordering::AcqRel);
            hub.add_client(&place, Client::new(&place, &hub.settings));
            tokio::spawn(watch(Arc::clone(&hub), place));
        }
        hub.looked.store(true, Ordering::Release);
        sleep(LOOK).await;
        // Until a container is seen there is nothing to ask a new runtime.
        let _ = timeout(QUIET - LOOK, hub.stranger.notified()).await;
    }
}

async fn watch(hub: Arc<Hub>, place: Place) {
    let client = Client::new(&place, &hub.settings);
    let mut first = true;
    let mut wait = FIRST_WAIT;
    loop {
        let begin = Instant::now();
        let ended = follow(&hub, &place, &client, &mut first).await;
        if let Err(error) = &ended {
            hub.tally.fault(error);
        }
        // Nobody tells now when a container starts.
        hub.settle_place(&place);
        listed(&hub, &mut first);
        if begin.elapsed() >= GOOD {
            wait = FIRST_WAIT;
        }
        // Who refuses the protocol does so for good: a containerd without Kubernetes' side.
        if matches!(ended, Err(Error::Refused { .. })) && place.runtime == Runtime::Cri {
            wait = hub.settings.retry;
        }
        sleep(wait).await;
        wait = (wait * 2).min(hub.settings.retry);
        if !place.path.exists() {
            hub.remove_client(&place);
            return;
        }
    }
}

fn listed(hub: &Hub, first: &mut bool) {
    if std::mem::take(first) {
        hub.unlisted.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Follows one connection to its end.
async fn follow(
    hub: &Arc<Hub>,
    place: &Place,
    client: &Client,
    first: &mut bool,
) -> Result<(), Error> {
    // The stream is opened before the list is asked for: what happens in between is in it.
    let mut events = client.events().await?;
    count(&hub.tally.connections);
    let ids = client.list().await?;
    hub.keep_only(place, &ids);
    for id in ids {
        if hub.knows(id.as_bytes()) && client.rank() == 1 {
            continue;
        }
        match client.inspect(&id).await {
            Ok(container) => hub.publish(container, client.rank(), Some(place), false),
            Err(Error::NotFound) => {}
            Err(error) => hub.tally.fault(&error),
        }
    }
    listed(hub, first);
    if matches!(events, Events::None) {
        return still_there(client).await;
    }
    let lanes = Lanes::new(hub, place, client);
    while let Some(change) = events.next().await? {
        count(&hub.tally.events);
        lanes.take(change).await;
    }
    Ok(())
}

/// Tasks that look at events side by side. A runtime may not answer about a container while it
/// starts it; those of the others are not to wait for that. All events of one container go the same
/// way, so they stay in order.
struct Lanes(Vec<mpsc::Sender<Change>>);

impl Lanes {
    fn new(hub: &Arc<Hub>, place: &Place, client: &Client) -> Self {
        let lane = |_| {
            let (sender, mut changes) = mpsc::channel(LANE_MAX);
            let (hub, place, client) = (Arc::clone(hub), place.clone(), client.clone());
            tokio::spawn(async move {
                while let Some(change) = changes.recv().await {
                    changed(&hub, &place, &client, change).await;
                }
            });
            sender
        };
        Self((0..LANES).map(lane).collect())
    }

    async fn take(&self, change: Change) {
        let sum = change.full_id.bytes().fold(0usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        // It ends with the lanes' owner, so there is somebody to take it.
        let _ = self.0[sum % LANES].send(change).await;
    }
}

/// Where there are no events, asking shows that the runtime is still the same.
async fn still_there(client: &Client) -> Result<(), Error> {
    loop {
        sleep(Duration::from_secs(30)).await;
        client.list().await?;
    }
}

async fn changed(hub: &Arc<Hub>, place: &Place, client: &Client, change: Change) {
    let hooks = hub.settings.hooks;
    let id = change.full_id.as_str();
    let hook = match change.what {
        What::Removed => return hub.removed(id),
        What::Ended => return hub.stopped(id),
        // Without this hook a container is told of when it starts.
        What::Created if !hooks.create => return,
        What::Started => hooks.start,
        // A process of it may have been seen before the runtime told of it.
        What::Created | What::Changed => false,
    };
    let container = match client.inspect(id).await {
        // It has what it will have, even if it has ended meanwhile.
        Ok(container) if change.what == What::Started => settled(container),
        Ok(container) => container,
        Err(error) => {
            hub.tally.fault(&error);
            if hub.knows(id.as_bytes()) || change.what == What::Changed {
                if change.what == What::Started {
                    hub.settle(|one| one.full_id == id.as_bytes());
                }
                return;
            }
            match change.what {
                What::Created => Container {
                    pending: Pending::More,
                    ..change.reduced
                },
                _ => change.reduced,
            }
        }
    };
    hub.publish_best(container, client.rank(), place, hook)
        .await;
}

fn settled(container: Container) -> Container {
    Container {
        pending: Pending::Nothing,
        ..container
    }
}
