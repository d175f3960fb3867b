//! What is known of all containers, whoever said it, and the way from there into the event stream.
//!
//! A container is told of as `container` once; what becomes known later is `container_updated`, so
//! that a rule on new containers fires once for each.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use state::{Container, Family, Pending, Sighting};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::counters::{Tally, count};
use crate::error::Error;
use crate::kubernetes::Cluster;
use crate::mesos::Tasks;
use crate::message::Message;
use crate::settings::Settings;
use crate::sockets::Place;

/// Most containers that are remembered here.
const KNOWN_MAX: usize = 16_384;
/// Most bytes of messages that wait to be taken.
const WAITING_MAX: usize = 64 << 20;
/// After so long a container that nobody knew is asked for again.
const ATTEMPTS: [u64; 6] = [0, 30, 60, 120, 240, 480];
/// How long, and how often, somebody who knows more of a container is waited for, and after how many
/// milliseconds each he is asked again later.
const BETTER_TIME: Duration = Duration::from_millis(400);
const BETTER_PAUSE: Duration = Duration::from_millis(20);
const BETTER_LATER: [u64; 8] = [50, 100, 200, 400, 500, 1000, 2000, 4000];
/// Events of a container's end may still be on their way when its runtime forgets it.
const REMOVAL_DELAY: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Known {
    container: Container,
    rank: u8,
    place: Option<Place>,
}

impl Known {
    fn is_settled(&self) -> bool {
        self.container.pending == Pending::Nothing && self.rank > 0
    }
}

/// Shared by all tasks.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) settings: Settings,
    pub(crate) tally: Tally,
    out: Sender<Message>,
    pub(crate) waiting: AtomicUsize,
    known: Mutex<HashMap<Vec<u8>, Known>>,
    clients: Mutex<BTreeMap<Place, Client>>,
    pub(crate) cluster: Cluster,
    pub(crate) tasks: Tasks,
    /// Sockets whose containers have not been listed for the first time.
    pub(crate) unlisted: AtomicUsize,
    /// Sockets have been looked for.
    pub(crate) looked: AtomicBool,
    /// A container was seen that nobody has told of: its runtime may be new.
    pub(crate) stranger: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a task that panicked left is still a table.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a container is kept under: all of its id, or its name where it has nothing else.
fn key(container: &Container) -> Vec<u8> {
    if container.full_id.is_empty() {
        container.id.clone()
    } else {
        container.full_id.clone()
    }
}

impl Hub {
    pub(crate) fn new(settings: Settings, out: Sender<Message>) -> Self {
        Self {
            settings,
            tally: Tally::default(),
            out,
            waiting: AtomicUsize::new(0),
            known: Mutex::default(),
            clients: Mutex::default(),
            cluster: Cluster::default(),
            tasks: Tasks::default(),
            unlisted: AtomicUsize::new(0),
            looked: AtomicBool::new(false),
            stranger: Notify::new(),
        }
    }

    /// Hands a message on; false: nobody takes them fast enough.
    pub(crate) fn send(&self, message: Message) -> bool {
        let size = message.size();
        if self.waiting.load(Ordering::Relaxed) + size > WAITING_MAX {
            count(&self.tally.dropped);
            return false;
        }
        self.waiting.fetch_add(size, Ordering::Relaxed);
        if self.out.try_send(message).is_err() {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            count(&self.tally.dropped);
            return false;
        }
        true
    }

    pub(crate) fn add_client(&self, place: &Place, client: Client) {
        lock(&self.clients).insert(place.clone(), client);
    }

    pub(crate) fn remove_client(&self, place: &Place) {
        lock(&self.clients).remove(place);
    }

    pub(crate) fn has_client(&self, place: &Place) -> bool {
        lock(&self.clients).contains_key(place)
    }

    fn clients(&self) -> Vec<(Place, Client)> {
        let clients = lock(&self.clients);
        clients
            .iter()
            .map(|(place, client)| (place.clone(), client.clone()))
            .collect()
    }

    pub(crate) fn knows(&self, full_id: &[u8]) -> bool {
        lock(&self.known).contains_key(full_id)
    }

    /// The image of a container, by its short id.
    pub(crate) fn image_of(&self, id: &[u8]) -> Option<Vec<u8>> {
        let known = lock(&self.known);
        let one = known.values().find(|one| one.container.id == id)?;
        let names = [&one.container.image_id, &one.container.image];
        names.into_iter().find(|name| !name.is_empty()).cloned()
    }

    // ---- telling ----

