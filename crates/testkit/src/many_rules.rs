//! Rule sets of any size: distinct rules that look as people's do, the same for the same number.
//!
//! Forty of a hundred are about programs that start, thirty-five about files that are read,
//! twenty-five about connections. Each has constants of its own, so that no two share a check by
//! chance; every fifth uses a macro that others use too. On ordinary activity they are false, but
//! for one of two hundred.

use std::fmt::Write;

const STEMS: [&str; 24] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty",
    "knoll", "ledge", "marsh", "niche", "orbit", "perch", "quay", "ridge", "shoal", "thorn",
    "upland", "vault", "weir", "yard",
];
const FOLDERS: [&str; 8] = [
    "/etc",
    "/opt",
    "/srv",
    "/var/lib",
    "/usr/share",
    "/home",
    "/data",
    "/var/www",
];
const HEAD: &str = "\
- macro: started
  condition: (evt.type in (execve, execveat) and evt.failed = false)

- macro: read_file
  condition: (evt.type in (open, openat, openat2) and evt.is_open_read = true and fd.num >= 0)

- macro: connected
  condition: (evt.type = connect and fd.typechar in (4, 6))

- macro: by_service
  condition: (proc.pname in (systemd, runit, s6-supervise) or proc.aname[2] = cron)

- macro: in_build
  condition: (proc.aname in (make, ninja, cargo) and proc.tty = 0)
";

struct Maker {
    seed: u64,
    words: u64,
}

impl Maker {
    fn roll(&mut self, below: usize) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }

    /// A word that is used once.
    fn word(&mut self) -> String {
        self.words += 1;
        let (a, b) = (self.roll(STEMS.len()), self.roll(STEMS.len()));
        format!("{}{}{}", STEMS[a], &STEMS[b][..2], self.words)
    }

    fn words(&mut self, fewest: usize, more: usize) -> String {
        let count = fewest + self.roll(more);
        let all: Vec<String> = (0..count).map(|_| self.word()).collect();
        all.join(", ")
    }

    fn path(&mut self) -> String {
        let folder = FOLDERS[self.roll(FOLDERS.len())];
        let parts: String = (0..1 + self.roll(3))
            .map(|_| format!("/{}", self.word()))
            .collect();
        format!("{folder}{parts}")
    }

    fn address(&mut self) -> String {
        self.words += 1;
        let n = self.words;
        format!("172.{}.{}.{}", 16 + (n >> 16 & 15), n >> 8 & 255, n & 255)
    }

    fn program(&mut self) -> String {
        match self.roll(5) {
            0 => format!("proc.name in ({})", self.words(3, 9)),
            1 => format!(
                "proc.pname in ({}) and not proc.name in ({})",
                self.words(2, 5),
                self.words(3, 6)
            ),
            2 => format!(
                "proc.name in ({}) and proc.cmdline contains \"{} --{}\"",
                self.words(2, 5),
                self.word(),
                self.word()
            ),
            3 => format!(
                "(proc.name = {} or proc.exepath startswith {}/) and not proc.aname in ({})",
                self.word(),
                self.path(),
                self.words(2, 3)
            ),
            _ => format!(
                "proc.name in ({}) and (proc.args endswith {} or proc.exe endswith /{}) and not proc.pname = {}",
                self.words(2, 4),
                self.word(),
                self.word(),
                self.word()
            ),
        }
    }

    fn file(&mut self) -> String {
        match self.roll(4) {
            0 => format!("fd.name in ({}, {})", self.path(), self.path()),
            1 => format!(
                "fd.name startswith {}/ and not proc.name in ({})",
                self.path(),
                self.words(2, 6)
            ),
            2 => format!(
                "fd.directory = {} and fd.filename endswith .{}",
                self.path(),
                self.word()
            ),
            _ => format!(
                "fd.name pmatch ({}, {}) and not proc.pname in ({})",
                self.path(),
                self.path(),
                self.words(1, 4)
            ),
        }
    }

    fn connection(&mut self) -> String {
        match self.roll(3) {
            0 => format!("fd.sip in ({}, {})", self.address(), self.address()),
            1 => format!(
                "fd.sip = {} and fd.sport = {} and not proc.name = {}",
                self.address(),
                1024 + self.roll(60_000),
                self.word()
            ),
            _ => format!(
                "proc.name in ({}) and fd.sport in ({}, {})",
                self.words(2, 4),
                1024 + self.roll(60_000),
                1024 + self.roll(60_000)
            ),
        }
    }
}

/// A rule file of `count` rules.
#[must_use]
pub fn many_rules(count: usize) -> String {
    let mut maker = Maker {
        seed: 0x9e37_79b9_7f4a_7c15,
        words: 0,
    };
    let mut out = HEAD.to_owned();
    for number in 0..count {
        let (what, condition) = match number * 37 % 100 {
            0..40 => ("started", maker.program()),
            40..75 => ("read_file", maker.file()),
            _ => ("connected", maker.connection()),
        };
        let shared = match maker.roll(10) {
            0 => " and not by_service",
            1 => " and not in_build",
            _ => "",
        };
        let also = if number % 200 == 7 {
            " or (evt.type = execve and proc.name = cron)"
        } else {
            ""
        };
        let _ = write!(
            out,
            "\n- rule: Number {number}\n  desc: One of many.\n  condition: ({what} and {condition}{shared}){also}\n  \
             output: \"number {number} (command=%proc.cmdline file=%fd.name)\"\n  priority: NOTICE\n",
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::many_rules;

    #[test]
    fn distinct_and_the_same_each_time() {
        let rules = many_rules(300);
        assert_eq!(rules, many_rules(300));
        let mut conditions: Vec<&str> = rules
            .lines()
            .filter(|line| line.starts_with("  condition: ("))
            .collect();
        let all = conditions.len();
        conditions.sort_unstable();
        conditions.dedup();
        assert_eq!((all, conditions.len()), (305, 305));
    }
}
