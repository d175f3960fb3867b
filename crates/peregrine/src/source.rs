//! Where events come from: a capture file, or the running machine ([`crate::watch`]).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, Result, bail};
use capture::{Counted, Item, Reader};
use event::Record;
use live::LookupMeter;
use probe::LossMeter;
use state::{Lookup, NoLookup, ProgramQuestion, Sighting};

use crate::pipeline::images::Told;
use crate::progress::Progress;
use crate::watch::Wanted;

/// What comes next.
pub(crate) enum Next<'a> {
    /// Something happened, or stood when the source began.
    Item(Item<'a>),
    /// Nothing came for a while; an event would have this time now. A capture is never idle.
    Idle(u64),
    /// Nothing will come any more.
    End,
}

/// Yields the items of a machine's life in order.
pub(crate) trait Source {
    /// Whether it is the running machine.
    const LIVE: bool;

    /// The next item.
    ///
    /// # Errors
    /// When the source broke; what came before was good.
    fn next(&mut self) -> Result<Next<'_>>;

    /// The next item, if that is an event and at hand; otherwise [`Source::next`] says what comes. The
    /// ordinary way of what has nothing else to hand on: an event that goes through an [`Item`] is
    /// copied on its way.
    #[inline]
    fn event(&mut self) -> Option<Record<'_>> {
        None
    }

    /// Time of an event that would happen now; `None` for what has happened long ago.
    fn now(&self) -> Option<u64>;

    /// Who answers for threads and descriptors that the state does not know.
    fn lookup(&self) -> Box<dyn Lookup> {
        Box::new(NoLookup)
    }

    /// Containers were seen that nobody has been asked about yet. Without a body of its own: a source
    /// around another one that forgot to hand this on would leave every container without a name.
    fn sighted(&mut self, containers: Vec<Sighting>);

    /// Programs' files were asked about. Without a body of its own for the same reason.
    fn asked(&mut self, programs: Vec<ProgramQuestion>);

    /// Counts what the source loses, where it can.
    fn losses(&self) -> Option<LossMeter> {
        None
    }

    /// Counts what it asked the machine besides, where it can.
    fn lookups(&self) -> Option<LookupMeter> {
        None
    }

    /// Counts what runtimes were asked and how they answered, where any are asked.
    fn asking(&self) -> Option<containers::Meter> {
        None
    }

    /// Yields what these rules want from now on, as far as it can.
    fn want(&mut self, _wanted: &Wanted) {}

    /// Why nothing more may come although it has not ended. To be asked now and then.
    fn trouble(&mut self) -> Option<String> {
        None
    }

    /// Hears what is known of images.
    fn told(&mut self, _images: &[Told]) {}

    /// Shows how far it came.
    fn progress(&mut self) {}

    /// The program was asked to end: nothing new is taken. True: what was taken already still comes, and then the end.
    fn stop(&mut self) -> bool {
        false
    }

    /// Nothing more will be asked of it.
    fn finish(&mut self) {}
}

/// An opened capture.
pub(crate) struct CaptureFile {
    /// Its reader.
    pub(crate) reader: Reader<Counted<Box<dyn Read>>>,
    name: String,
    progress: Progress,
}

impl Source for CaptureFile {
    const LIVE: bool = false;

    #[inline]
    fn next(&mut self) -> Result<Next<'_>> {
        match self.reader.next() {
            Ok(Some(item)) => Ok(Next::Item(item)),
            Ok(None) => Ok(Next::End),
            Err(error) => Err(broken(&self.name, error)),
        }
    }

    #[inline(always)]
    fn event(&mut self) -> Option<Record<'_>> {
        self.reader.next_event()
    }

    /// What has happened has no time now.
    fn now(&self) -> Option<u64> {
        None
    }

    /// Nobody can be asked any more.
    fn sighted(&mut self, _containers: Vec<Sighting>) {}

    /// What it recorded is all that can be known.
    fn asked(&mut self, _programs: Vec<ProgramQuestion>) {}

    fn progress(&mut self) {
        self.progress.update();
    }

    fn finish(&mut self) {
        self.progress.finish();
    }
}

#[cold]
fn broken(name: &str, error: capture::Error) -> anyhow::Error {
    anyhow::Error::from(error).context(format!("the capture {name} is broken"))
}

/// Opens a capture; `-` is standard input. `raw`: events as recorded.
///
/// # Errors
/// When the file cannot be opened or is no capture; the message names the file and a way out.
pub(crate) fn open(path: &str, raw: bool) -> Result<CaptureFile> {
    let (input, size): (Box<dyn Read>, _) = if path == "-" {
        (Box::new(io::stdin().lock()), None)
    } else {
        if Path::new(path).is_dir() {
            bail!("{path} is a directory; name a capture file in it");
        }
        let file =
            File::open(path).with_context(|| format!("cannot open the capture file {path}"))?;
        let size = file
            .metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|m| m.len());
        (Box::new(file), size)
    };
    let position = Arc::new(AtomicU64::new(0));
    let input = Counted::new(input, &position);
    let reader = if raw {
        Reader::raw(input)
    } else {
        Reader::new(input)
    };
    let reader = reader.with_context(|| format!("cannot read {path} as a capture"))?;
    Ok(CaptureFile {
        reader,
        name: path.to_owned(),
        progress: Progress::new(size, &position),
    })
}