    fn complete(&self, container: &mut Container) {
        self.cluster.complete(container);
        container.find_mesos();
        self.tasks.complete(container);
    }

    /// Tells of a container, if that is news. `hook`: as one that has just come to life.
    pub(crate) fn publish(
        &self,
        mut container: Container,
        rank: u8,
        place: Option<&Place>,
        hook: bool,
    ) {
        self.complete(&mut container);
        let key = key(&container);
        let mut known = lock(&self.known);
        if known.len() >= KNOWN_MAX && !known.contains_key(&key) && !self.make_room(&mut known) {
            count(&self.tally.dropped);
            return;
        }
        let name = match known.get(&key) {
            Some(old) if old.rank > rank => return,
            Some(old) if old.container == container && !hook => return,
            // Asked before it started, answered after.
            Some(old) if old.is_settled() && container.pending != Pending::Nothing => return,
            Some(_) if hook => "container",
            Some(_) => "container_updated",
            None => "container",
        };
        let message = Message::container(name, &container);
        if self.send(message) {
            let place = place.cloned();
            known.insert(
                key,
                Known {
                    container,
                    rank,
                    place,
                },
            );
        }
    }

    /// Forgets containers of sockets that are gone for good. False: there were none.
    fn make_room(&self, known: &mut HashMap<Vec<u8>, Known>) -> bool {
        let clients = lock(&self.clients);
        known.retain(|_, one| {
            let place = one.place.as_ref();
            place.is_none_or(|place| clients.contains_key(place))
        });
        known.len() < KNOWN_MAX
    }

    /// A container whose path says all that there is, or whose processes say more of it.
    pub(crate) fn own(&self, container: &Container) {
        self.publish(container.clone(), 0, None, false);
    }

    /// Nobody lives in a container any more. Where a runtime knows it, that one tells when it goes.
    pub(crate) fn ended(self: &Arc<Self>, full_id: &[u8]) {
        let is_own = {
            let known = lock(&self.known);
            known.get(full_id).is_some_and(|one| one.place.is_none())
        };
        if is_own {
            self.removed(&String::from_utf8_lossy(full_id));
        }
    }

    /// Asks about everything again that the API servers may know more of now.
    pub(crate) fn complete_all(&self) {
        let mut known = lock(&self.known);
        for one in known.values_mut() {
            let mut container = one.container.clone();
            self.complete(&mut container);
            if container != one.container
                && self.send(Message::container("container_updated", &container))
            {
                one.container = container;
            }
        }
    }

    /// A container has stopped. If it is started again it may have another address.
    pub(crate) fn stopped(&self, full_id: &str) {
        let mut known = lock(&self.known);
        let Some(one) = known.get_mut(full_id.as_bytes()) else {
            return;
        };
        if one.container.ip.is_empty() || one.container.host_network {
            return;
        }
        self.change(one, Pending::Address);
    }

    /// Of these no more will be said than is known.
    pub(crate) fn settle(&self, is_one: impl Fn(&Container) -> bool) {
        let mut known = lock(&self.known);
        for one in known.values_mut() {
            if one.container.pending != Pending::Nothing && is_one(&one.container) {
                self.change(one, Pending::Nothing);
            }
        }
    }

    /// The same of all containers of a socket.
    pub(crate) fn settle_place(&self, place: &Place) {
        let mut known = lock(&self.known);
        for one in known.values_mut() {
            if one.container.pending != Pending::Nothing && one.place.as_ref() == Some(place) {
                self.change(one, Pending::Nothing);
            }
        }
    }

    fn change(&self, one: &mut Known, pending: Pending) {
        let container = Container {
            pending,
            ..one.container.clone()
        };
        if self.send(Message::container("container_updated", &container)) {
            one.container = container;
        }
    }

    /// A container has gone.
    pub(crate) fn removed(self: &Arc<Self>, full_id: &str) {
        let Some(gone) = lock(&self.known).remove(full_id.as_bytes()) else {
            return;
        };
        let hub = Arc::clone(self);
        tokio::spawn(async move {
            sleep(REMOVAL_DELAY).await;
            // Names of containerd's can come back.
            if !hub.knows(&key(&gone.container)) {
                hub.send(Message::container("container_removed", &gone.container));
            }
        });
    }

