//! Events per second of each stage: `stages CAPTURE [RULES...]`. CPU time, not wall time, so that a busy
//! machine distorts less; instruction counts (`valgrind --tool=callgrind`) do not vary at all.

#![forbid(unsafe_code)]

use std::error::Error;

use capture::{Item, Reader};
use engine::{Engine, Matching};
use event::Record;
use fields::{Catalogue, Environment, EventView};
use rules::{Loader, Options, RuleSet};
use state::State;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let capture = std::fs::read(arguments.next().ok_or("usage: stages CAPTURE [RULES...]")?)?;
    let files: Vec<String> = arguments.collect();
    let catalogue = Catalogue::new([]);

    let start = seconds();
    let mut loader = Loader::new(&[("syscall", &catalogue)], Options::new());
    for file in &files {
        let loaded = loader.load(file, &std::fs::read(file)?);
        if !loaded.successful() {
            return Err(loaded.text(loader.sources(), false).into());
        }
    }
    let mut rules = loader.finish();
    let mut engine = compile(&mut rules, &catalogue)?;
    if std::env::var_os("PLANS").is_some() {
        println!("{}", engine.describe_plans(&rules));
    }
    println!(
        "{} rules in {:.1} ms",
        rules.rules.len(),
        (seconds() - start) * 1e3
    );

    report("read", || {
        let mut reader = Reader::new(capture.as_slice())?;
        let mut events = 0;
        loop {
            if reader.next_event().is_some() {
                events += 1;
                continue;
            }
            let Some(item) = reader.next()? else { break };
            events += u64::from(matches!(item, Item::Event(_)));
        }
        Ok(events)
    })?;
    report("read, state", || replay(&capture, None))?;
    if !files.is_empty() {
        report("read, state, rules", || replay(&capture, Some(&mut engine)))?;
        println!("{} matches", engine.counts().iter().sum::<u64>());
    }
    Ok(())
}

fn compile(rules: &mut RuleSet, catalogue: &Catalogue) -> Result<Engine, engine::Error> {
    let order = rules.select(&[]);
    Engine::new(rules, &order, catalogue, "syscall", Matching::First)
}

fn report(
    stage: &str,
    mut work: impl FnMut() -> Result<u64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut best = f64::MAX;
    let mut events = 0;
    for _ in 0..std::env::var("ROUNDS").map_or(Ok(3), |n| n.parse())? {
        let start = seconds();
        events = work()?;
        best = best.min(seconds() - start);
    }
    let each = best * 1e9 / events as f64;
    println!(
        "{stage:<20} {events} events {each:7.1} ns each {:6.2} M/s",
        1e3 / each
    );
    Ok(())
}

/// Callgrind counts what happens in here (`benches/instructions`).
#[inline(never)]
fn replay(capture: &[u8], mut engine: Option<&mut Engine>) -> Result<u64, Box<dyn Error>> {
    let mut reader = Reader::new(capture)?;
    let mut state = State::new(state::Options::default());
    let mut env = Environment::default();
    let mut events = 0;
    loop {
        let ready = reader.next_event();
        let Some(record) = &ready else {
            match reader.next()? {
                None => break,
                Some(Item::Machine(machine)) => state.load_machine(&machine),
                Some(Item::Process(process)) => state.load_process(&process),
                Some(Item::Descriptor(descriptor)) => state.load_descriptor(&descriptor),
                Some(Item::Interfaces(interfaces)) => state.load_interfaces(&interfaces),
                Some(Item::Users(users)) => state.load_users(&users),
                Some(Item::Loaded) => state.finish_load(),
                Some(Item::Restart) => state.reset(),
                Some(Item::Event(record)) => {
                    events += 1;
                    look(&record, &mut state, &mut env, engine.as_deref_mut());
                }
                Some(_) => {}
            }
            continue;
        };
        events += 1;
        look(record, &mut state, &mut env, engine.as_deref_mut());
    }
    Ok(events)
}

/// State and rules take an event in.
#[inline(always)]
fn look(
    record: &Record<'_>,
    state: &mut State,
    env: &mut Environment,
    engine: Option<&mut Engine>,
) {
    env.see(record);
    let context = state.process(record);
    let Some(engine) = engine else { return };
    let ruled_out = |engine: &mut Engine| {
        fields::keep(state, &context).is_some_and(|keep| engine.rules_out(record.code, keep))
    };
    if context.visible && engine.concerns(record.code) && !ruled_out(engine) {
        let view = EventView::new(record, state, &context, env);
        engine.on_event(record.code, &view);
        if engine.may_advance() {
            engine.advance(record.ts, &view);
        }
    }
}

/// CPU seconds of this thread so far; Linux counts them in nanoseconds.
fn seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|ns| ns.parse::<f64>().ok())
        .unwrap_or_default()
        / 1e9
}
