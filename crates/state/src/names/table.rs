//! Which names an address goes by, for each container by itself.
//!
//! What one container was told says nothing of another's connections: each has a table of its own, and
//! the host has one. A table has two halves: what is learnt goes into the younger; when that is full the
//! older one is dropped and the younger takes its place. So what was learnt last stays, nothing has to be
//! sorted, and a container that is told of endless addresses forgets its own only. Over all containers
//! there is a limit too, at which the largest table drops its older half.
//!
//! A name holds for the time that its answer gave, at least [`TTL_MIN`] and at most [`TTL_MAX`], and
//! [`GRACE`] beyond it: programs keep addresses longer than they should.

use std::net::IpAddr;
use std::rc::Rc;

use hashbrown::HashMap;

const SECOND: u64 = 1_000_000_000;
/// Shortest and longest time for which a name is believed, before the grace.
pub(crate) const TTL_MIN: u32 = 60;
pub(crate) const TTL_MAX: u32 = 86_400;
/// What is added to it.
pub(crate) const GRACE: u64 = 600 * SECOND;
/// Most addresses in one half of a container's table.
const HALF_MAX: usize = 4096;
/// Most addresses of all containers.
const ADDRESSES_MAX: usize = 65_536;
/// Most containers with a table.
const CONTAINERS_MAX: usize = 1024;
/// Most names of one address.
const NAMES_MAX: usize = 16;

#[derive(Clone, Debug)]
struct Known {
    name: Rc<[u8]>,
    /// Time of events at which it is not believed any more.
    until: u64,
}

type Half = HashMap<IpAddr, Vec<Known>>;

/// What one container was told.
#[derive(Clone, Debug, Default)]
struct Told {
    young: Half,
    old: Half,
    /// Time of the last answer.
    heard: u64,
}

impl Told {
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Drops the older half. Says how many names go that were still good.
    fn turn(&mut self, now: u64) -> u64 {
        let gone = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        let names = gone.values().flatten();
        names.filter(|known| known.until > now).count() as u64
    }
}

/// The tables of all containers; the empty id is the host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    containers: HashMap<Box<[u8]>, Told>,
    addresses: usize,
    /// Names that were dropped although they were still good.
    pub(crate) evicted: u64,
}

impl Table {
    /// Takes in that these names lead to these addresses, for `ttl` seconds from `now`, nanoseconds.
    pub(crate) fn learn(
        &mut self,
        container: &[u8],
        addresses: &[IpAddr],
        names: &[&[u8]],
        ttl: u32,
        now: u64,
    ) {
        let holds = u64::from(ttl.clamp(TTL_MIN, TTL_MAX)) * SECOND + GRACE;
        let until = now.saturating_add(holds);
        let names: Vec<Rc<[u8]>> = names.iter().map(|name| Rc::from(*name)).collect();
        if !self.containers.contains_key(container) {
            self.make_room(now);
            self.containers.insert(container.into(), Told::default());
        }
        for &ip in addresses {
            if self.addresses >= ADDRESSES_MAX {
                self.shrink(now);
            }
            let Some(told) = self.containers.get_mut(container) else {
                return;
            };
            told.heard = now;
            let before = told.len();
            if told.young.len() >= HALF_MAX && !told.young.contains_key(&ip) {
                self.evicted += told.turn(now);
            }
            let mut known = match told.young.remove(&ip) {
                Some(known) => known,
                None => told.old.remove(&ip).unwrap_or_default(),
            };
            known.retain(|one| one.until > now && !names.contains(&one.name));
            let fresh = names.iter().map(|name| Known {
                name: Rc::clone(name),
                until,
            });
            known.splice(0..0, fresh);
            if known.len() > NAMES_MAX {
                self.evicted += (known.len() - NAMES_MAX) as u64;
                known.truncate(NAMES_MAX);
            }
            told.young.insert(ip, known);
            self.addresses = self.addresses + told.len() - before;
        }
    }

    /// Names of an address as a container knows it, the latest first.
    pub(crate) fn names(&self, container: &[u8], ip: IpAddr, now: u64) -> Option<Box<[Rc<[u8]>]>> {
        let told = self.containers.get(container)?;
        let known = told.young.get(&ip).or_else(|| told.old.get(&ip))?;
        let good = known.iter().filter(|one| one.until > now);
        let names: Vec<Rc<[u8]>> = good.map(|one| Rc::clone(&one.name)).collect();
        (!names.is_empty()).then(|| names.into())
    }

