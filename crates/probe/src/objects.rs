//! The programs in the kernel: their maps first, then the programs themselves, on several threads.
//!
//! The kernel's verifier goes through one program at a time for each caller, up to 40 ms for the
//! longest, and that is most of a start. So the object is opened once for its maps, and once more
//! for each thread, which loads a share of the programs over the same maps. Some programs can come later
//! ([`Objects::load_later`]), so that others need not wait for them. What is left in the end
//! are links and tables, which hold the programs: libbpf's own copies of them, some megabytes, go.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use libbpf_rs::{MapCore as _, Object, ObjectBuilder, OpenObject, ProgramMut};

use crate::{Error, precedence, reduced};

/// More threads than that gain nothing: the longest program decides.
const MOST_THREADS: usize = 4;

/// Maps and programs that were loaded.
pub(crate) struct Objects {
    maps: Object,
    shares: Vec<Object>,
    /// Which share has a program.
    places: BTreeMap<String, usize>,
    /// What the shares are made of.
    bytes: &'static [u8],
    types: Option<File>,
    threads: usize,
    sizes: Vec<(usize, String)>,
}

/// Opens an object file with none of its programs wanted.
pub(crate) fn open(bytes: &[u8]) -> Result<OpenObject, Error> {
    open_with(bytes, None)
}

/// The same, with these types of the kernel's in place of all.
fn open_with(bytes: &[u8], types: Option<&File>) -> Result<OpenObject, Error> {
    let mut builder = ObjectBuilder::default();
    if let Some(types) = types {
        builder
            .btf_custom_path(reduced::path(types))
            .map_err(|e| Error::load("name the types", e))?;
    }
    let mut open = builder
        .open_memory(bytes)
        .map_err(|e| Error::load("open the programs", e))?;
    for mut program in open.progs_mut() {
        program.set_autoload(false);
    }
    Ok(open)
}

impl Objects {
    /// Makes the maps of `maps`, which [`open`] gave for the same bytes, and loads these programs; those that
    /// sit on a function of the kernel's for the one that is named here.
    pub(crate) fn load(
        bytes: &'static [u8],
        maps: OpenObject,
        wanted: &BTreeSet<String>,
        functions: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let sizes = maps
            .progs()
            .map(|p| (p.insn_cnt(), p.name().to_string_lossy().into_owned()))
            .collect();
        let types = reduced::of_kernel(&maps);
        let maps = maps.load().map_err(|e| Error::load("make the maps", e))?;
        let mut objects = Self {
            maps,
            shares: Vec::new(),
            places: BTreeMap::new(),
            bytes,
            types,
            threads: threads.min(MOST_THREADS),
            sizes,
        };
        objects.load_later(wanted, functions)?;
        Ok(objects)
    }

    /// Loads further programs over the same maps.
    pub(crate) fn load_later(
        &mut self,
        wanted: &BTreeSet<String>,
        functions: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let places = shares(&self.sizes, wanted, self.threads, self.shares.len());
        let last = places.values().max().map_or(0, |last| last + 1);
        // Threads begin with the ordinary niceness; nothing is seen before they are done.
        let preferred = precedence::niceness().is_ok_and(|niceness| niceness < 0);
        let loaded = std::thread::scope(|scope| {
            let loads: Vec<_> = (self.shares.len()..last)
                .map(|share| {
                    let (objects, places) = (&*self, &places);
                    scope.spawn(move || {
                        if preferred {
                            let _ = precedence::take_precedence();
                        }
                        objects.load_share(places, share, functions)
                    })
                })
                .collect();
            let join = loads
                .into_iter()
                .map(|load| load.join().expect("it does not panic"));
            join.collect::<Result<Vec<_>, _>>()
        })?;
        self.shares.extend(loaded);
        self.places.extend(places);
        Ok(())
    }

    fn load_share(
        &self,
        places: &BTreeMap<String, usize>,
        share: usize,
        functions: &BTreeMap<String, String>,
    ) -> Result<Object, Error> {
        let mut open = open_with(self.bytes, self.types.as_ref())?;
        // The same file has its maps in the same order.
        for (mut map, made) in open.maps_mut().zip(self.maps.maps()) {
            map.reuse_fd(made.as_fd())
                .map_err(|e| Error::load("share the maps", e))?;
        }
        for mut program in open.progs_mut() {
            let name = program.name().to_string_lossy().into_owned();
            let is_ours = places.get(&name) == Some(&share);
            program.set_autoload(is_ours);
            if let Some(function) = functions.get(&name).filter(|_| is_ours) {
                program
                    .set_attach_target(0, Some(function.clone()))
                    .map_err(|e| Error::load(format!("find {function}"), e))?;
            }
        }
        open.load().map_err(|e| Error::load("load the programs", e))
    }

    /// The map of this name.
    pub(crate) fn map(&self, name: &str) -> Result<libbpf_rs::Map<'_>, Error> {
        let found = self.maps.maps().find(|map| map.name() == OsStr::new(name));
        found.ok_or_else(|| {
            Error::Options(format!(
                "the programs lack their map {name}: they were built wrongly"
            ))
        })
    }

    /// A descriptor of that map that outlives this.
    pub(crate) fn map_fd(&self, name: &str) -> Result<OwnedFd, Error> {
        let copied = self.map(name)?.as_fd().try_clone_to_owned();
        copied.map_err(|refusal| Error::System {
            action: "duplicate a descriptor".into(),
            refusal,
        })
    }

    /// The program of this name, which must be among those loaded.
    pub(crate) fn program(&self, name: &str) -> Result<ProgramMut<'_>, Error> {
        let share = self.places.get(name).and_then(|at| self.shares.get(*at));
        share
            .and_then(|object| object.progs_mut().find(|p| p.name() == OsStr::new(name)))
            .ok_or_else(|| {
                Error::Options(format!("the programs lack {name}: they were built wrongly"))
            })
    }
}

/// Which thread loads which program, so that all have about the same number of instructions. Shares are
/// counted from `first` on.
fn shares(
    sizes: &[(usize, String)],
    wanted: &BTreeSet<String>,
    threads: usize,
    first: usize,
) -> BTreeMap<String, usize> {
    let mut sizes: Vec<&(usize, String)> = sizes
        .iter()
        .filter(|(_, name)| wanted.contains(name))
        .collect();
    sizes.sort_by(|a, b| b.cmp(a));
    let mut sums = vec![0; threads.max(1)];
    let mut places = BTreeMap::new();
    for (size, name) in sizes {
        let least = (0..sums.len()).min_by_key(|&at| sums[at]).unwrap_or(0);
        sums[least] += size;
        places.insert(name.clone(), first + least);
    }
    places
}
