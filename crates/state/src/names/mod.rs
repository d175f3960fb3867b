//! Names for addresses: what processes asked name servers, and were told, names their connections.
//!
//! Nobody is asked from here. Messages are read from the data that sockets carried to and from port 53;
//! what is believed of them, and for how long, is in [`conversation`] and [`table`]. A connection has the
//! names that its far end's address had when it was made: what is learnt later names later ones.
//!
//! All of it is off until something asks for such names ([`State::name_addresses`]): then an event costs
//! one look at a flag.

mod conversation;
mod message;
mod standing;
mod table;

use std::net::IpAddr;
use std::rc::Rc;

use event::sock::{Endpoint, SockTuple};
use event::{EventFlags, Record};

use crate::addresses::{unmap, unmap_both};
use crate::context::Context;
use crate::descriptor::{Descriptor, L4Proto, SocketName};
use crate::state::State;
use crate::thread::ThreadIx;
use conversation::{Conversations, Socket};
use message::Message;
pub use standing::NAMES_EVENT;
use table::Table;

/// Where name servers listen.
pub const NAME_PORT: u16 = 53;

/// All that is known of names.
#[derive(Debug, Default)]
pub(crate) struct NameBook {
    table: Table,
    conversations: Conversations,
}

/// An address with its names.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// The address.
    pub address: IpAddr,
    /// Its names, the latest first.
    pub names: Box<[Rc<[u8]>]>,
}

/// Both ends of a connected socket, that with the port of name servers first. Which side connected is
/// not asked: who binds a socket before it connects looks like a server.
fn ends(d: &Descriptor) -> Option<[Endpoint; 2]> {
    match d.socket {
        SocketName::Tuple { source, dest } if dest.port == NAME_PORT => Some([dest, source]),
        SocketName::Tuple { source, dest } => Some([source, dest]),
        _ => None,
    }
}

/// The data of an event that carries some to or from a name server, and how long they were.
fn payload<'r>(record: &'r Record<'_>) -> Option<(&'r [u8], usize)> {
    let length = usize::try_from(record.result()?).ok()?;
    let at = record.info.param_index("data")?;
    let data = record.param(at);
    Some((&data[..data.len().min(length)], length))
}

/// The far end of an event's socket: as the event itself says, which matters for sockets that speak with
/// several, or as the descriptor has it.
fn server(record: &Record<'_>, d: &Descriptor) -> Option<Endpoint> {
    let told = record.info.param_index("tuple");
    let reads = record.info.flags.contains(EventFlags::READS_FROM_FD);
    if let Some(SockTuple::Inet { source, dest }) =
        told.and_then(|at| SockTuple::parse(record.param(at)))
    {
        return Some(unmap(if reads { source } else { dest }));
    }
    ends(d).map(|ends| ends[0])
}

/// The name that a message to or from a name server asks for (`dns.query`).
///
/// Over TCP only where the message begins with the data: pieces are for [`State`] to put together.
#[must_use]
pub fn name_asked(record: &Record<'_>, descriptor: &Descriptor) -> Option<Vec<u8>> {
    if !descriptor.kind.is_ip() || server(record, descriptor)?.port != NAME_PORT {
        return None;
    }
    let (data, _) = payload(record)?;
    let data = match descriptor.l4 {
        L4Proto::Tcp => data.get(2..)?,
        _ => data,
    };
    Message::parse(data).map(|message| message.question.name)
}

impl State {
    /// From now on addresses get names, or no more.
    pub fn name_addresses(&mut self, on: bool) {
        if on != self.names.is_some() {
            self.names = on.then(Box::default);
        }
    }

    /// Whether addresses get names.
    #[must_use]
    pub fn names_addresses(&self) -> bool {
        self.names.is_some()
    }

    /// Names of an address as a container knows it at a time; the empty id is the host.
    #[must_use]
    pub fn names_of(&self, container: &[u8], ip: IpAddr, time: u64) -> Option<Box<[Rc<[u8]>]>> {
        self.names.as_ref()?.table.names(container, ip, time)
    }

    /// Addresses that have names now.
    #[must_use]
    pub fn named_addresses(&self) -> usize {
        self.names.as_ref().map_or(0, |book| book.table.len())
    }