    /// Containers of a socket that its runtime does not list any more.
    pub(crate) fn keep_only(self: &Arc<Self>, place: &Place, listed: &[String]) {
        let there: std::collections::HashSet<&[u8]> = listed.iter().map(String::as_bytes).collect();
        let gone: Vec<Vec<u8>> = lock(&self.known)
            .iter()
            .filter(|(id, one)| one.place.as_ref() == Some(place) && !there.contains(&id[..]))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.removed(&String::from_utf8_lossy(&id));
        }
    }

    // ---- asking ----

    /// Finds out about a container that was seen, or tells that nobody knows it.
    pub(crate) async fn look_up(self: Arc<Self>, sighting: Sighting) {
        let full_id = &sighting.identity.full_id;
        let asked_again = {
            let known = lock(&self.known);
            known
                .get(&**full_id)
                .map(|one| Message::container("container_updated", &one.container))
        };
        if let Some(message) = asked_again {
            self.send(message);
            return;
        }
        count(&self.tally.lookups);
        self.stranger.notify_one();
        let Ok(id) = std::str::from_utf8(full_id) else {
            self.unknown(&sighting);
            return;
        };
        let begin = Instant::now();
        let attempts = match sighting.identity.family {
            // Probably nobody's, and whoever made it waits for nothing.
            Family::Namespaced => &ATTEMPTS[..4],
            _ => &ATTEMPTS[..],
        };
        for &after in attempts {
            sleep(Duration::from_millis(after)).await;
            if self.knows(full_id) {
                return;
            }
            match self.ask_all(id).await {
                Some((container, rank, place)) => {
                    count(&self.tally.found);
                    self.publish_best(container, rank, &place, false).await;
                    return;
                }
                None if begin.elapsed() > self.settings.time_limit => break,
                None => {}
            }
        }
        if !self.knows(full_id) {
            self.unknown(&sighting);
        }
    }

    fn unknown(&self, sighting: &Sighting) {
        count(&self.tally.unknown);
        self.send(Message::Unknown {
            id: sighting.identity.id.to_vec(),
        });
    }

    /// The first good answer of all sockets, asked at once: one that hangs holds up nobody who
    /// answers.
    async fn ask_all(&self, id: &str) -> Option<(Container, u8, Place)> {
        let mut asked = JoinSet::new();
        for (place, client) in self.clients() {
            let id = id.to_owned();
            asked.spawn(async move {
                let answer = client.inspect(&id).await;
                (answer, client.rank(), place)
            });
        }
        while let Some(done) = asked.join_next().await {
            match done {
                Ok((Ok(container), rank, place)) => return Some((container, rank, place)),
                Ok((Err(error), ..)) => self.tally.fault(&error),
                Err(_) => {}
            }
        }
        None
    }

    /// Tells of a container what there is to be known. Of a pod's containers Kubernetes' side says
    /// more than containerd's own, but only once it has made them; their first processes begin when
    /// that is done. So it is waited for, for less than an alert waits.
    pub(crate) async fn publish_best(
        self: &Arc<Self>,
        container: Container,
        rank: u8,
        place: &Place,
        hook: bool,
    ) {
        let better = match rank == 1 && !container.pod_sandbox_id.is_empty() {
            true => self.better(),
            false => Vec::new(),
        };
        if better.is_empty() {
            self.publish(container, rank, Some(place), hook);
            return;
        }
        let id = String::from_utf8_lossy(&container.full_id).into_owned();
        let begin = Instant::now();
        while begin.elapsed() < BETTER_TIME {
            if self.refined(&better, &id, hook).await {
                return;
            }
            sleep(BETTER_PAUSE).await;
        }
        let partial = Container {
            pending: Pending::More,
            ..container
        };
        self.publish(partial, rank, Some(place), hook);
        let hub = Arc::clone(self);
        tokio::spawn(async move {
            for after in BETTER_LATER {
                sleep(Duration::from_millis(after)).await;
                if hub.refined(&better, &id, false).await {
                    return;
                }
            }
            hub.settle(|one| one.full_id == id.as_bytes());
        });
    }

    /// Sockets that know more of a pod's containers than containerd's own API.
    fn better(&self) -> Vec<(Place, Client)> {
        let mut clients = self.clients();
        clients.retain(|(_, client)| client.rank() == 2);
        clients
    }

    async fn refined(&self, better: &[(Place, Client)], id: &str, hook: bool) -> bool {
        for (place, client) in better {
            match client.inspect(id).await {
                Ok(container) => {
                    self.publish(container, client.rank(), Some(place), hook);
                    return true;
                }
                Err(Error::NotFound) => {}
                Err(error) => self.tally.fault(&error),
            }
        }
        false
    }
}
