//! Every field of every event type over bytes that a stranger made up: nothing panics, nothing takes for ever.

use bumpalo::Bump;
use event::snapshot::Process;
use event::{EVENTS, EventCode, Record, RecordBuilder, RecordFlags};
use fields::catalogue::ROWS;
use fields::{Catalogue, Environment, EventView, render};
use filter::{FieldDef, FieldSource, Purpose, Schema};
use state::{Options, State};

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        // Extremes and text are more telling than noise.
        match self.roll() % 6 {
            0 => vec![0; length],
            1 => vec![0xff; length],
            2 => b"../a/./\n\x1b\xff\0"
                .iter()
                .copied()
                .cycle()
                .take(length)
                .collect(),
            _ => (0..length).map(|_| self.roll() as u8).collect(),
        }
    }
}

fn all_fields() -> Vec<FieldDef> {
    let catalogue = Catalogue::new([]).with_removed();
    let mut fields = Vec::new();
    for row in &ROWS {
        for suffix in [
            "", "[0]", "[1]", "[99]", "[x]", ".res", ".src", ".dst", ".open", ".data",
        ] {
            fields.extend(catalogue.resolve(&format!("{}{suffix}", row.name)));
        }
    }
    fields
}

#[test]
fn every_field_of_every_event() {
    let fields = all_fields();
    assert!(fields.len() > 350);
    let mut dice = Dice(7);
    let mut state = State::new(Options::default());
    for tid in 0..8 {
        // 4 and 5 are each other's parents.
        let ptid = match tid {
            4 => 5,
            5 => 4,
            other => other - 1,
        };
        state.load_process(&Process {
            tid,
            pid: tid,
            ptid,
            comm: b"x",
            cwd: b"/",
            ..Process::default()
        });
    }
    state.finish_load();
    let env = Environment::default();
    let mut scratch = Bump::new();
    for round in 0..4 {
        for info in &EVENTS {
            let mut builder = RecordBuilder::new(
                EventCode::new(info.code),
                dice.roll(),
                dice.roll() as i64 % 10,
            );
            for param in info.params {
                let width = match param.ty.width() {
                    Some(width) if round > 0 || !dice.roll().is_multiple_of(8) => width,
                    _ => dice.roll() as usize % 64,
                };
                let absent = dice.roll().is_multiple_of(10);
                builder.push(&dice.bytes(if absent { 0 } else { width }));
            }
            let bytes = builder.finish();
            let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
            let context = state.process(&record);
            let view = EventView::new(&record, &state, &context, &env);
            for field in &fields {
                for purpose in [Purpose::Compare, Purpose::Text, Purpose::Json] {
                    let _ = view.extract(&field.field, purpose, &scratch);
                }
            }
            let mut out = render::Out::new_in(&scratch);
            render::args(&view, &mut out);
            drop(out);
            scratch.reset();
        }
    }
}
