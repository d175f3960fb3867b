//! The interface list and the user list: small, read whole.
//!
//! In the second version each entry begins with its length. An interface's does not count itself,
//! a user's does; so it is in the files, and so it stays.

use event::snapshot::{Group, Interface, User, UserList};

use crate::blocks::Entries;
use crate::cursor::{Cursor, Fault, Order};
use crate::read::descriptor::address;

/// Longest list in bytes: a directory of half a million users, and a bound on what a hostile file
/// makes the reader hold.
pub(crate) const MAX_LIST: u64 = 32 << 20;
/// Longest name of an interface.
pub(crate) const MAX_INTERFACE_NAME: u64 = 1023;
/// Longest text of a user or group.
pub(crate) const MAX_USER_TEXT: u64 = 255;

/// Entries end where fewer bytes than this remain: those are padding.
pub(crate) const LEAST_ENTRY: usize = 4;

pub(crate) fn interfaces(
    body: &[u8],
    order: Order,
    entries: Entries,
) -> Result<Vec<Interface>, Fault> {
    let mut list = Vec::new();
    let mut c = Cursor::new(body, order);
    while c.left() >= LEAST_ENTRY {
        match entries {
            Entries::Plain => list.push(interface(&mut c)?),
            Entries::Sized => {
                let length = c.u32("length of an interface")? as usize;
                let mut entry = Cursor::new(c.take("interface", length)?, order);
                list.push(
                    interface(&mut entry)
                        .map_err(|f| small(f, "length of an interface", length))?,
                );
            }
        }
    }
    Ok(list)
}

fn interface(c: &mut Cursor<'_>) -> Result<Interface, Fault> {
    let kind = c.u16("interface type")?;
    if !(1..=4).contains(&kind) {
        let (what, choices) = ("interface type", "a number from 1 to 4");
        return Err(Fault::Choice {
            what,
            choices,
            found: kind.into(),
        });
    }
    let name_len = c.u16("length of an interface's name")?;
    if u64::from(name_len) > MAX_INTERFACE_NAME {
        let what = "length of an interface's name";
        return Err(Fault::Limit {
            what,
            limit: MAX_INTERFACE_NAME,
            found: name_len.into(),
        });
    }
    let v4 = kind % 2 == 1;
    let address_ = address(c, v4)?;
    let netmask = address(c, v4)?;
    let broadcast = address(c, v4)?;
    let link_speed = if kind <= 2 {
        Some(c.u64("link speed")?)
    } else {
        None
    };
    let name = c.take("interface's name", name_len.into())?.to_vec();
    Ok(Interface {
        name,
        address: address_,
        netmask,
        broadcast,
        link_speed,
    })
}

pub(crate) fn users(body: &[u8], order: Order, entries: Entries) -> Result<UserList, Fault> {
    let mut list = UserList::default();
    let mut c = Cursor::new(body, order);
    while c.left() >= LEAST_ENTRY {
        match entries {
            Entries::Plain => user(&mut c, &mut list)?,
            Entries::Sized => {
                const WHAT: &str = "length of a user";
                let length = c.u32(WHAT)? as usize;
                let Some(rest) = length.checked_sub(4) else {
                    return Err(Fault::Small {
                        what: WHAT,
                        least: 4,
                        found: length as u64,
                    });
                };
                let mut entry = Cursor::new(c.take("user", rest)?, order);
                user(&mut entry, &mut list).map_err(|f| small(f, WHAT, length))?;
            }
        }
    }
    Ok(list)
}

fn user(c: &mut Cursor<'_>, list: &mut UserList) -> Result<(), Fault> {
    const TEXT: &str = "length of a user's text";
    if c.u8("user type")? == 0 {
        let uid = c.u32("uid")?;
        let gid = c.u32("gid")?;
        let name = c.text(TEXT, MAX_USER_TEXT)?.to_vec();
        let home = c.text(TEXT, MAX_USER_TEXT)?.to_vec();
        let shell = c.text(TEXT, MAX_USER_TEXT)?.to_vec();
        list.users.push(User {
            uid,
            gid,
            name,
            home,
            shell,
        });
    } else {
        let gid = c.u32("gid")?;
        let name = c.text(TEXT, MAX_USER_TEXT)?.to_vec();
        list.groups.push(Group { gid, name });
    }
    Ok(())
}

/// Inside an entry of known length, too few bytes mean that the length is wrong, not the file's end.
fn small(fault: Fault, what: &'static str, length: usize) -> Fault {
    match fault {
        Fault::Short {
            expected, found, ..
        } => {
            let least = length as u64 + expected.saturating_sub(found);
            Fault::Small {
                what,
                least,
                found: length as u64,
            }
        }
        other => other,
    }
}
