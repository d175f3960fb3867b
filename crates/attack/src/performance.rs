//! Cases on their stages, several on each at once. Each place has one; containers of which something is known share one, on
//! which every case enters its own container's control group.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::case::{Case, Place};
use crate::runtime::{Description, Known};
use crate::script::{IDLE, Scripts};
use crate::stage::Stage;

/// So many cases of one stage run at once; most of their time they wait for each other's processes.
const AT_ONCE: usize = 3;

/// What the monitor is told apart by when the suite begins and ends: argv\[0\] of a program that does nothing.
pub const SENTINEL: &str = "peregrine-attack-sentinel";

/// Which stage a case is performed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Host,
    Container,
    Privileged,
    Described,
}

fn kind(place: &Place) -> Kind {
    match place {
        Place::Host => Kind::Host,
        Place::Container => Kind::Container,
        Place::Privileged => Kind::Privileged,
        Place::Described(_) => Kind::Described,
    }
}

/// Which of the containers that share a stage a case is performed in.
fn group(containers: &[Known], place: &Place) -> Option<usize> {
    match place {
        Place::Described(about) => containers.iter().position(|(_, known)| known == about),
        _ => None,
    }
}

/// Cases with their stages open.
pub struct Performance<'a> {
    cases: &'a [Case],
    scripts: Vec<Scripts>,
    stages: BTreeMap<Kind, Stage>,
    containers: Vec<Known>,
    sentinels: usize,
}

/// The token of the case at that index.
#[must_use]
pub fn token(index: usize) -> String {
    format!("case-{index:04}")
}

impl<'a> Performance<'a> {
    /// Opens what the cases need.
    ///
    /// # Errors
    /// See [`Stage::open`].
    pub fn open(cases: &'a [Case]) -> Result<Self> {
        let scripts: Vec<Scripts> = cases
            .iter()
            .enumerate()
            .map(|(index, case)| Scripts::of(case, &token(index)))
            .collect();
        let mut containers: Vec<Known> = Vec::new();
        for case in cases {
            if let Place::Described(about) = &case.place
                && !containers.iter().any(|(_, known)| known == about)
            {
                containers.push((container_id(containers.len()), about.clone()));
            }
        }
        let described: Vec<String> = containers.iter().map(|(id, _)| id.clone()).collect();
        let mut stages = BTreeMap::new();
        for wanted in [
            Kind::Host,
            Kind::Container,
            Kind::Privileged,
            Kind::Described,
        ] {
            let on_it: Vec<Scripts> = cases
                .iter()
                .zip(&scripts)
                .filter(|(case, _)| kind(&case.place) == wanted)
                .map(|(_, scripts)| scripts.clone())
                .collect();
            // The host's stage is needed anyway: the sentinels stand there.
            if wanted != Kind::Host && on_it.is_empty() {
                continue;
            }
            let stage = match wanted {
                Kind::Host => Stage::open(&on_it, None, &[]),
                Kind::Described => Stage::open(&on_it, None, &described),
                Kind::Container => Stage::open(&on_it, Some(&container_id(1000)), &[]),
                Kind::Privileged => {
                    let id = container_id(1001);
                    containers.push((id.clone(), Description::privileged()));
                    Stage::open(&on_it, Some(&id), &[])
                }
            };
            let stage = stage.with_context(|| format!("cannot open the stage {wanted:?}"))?;
            stages.insert(wanted, stage);
        }
        Ok(Self {
            cases,
            scripts,
            stages,
            containers,
            sentinels: 0,
        })
    }

    /// What a container runtime would know.
    #[must_use]
    pub fn containers(&self) -> &[Known] {
        &self.containers
    }

    /// Starts the program that does nothing, and gives its token.
    ///
    /// # Errors
    /// The stage is gone.
    pub fn sentinel(&mut self) -> Result<String> {
        self.sentinels += 1;
        let token = format!("sentinel-{}", self.sentinels);
        let stage = self.stages.get_mut(&Kind::Host).context("no stage")?;
        stage.perform(&token, IDLE, SENTINEL)?;
        Ok(token)
    }

    /// Performs one, from its beginning to its end; true where everything that it does could be done.
    ///
    /// # Errors
    /// A stage is gone.
    pub fn one(&mut self, index: usize) -> Result<bool> {
        let place = &self.cases[index].place;
        let group = group(&self.containers, place);
        let stage = self.stages.get_mut(&kind(place)).context("no stage")?;
        let token = token(index);
        let given = format!("{token}-given");
        if self.scripts[index]
            .texts
            .iter()
            .any(|(name, _)| *name == given)
        {
            stage.ask(&given, &given, "actor", group)?;
            stage.answer()?;
        }
        stage.ask(&token, &token, "actor", group)?;
        Ok(stage.answer()?.complete)
    }

    /// Performs all; true where everything that the case does could be done.
    ///
    /// # Errors
    /// A stage is gone.
    pub fn all(&mut self) -> Result<Vec<bool>> {
        let mut complete = vec![false; self.cases.len()];
        for (wanted, stage) in &mut self.stages {
            let mut waiting: VecDeque<usize> = (0..self.cases.len())
                .filter(|&index| kind(&self.cases[index].place) == *wanted)
                .collect();
            let group = |index: usize| group(&self.containers, &self.cases[index].place);
            let mut running = 0;
            while running > 0 || !waiting.is_empty() {
                while running < AT_ONCE
                    && let Some(index) = waiting.pop_front()
                {
                    let token = token(index);
                    let given = format!("{token}-given");
                    let prepare = self.scripts[index]
                        .texts
                        .iter()
                        .any(|(name, _)| *name == given);
                    stage.ask(
                        if prepare { &given } else { &token },
                        if prepare { &given } else { &token },
                        "actor",
                        group(index),
                    )?;
                    running += 1;
                }
                let done = stage.answer()?;
                let name = done.token.trim_start_matches("case-");
                if let Some(name) = name.strip_suffix("-given") {
                    let token = format!("case-{name}");
                    stage.ask(&token, &token, "actor", name.parse().ok().and_then(group))?;
                    continue;
                }
                running -= 1;
                if let Ok(index) = name.parse::<usize>() {
                    complete[index] = done.complete;
                }
            }
        }
        Ok(complete)
    }
}

/// A name for a container that a stage stands for: new in each run, since monitors remember them.
fn container_id(number: usize) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut state =
        now.as_nanos() as u64 ^ (u64::from(std::process::id()) << 40) ^ (number as u64 + 1) << 20;
    let mut id = String::new();
    while id.len() < 64 {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        id.push_str(&format!("{:016x}", word ^ (word >> 31)));
    }
    id
}
