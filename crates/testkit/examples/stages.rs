//! Events per second of each stage over a capture: `stages FILE [RULES...]`.
use capture::{Item, Reader};
use std::time::Instant;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("file")?;
    let data = std::fs::read(&file)?;
    for round in 0..1 {
        let t = Instant::now();
        let mut n = 0u64;
        let mut sum = 0u64;
        let mut reader = Reader::new(data.as_slice())?;
        while let Some(item) = reader.next()? {
            if let Item::Event(r) = item {
                n += 1;
                sum ^= r.ts;
            }
        }
        let d = t.elapsed().as_secs_f64();
        println!(
            "{round} read        {n} {:.2} M/s {:.1} ns {sum:x}",
            n as f64 / d / 1e6,
            d * 1e9 / n as f64
        );
        let t = Instant::now();
        let mut reader = Reader::new(data.as_slice())?;
        let mut state = state::State::new(state::Options::default());
        let mut n = 0u64;
        while let Some(item) = reader.next()? {
            match item {
                Item::Machine(m) => state.load_machine(&m),
                Item::Process(p) => state.load_process(&p),
                Item::Descriptor(d) => state.load_descriptor(&d),
                Item::Interfaces(i) => state.load_interfaces(&i),
                Item::Users(u) => state.load_users(&u),
                Item::Loaded => state.finish_load(),
                Item::Restart => state.reset(),
                Item::Event(r) => {
                    let c = state.process(&r);
                    n += u64::from(c.visible);
                }
                _ => {}
            }
        }
        let d = t.elapsed().as_secs_f64();
        println!(
            "{round} read+state  {n} {:.2} M/s {:.1} ns threads {}",
            n as f64 / d / 1e6,
            d * 1e9 / n as f64,
            state.thread_count()
        );
    }
    Ok(())
}
