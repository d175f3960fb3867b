//! Bits and values by name.

use event::info::Flag;

use super::Out;

/// Names of the bits in `value`, joined with `|`; nothing where no name fits.
///
/// Entries are tried in the table's order. An entry counts if all its bits are still unnamed;
/// its bits are then named. The entry with value 0 counts for the number 0 only. An entry that is the whole
/// number ends the search.
pub fn bits(table: &[Flag], value: u32, out: &mut Out<'_>) {
    let start = out.len();
    let mut rest = value;
    for flag in table {
        let fits = if flag.value == 0 {
            value == 0
        } else {
            rest & flag.value == flag.value
        };
        // Once everything is named, only the number 0 itself has something left to say.
        if !fits || (rest == 0 && value != 0) {
            continue;
        }
        join(start, flag.name, out);
        rest &= !flag.value;
        if flag.value == value {
            break;
        }
    }
}

/// Names of all entries that equal `value`, joined with `|`.
pub fn values(table: &[Flag], value: u32, out: &mut Out<'_>) {
    let start = out.len();
    for flag in table.iter().filter(|f| f.value == value) {
        join(start, flag.name, out);
    }
}

fn join(start: usize, name: &str, out: &mut Out<'_>) {
    if out.len() > start {
        out.push(b'|');
    }
    out.extend_from_slice(name.as_bytes());
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;
    use event::flags;

    use super::*;

    fn text(write: fn(&[Flag], u32, &mut Out<'_>), table: &[Flag], value: u32) -> String {
        let bump = Bump::new();
        let mut out = Out::new_in(&bump);
        write(table, value, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn names() {
        assert_eq!(text(bits, &flags::FILE_FLAGS, 4097), "O_RDONLY|O_CLOEXEC");
        assert_eq!(text(bits, &flags::FILE_FLAGS, 0), "O_NONE");
        assert_eq!(text(bits, &flags::FILE_FLAGS, 39), "O_EXCL|O_CREAT|O_RDWR");
        assert_eq!(
            text(values, &flags::SOCKET_FAMILIES, 16),
            "AF_ROUTE|AF_NETLINK"
        );
        assert_eq!(text(values, &flags::SOCKET_FAMILIES, 9999), "");
    }
}
