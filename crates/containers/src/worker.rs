//! The thread that asks, and the two queues that lead to it and back.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use state::Sighting;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::accounts::{self, Wanted};
use crate::counters::{Counters, Meter, count};
use crate::hub::Hub;
use crate::message::Message;
use crate::settings::Settings;
use crate::{kubernetes, mesos, places};

/// Most questions that wait.
const QUESTIONS_MAX: usize = 4096;
/// Most messages that wait to be taken.
const MESSAGES_MAX: usize = 8192;
/// Most containers that are asked about at one time.
const AT_ONCE: usize = 64;
/// Most containers whose accounts wait to be read.
const ACCOUNTS_MAX: usize = 1024;

/// Asks runtimes and orchestrators about containers. Dropping it ends the asking.
#[derive(Debug)]
pub struct Containers {
    hub: Arc<Hub>,
    questions: mpsc::Sender<Sighting>,
    wanted: Sender<Wanted>,
    messages: Receiver<Message>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Containers {
    /// Starts asking.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let (out, messages) = bounded(MESSAGES_MAX);
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let (wanted, accounts) = bounded(ACCOUNTS_MAX);
        let (stop, stopped) = oneshot::channel();
        let hub = Arc::new(Hub::new(settings, out));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(2)
            .build()?;
        let work = Arc::clone(&hub);
        let thread = std::thread::Builder::new()
            .name("containers".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(work, asked) => {}
                        _ = stopped => {}
                    }
                });
                // A look at a directory that hangs must not hold up the end.
                runtime.shutdown_background();
            })?;
        if hub.settings.accounts {
            let read = Arc::clone(&hub);
            // It ends with the process: a read that hangs cannot be called back.
            std::thread::Builder::new()
                .name("accounts".to_owned())
                .spawn(move || accounts::work(&read, &accounts))?;
        }
        Ok(Self {
            hub,
            questions,
            wanted,
            messages,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Asks about a container; never waits. What comes of it is a [`Message`].
    pub fn look_up(&self, sighting: Sighting) {
        if sighting.runs {
            let id = sighting.identity.id.to_vec();
            let wanted = Wanted {
                id: id.clone(),
                pid: sighting.pid,
                since: Instant::now(),
            };
            if !self.hub.settings.accounts || self.wanted.try_send(wanted).is_err() {
                count(&self.hub.tally.dropped);
                self.hub.send(Message::Accounts { id, gone: false });
            }
            return;
        }
        let is_known = sighting.is_known;
        if is_known && sighting.own.is_none() {
            return;
        }
        let id = sighting.identity.id.to_vec();
        if self.questions.try_send(sighting).is_err() {
            count(&self.hub.tally.dropped);
            if !is_known {
                self.hub.send(Message::Unknown { id });
            }
        }
    }

    /// What has become known, if anything; never waits.
    #[must_use]
    pub fn poll(&self) -> Option<Message> {
        self.messages
            .try_recv()
            .ok()
            .inspect(|message| self.taken(message))
    }

    /// What becomes known within `time`.
    #[must_use]
    pub fn wait(&self, time: Duration) -> Option<Message> {
        let message = self.messages.recv_timeout(time).ok();
        message.inspect(|message| self.taken(message))
    }

    fn taken(&self, message: &Message) {
        self.hub
            .waiting
            .fetch_sub(message.size(), Ordering::Relaxed);
    }

    /// Waits until all sockets have told which containers there are, at most for `time`.
    pub fn settle(&self, time: Duration) -> bool {
        self.settle_while(time, || {})
    }

    /// The same for who has something to do `meanwhile`, every few milliseconds.
    pub fn settle_while(&self, time: Duration, mut meanwhile: impl FnMut()) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < time {
            let looked = self.hub.looked.load(Ordering::Acquire);
            if looked && self.hub.unlisted.load(Ordering::Acquire) == 0 {
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
            meanwhile();
        }
        false
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.hub.tally.read()
    }

    /// The same for whoever shows numbers.
    #[must_use]
    pub fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.hub))
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(hub: Arc<Hub>, mut asked: mpsc::Receiver<Sighting>) {
    tokio::spawn(places::watch_all(Arc::clone(&hub)));
    if let Some(settings) = hub.settings.kubernetes.clone() {
        tokio::spawn(kubernetes::watch(Arc::clone(&hub), settings));
    }
    if let Some(settings) = hub.settings.mesos.clone() {
        tokio::spawn(mesos::watch(Arc::clone(&hub), settings));
    }
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(sighting) = asked.recv().await {
        if sighting.ended {
            hub.ended(&sighting.identity.full_id);
            continue;
        }
        if let Some(own) = &sighting.own {
            hub.own(own);
        }
        if sighting.is_known {
            continue;
        }
        let Ok(permit) = Arc::clone(&at_once).acquire_owned().await else {
            return;
        };
        let hub = Arc::clone(&hub);
        tokio::spawn(async move {
            hub.look_up(sighting).await;
            drop(permit);
        });
    }
    std::future::pending::<()>().await;
}
