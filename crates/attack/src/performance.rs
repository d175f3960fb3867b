//! Cases on their stages: each place gets one stage, several cases run on it at once.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::case::{Case, Place};
use crate::script::{IDLE, Scripts};
use crate::stage::Stage;

/// So many cases of one stage run at once; most of their time they wait for each other's processes.
const AT_ONCE: usize = 3;

/// What the monitor is told apart by when the suite begins and ends: argv\[0\] of a program that does nothing.
pub const SENTINEL: &str = "peregrine-attack-sentinel";

/// Cases with their stages open.
pub struct Performance<'a> {
    cases: &'a [Case],
    scripts: Vec<Scripts>,
    stages: BTreeMap<Place, Stage>,
    containers: BTreeMap<Place, String>,
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
        let mut stages = BTreeMap::new();
        let mut containers = BTreeMap::new();
        for place in [Place::Host, Place::Container, Place::Privileged] {
            let on_it: Vec<Scripts> = cases
                .iter()
                .zip(&scripts)
                .filter(|(case, _)| case.place == place)
                .map(|(_, scripts)| scripts.clone())
                .collect();
            // The host's stage is needed anyway: the sentinels stand there.
            if place != Place::Host && on_it.is_empty() {
                continue;
            }
            let id = container_id(place);
            let stage = Stage::open(&on_it, id.as_deref())
                .with_context(|| format!("cannot open the stage {place:?}"))?;
            stages.insert(place, stage);
            containers.extend(id.map(|id| (place, id)));
        }
        Ok(Self {
            cases,
            scripts,
            stages,
            containers,
            sentinels: 0,
        })
    }

    /// The name of the container that a stage stands for.
    #[must_use]
    pub fn container(&self, place: Place) -> Option<&str> {
        self.containers.get(&place).map(String::as_str)
    }

    /// Starts the program that does nothing, and gives its token.
    ///
    /// # Errors
    /// The stage is gone.
    pub fn sentinel(&mut self) -> Result<String> {
        self.sentinels += 1;
        let token = format!("sentinel-{}", self.sentinels);
        let stage = self.stages.get_mut(&Place::Host).context("no stage")?;
        stage.perform(&token, IDLE, SENTINEL)?;
        Ok(token)
    }

    /// Performs all; true where everything that the case does could be done.
    ///
    /// # Errors
    /// A stage is gone.
    pub fn all(&mut self) -> Result<Vec<bool>> {
        let mut complete = vec![false; self.cases.len()];
        for (place, stage) in &mut self.stages {
            let mut waiting: VecDeque<usize> = (0..self.cases.len())
                .filter(|&index| self.cases[index].place == *place)
                .collect();
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
                    )?;
                    running += 1;
                }
                let done = stage.answer()?;
                let name = done.token.trim_start_matches("case-");
                if let Some(name) = name.strip_suffix("-given") {
                    stage.ask(&format!("case-{name}"), &format!("case-{name}"), "actor")?;
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

/// A name for the container that a stage stands for: new in each run, since monitors remember them.
fn container_id(place: Place) -> Option<String> {
    if place == Place::Host {
        return None;
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut state = now.as_nanos() as u64 ^ (u64::from(std::process::id()) << 40) ^ place as u64;
    let mut id = String::new();
    while id.len() < 64 {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        id.push_str(&format!("{:016x}", word ^ (word >> 31)));
    }
    Some(id)
}
