//! A body that somebody posts: refused, or every field of every event in it can be asked for. The same bytes as lines.

#![no_main]

use audit::{Body, Catalogue, Limits, Session, Splitter, View};
use bumpalo::Bump;
use filter::{FieldSource, Purpose, Schema};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(body) = Body::parse(bytes, &limits) {
        let catalogue = Catalogue::new();
        let scratch = Bump::new();
        for event in body.events() {
            let again = Body::of_event(event.node.json(), event.time, &limits).expect("its own text is JSON");
            assert_eq!(again.len(), 1);
            let view = View::new(event.node, event.time);
            for name in catalogue.names() {
                for text in [name.to_owned(), format!("{name}[0]"), format!("{name}[a*]")] {
                    let Ok(def) = catalogue.resolve(&text) else { continue };
                    let _ = view.extract(&def.field, Purpose::Text, &scratch);
                    if let Some(text) = catalogue.as_text(&def) {
                        let _ = view.extract(&text.field, Purpose::Compare, &scratch);
                    }
                }
            }
            let _ = Session::of(event.node, event.time);
        }
    }
    let mut splitter = Splitter::new(1 << 12);
    for chunk in bytes.chunks(5) {
        splitter.push(chunk);
        while splitter.next_piece().is_some() {}
    }
    while splitter.finish().is_some() {}
});