    /// Everything, by container and address, with the time up to which each name is believed.
    #[allow(clippy::type_complexity, reason = "it is taken apart at once")]
    pub(crate) fn all(&self) -> Vec<(&[u8], Vec<(IpAddr, Vec<(&[u8], u64)>)>)> {
        let mut all: Vec<_> = self
            .containers
            .iter()
            .map(|(container, told)| {
                let halves = told.old.iter().chain(&told.young);
                let mut addresses: Vec<_> = halves
                    .map(|(ip, known)| {
                        let names = known.iter().map(|one| (&*one.name, one.until));
                        (*ip, names.collect::<Vec<_>>())
                    })
                    .collect();
                addresses.sort_unstable();
                (&**container, addresses)
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// Takes back in what [`Self::all`] gave.
    pub(crate) fn restore(&mut self, container: &[u8], ip: IpAddr, names: &[(&str, u64)]) {
        for (name, until) in names.iter().rev() {
            self.learn(container, &[ip], &[name.as_bytes()], 0, 0);
            let told = self.containers.get_mut(container);
            let known = told.and_then(|told| told.young.get_mut(&ip));
            if let Some(first) = known.and_then(|known| known.first_mut()) {
                first.until = *until;
            }
        }
    }

    /// A container has gone.
    pub(crate) fn forget(&mut self, container: &[u8]) {
        if let Some(gone) = self.containers.remove(container) {
            self.addresses -= gone.len();
        }
    }

    /// Addresses with names.
    pub(crate) fn len(&self) -> usize {
        self.addresses
    }

    /// Forgets the container that has heard nothing for longest, where there are too many.
    fn make_room(&mut self, now: u64) {
        if self.containers.len() < CONTAINERS_MAX {
            return;
        }
        let oldest = self.containers.iter().min_by_key(|(_, told)| told.heard);
        if let Some(id) = oldest.map(|(id, _)| id.clone())
            && let Some(mut gone) = self.containers.remove(&id)
        {
            self.addresses -= gone.len();
            self.evicted += gone.turn(now) + gone.turn(now);
        }
    }

    /// Has the largest table drop its older half; both, where there is no older one.
    fn shrink(&mut self, now: u64) {
        let largest = self.containers.values_mut().max_by_key(|told| told.len());
        if let Some(told) = largest {
            let before = told.len();
            let has_old = !told.old.is_empty();
            self.evicted += told.turn(now);
            if !has_old {
                self.evicted += told.turn(now);
            }
            self.addresses -= before - told.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    fn names(table: &Table, container: &str, n: u32, now: u64) -> Vec<String> {
        let found = table.names(container.as_bytes(), ip(n), now);
        let found = found.iter().flat_map(|names| names.iter());
        found
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    #[test]
    fn names_hold_for_their_time() {
        let mut table = Table::default();
        table.learn(b"", &[ip(1)], &[b"a", b"b"], 100, 0);
        table.learn(b"", &[ip(1)], &[b"c"], 1, 50 * SECOND);
        let minute = u64::from(TTL_MIN) * SECOND;
        assert_eq!(names(&table, "", 1, 60 * SECOND), ["c", "a", "b"]);
        assert_eq!(names(&table, "", 1, 100 * SECOND + GRACE), ["c"]);
        assert!(names(&table, "", 1, 50 * SECOND + minute + GRACE).is_empty());
        assert!(names(&table, "other", 1, 0).is_empty());
        table.learn(b"", &[ip(1)], &[b"b"], 100, 70 * SECOND);
        assert_eq!(names(&table, "", 1, 71 * SECOND), ["b", "c", "a"]);
        assert_eq!(table.evicted, 0);
    }

    #[test]
    fn who_is_told_too_much_forgets_its_own() {
        let mut table = Table::default();
        table.learn(b"quiet", &[ip(1)], &[b"kept"], 100, 0);
        for n in 0..200_000 {
            table.learn(b"loud", &[ip(n)], &[b"x"], 100, 1);
            assert!(table.len() <= 2 * HALF_MAX + 1);
        }
        assert_eq!(names(&table, "quiet", 1, 2), ["kept"]);
        assert_eq!(names(&table, "loud", 199_999, 2), ["x"]);
        assert!(names(&table, "loud", 5, 2).is_empty());
        assert!(table.evicted > 190_000);
        let sum: usize = table.containers.values().map(Told::len).sum();
        assert_eq!(sum, table.len());
    }

    #[test]
    fn all_together_are_bounded() {
        let mut table = Table::default();
        for container in 0..2 * CONTAINERS_MAX as u32 {
            let id = container.to_string();
            let many = if container % 100 == 0 { 9000 } else { 100 };
            for n in 0..many {
                table.learn(id.as_bytes(), &[ip(n)], &[b"x"], 1, u64::from(container));
            }
        }
        assert!(table.len() <= ADDRESSES_MAX && table.containers.len() <= CONTAINERS_MAX);
        let sum: usize = table.containers.values().map(Told::len).sum();
        assert_eq!(sum, table.len());
        for n in 0..100u32 {
            let name = n.to_string();
            table.learn(b"one", &[ip(0)], &[name.as_bytes()], 1, 0);
        }
        assert_eq!(names(&table, "one", 0, 1).len(), NAMES_MAX);
        assert_eq!(names(&table, "one", 0, 1)[0], "99");
        table.forget(b"one");
        assert!(names(&table, "one", 0, 1).is_empty());
    }
}