    /// Data went over a socket: perhaps a question for a name, or its answer.
    #[inline(never)]
    pub(crate) fn hear_names(&mut self, cx: &Context, ix: ThreadIx, r: &Record<'_>) {
        let Some(heard) = self.message_of(cx, ix, r) else {
            return;
        };
        let Some(owner) = self.owner_of_descriptors(ix) else {
            return;
        };
        let container = self.thread(ix).cgroups.clone();
        let socket = Socket {
            pid: self.thread(owner).tid,
            ..heard.socket
        };
        let Some(book) = self.names.as_deref_mut() else {
            return;
        };
        let is_sent = r.info.flags.contains(EventFlags::WRITES_TO_FD);
        let conversation = match is_sent {
            true => Some(book.conversations.of(socket)),
            // Who never asked is not told anything.
            false => book.conversations.known(socket),
        };
        let Some(conversation) = conversation else {
            self.counters.names_unasked += 1;
            return;
        };
        let messages = match heard.is_stream {
            true => conversation.take(is_sent, heard.data, heard.length),
            false => vec![heard.data.to_vec()],
        };
        for bytes in &messages {
            let Some(message) = Message::parse(bytes) else {
                continue;
            };
            let (id, question) = (message.id, message.question.clone());
            match (is_sent, message.is_answer) {
                (true, false) => conversation.ask(id, question, heard.server, r.ts),
                (false, true) if conversation.answers(id, &question, heard.server, r.ts) => {
                    let is_cut = message.is_cut || bytes.len() < heard.length;
                    self.counters.names_cut += u64::from(message.is_cut && is_cut);
                    let (addresses, names, ttl) = message.addresses();
                    if !addresses.is_empty() {
                        self.counters.names_learnt += 1;
                        let container = container.container_id();
                        book.table.learn(container, &addresses, &names, ttl, r.ts);
                        self.counters.names_evicted = book.table.evicted;
                    }
                }
                (false, true) => self.counters.names_unasked += 1,
                _ => {}
            }
        }
    }

    /// What an event carries, if it goes to or comes from a name server.
    fn message_of<'r>(&self, cx: &Context, ix: ThreadIx, r: &'r Record<'_>) -> Option<Heard<'r>> {
        let d = self.descriptor(ix, cx.fd?)?;
        if !d.kind.is_ip() {
            return None;
        }
        let server = server(r, d)?;
        if server.port != NAME_PORT {
            return None;
        }
        let (data, length) = payload(r)?;
        Some(Heard {
            socket: Socket {
                pid: 0,
                fd: cx.fd?,
                port: ends(d).map_or(0, |ends| ends[1].port),
            },
            server,
            is_stream: d.l4 == L4Proto::Tcp,
            data,
            length,
        })
    }

    /// Gives a socket the names that its far end has now; `tuple` holds both ends, the far one last
    /// unless the event `reads`.
    pub(crate) fn name_far_end(
        &mut self,
        ix: ThreadIx,
        fd: i64,
        tuple: &[u8],
        reads: bool,
        time: u64,
    ) {
        let Some(SockTuple::Inet { source, dest }) = SockTuple::parse(tuple) else {
            return;
        };
        let (source, dest) = unmap_both(source, dest);
        let address = if reads { source.ip } else { dest.ip };
        let container = self.thread(ix).cgroups.clone();
        let names = self.names_of(container.container_id(), address, time);
        let old = self.descriptor(ix, fd).and_then(|d| d.named.as_ref());
        if old.is_none() && names.is_none() {
            return;
        }
        let named = names.map(|names| Rc::new(Named { address, names }));
        if let Some(d) = self.descriptor_mut(ix, fd) {
            d.named = named;
        }
    }

    /// A container has gone, and with it what it was told.
    pub(crate) fn forget_names(&mut self, container: &[u8]) {
        if let Some(book) = self.names.as_deref_mut() {
            book.table.forget(container);
        }
    }
}

/// Data between a socket and a name server.
struct Heard<'r> {
    socket: Socket,
    server: Endpoint,
    is_stream: bool,
    data: &'r [u8],
    /// Bytes that went, of which `data` are the first.
    length: usize,
}

impl Descriptor {
    /// The far end's address with the names that it had when the connection was made; `None` without
    /// names.
    #[must_use]
    pub fn named(&self) -> Option<&Named> {
        self.named.as_deref()
    }
}

#[cfg(test)]
mod tests;
