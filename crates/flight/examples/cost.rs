//! What the ring costs the event path: the events of a capture into a ring in memory, or, without `ring`, into
//! nothing. Under callgrind the difference is what an event costs.
//!
//! ```sh
//! valgrind --tool=callgrind --separate-threads=yes cost CAPTURE [ring]
//! ```

use std::fs::File;

use capture::{Compression, Item, Reader, Writer};
use flight::{Options, Recorder};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("cost CAPTURE [ring]")?;
    let mut recorder = Recorder::start(&Options::default())?;
    if args.next().is_some() {
        let standing = Writer::new(Vec::new(), Compression::None)?.finish()?;
        recorder.begin(0, standing, Vec::new());
    }
    let mut reader = Reader::new(File::open(path)?)?;
    let mut events = 0_u64;
    while let Some(item) = reader.next()? {
        if let Item::Event(record) = item {
            events += 1;
            recorder.event(&record, record.flags);
        }
    }
    let (counts, _) = recorder.finish();
    println!(
        "{events} events, {} in the ring: {} bytes, {} compressed",
        counts.events, counts.unpacked, counts.packed
    );
    Ok(())
}
