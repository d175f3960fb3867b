//! What is done when no events come for long: `syscall_event_timeouts`.
//!
//! A machine on which nothing at all happens for a minute and more is rare: more likely nothing
//! reaches us.

use outputs::{Formatter, Internal, Outputs};
use rules::Priority;

use crate::log;

const RULE: &str = "Falco internal: timeouts notification";

/// Counts looks that found nothing.
#[derive(Debug)]
pub(crate) struct Silence {
    most: u32,
    looks: u32,
}

impl Silence {
    /// Becomes an alert after `most` looks in a row.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, looks: 0 }
    }

    /// A look found nothing. True: that was one too many, and counting begins anew.
    pub(crate) fn lasts(&mut self) -> bool {
        self.looks += 1;
        let too_long = self.looks >= self.most;
        if too_long {
            self.looks = 0;
        }
        too_long
    }

    /// Something came.
    #[inline]
    pub(crate) fn ends(&mut self) {
        self.looks = 0;
    }

    /// Says it. `first` is the time of the first event, if there was any.
    pub(crate) fn alert(&self, first: Option<u64>, formatter: &mut Formatter, outputs: &Outputs) {
        let text = format!("{RULE}. {} consecutive timeouts without event.", self.most);
        log::log(Priority::Debug, &text);
        let time = first.map_or_else(
            || "none".to_owned(),
            |ns| {
                let local = jiff::Timestamp::from_nanosecond(i128::from(ns))
                    .map(|time| time.to_zoned(jiff::tz::TimeZone::system()));
                local.map_or_else(
                    |_| "none".to_owned(),
                    |time| time.strftime("%H:%M:%S.%9f").to_string(),
                )
            },
        );
        let now = jiff::Timestamp::now().as_nanosecond();
        let internal = Internal {
            time: u64::try_from(now).unwrap_or(0),
            priority: Priority::Debug,
            rule: RULE,
            text: &text,
        };
        let mut line = Vec::new();
        let fields = [("last_event_time", format!("\"{time}\""))];
        formatter.internal(&internal, &fields, &mut line);
        outputs.send_internal(RULE, Priority::Debug, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_silence_in_a_row_counts() {
        let mut silence = Silence::new(3);
        assert!(!silence.lasts() && !silence.lasts());
        silence.ends();
        assert!(!silence.lasts() && !silence.lasts() && silence.lasts());
        assert!(!silence.lasts());
    }
}
