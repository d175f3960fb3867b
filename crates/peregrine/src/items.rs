//! Items of a source into the state.

use capture::Item;
use event::Record;
use state::State;

/// Takes what is no event into the state; gives the event otherwise.
#[inline]
pub(crate) fn absorb<'a>(state: &mut State, item: Item<'a>) -> Option<Record<'a>> {
    match item {
        Item::Event(record) => return Some(record),
        Item::Machine(machine) => state.load_machine(&machine),
        Item::Process(process) => state.load_process(&process),
        Item::Descriptor(descriptor) => state.load_descriptor(&descriptor),
        Item::Interfaces(interfaces) => state.load_interfaces(&interfaces),
        Item::Users(users) => state.load_users(&users),
        Item::Loaded => state.finish_load(),
        Item::Restart => state.reset(),
        _ => {}
    }
    None
}
