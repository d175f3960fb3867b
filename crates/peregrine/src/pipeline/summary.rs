//! The summary at the end of a replay.

use std::time::Duration;

use live::LookupCounters;
use outputs::Statistics;
use probe::{Class, Losses};

/// Writes it to standard error.
pub(crate) fn print(events: u64, elapsed: Duration, statistics: &Statistics) {
    let seconds = elapsed.as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = if seconds > 0.0 {
        events as f64 / seconds
    } else {
        0.0
    };
    let total = statistics.total();
    eprintln!(
        "{} event{} in {seconds:.2} s ({}/s), {} alert{}",
        grouped(events),
        plural(events),
        scaled(rate),
        grouped(total),
        plural(total)
    );
    for (priority, count) in statistics.priorities() {
        eprintln!("{:>10}  {}", grouped(count), priority.name());
    }
    print_rules(statistics);
}

/// Writes the alerts of a command.
pub(crate) fn print_alerts(statistics: &Statistics) {
    let total = statistics.total();
    eprintln!("{} alert{}", grouped(total), plural(total));
    print_rules(statistics);
}

/// Writes how many alerts are in lines for many, if any are.
pub(crate) fn print_repeats(statistics: &Statistics) {
    let repeats = statistics.repeats;
    if repeats.told == 0 {
        return;
    }
    eprintln!(
        "of these {} alerts {} are in groups and {} were held back by limits; {} line{} tell of them",
        grouped(statistics.total()),
        grouped(repeats.grouped),
        grouped(repeats.limited),
        grouped(repeats.told),
        plural(repeats.told)
    );
}

fn print_rules(statistics: &Statistics) {
    let mut rules: Vec<(&str, u64)> = statistics.rules().collect();
    rules.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    if !rules.is_empty() {
        eprintln!("by rule:");
    }
    for (rule, count) in rules {
        eprintln!("{:>10}  {rule}", grouped(count));
    }
}

/// Writes how often `/proc` was asked about what no event had told, if it was.
pub(crate) fn print_lookups(asked: &LookupCounters) {
    let threads = asked.threads_found + asked.threads_gone;
    let descriptors = asked.descriptors_found + asked.descriptors_gone;
    if threads + descriptors + asked.refused == 0 {
        return;
    }
    let mut line = format!(
        "looked up in /proc: {} thread{} ({} gone), {} descriptor{} ({} gone)",
        grouped(threads),
        plural(threads),
        grouped(asked.threads_gone),
        grouped(descriptors),
        plural(descriptors),
        grouped(asked.descriptors_gone),
    );
    if asked.refused > 0 {
        line += &format!("; {} too many were not asked", grouped(asked.refused));
    }
    eprintln!("{line}");
}

/// Writes how many calls were left out that succeeded and that failed, if any were.
pub(crate) fn print_left_out([succeeded, failed]: [u64; 2]) {
    if succeeded + failed > 0 {
        eprintln!(
            "{} calls stayed in the kernel, for no rule reads them ({} of them failed)",
            grouped(succeeded + failed),
            grouped(failed)
        );
    }
}

/// Writes what was lost, if anything was.
pub(crate) fn print_losses(lost: &Losses) {
    if lost.total() == 0 {
        return;
    }
    eprintln!("{} events lost:", grouped(lost.total()));
    for class in Class::ALL {
        let count = lost.of(class);
        if count > 0 {
            let name = class.metric().unwrap_or("other");
            eprintln!("{:>10}  buffer full, {name}", grouped(count));
        }
    }
    for (count, why) in [
        (lost.large, "larger than an event may be"),
        (lost.no_buffer, "on a CPU without a buffer"),
        (lost.passed_over, "passed over by the kernel"),
    ] {
        if count > 0 {
            eprintln!("{:>10}  {why}", grouped(count));
        }
    }
}

pub(crate) fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn scaled(rate: f64) -> String {
    match rate {
        r if r >= 1e6 => format!("{:.1} M", r / 1e6),
        r if r >= 1e3 => format!("{:.1} k", r / 1e3),
        r => format!("{r:.0} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(scaled(12_345_678.0), "12.3 M");
        assert_eq!(scaled(12.0), "12 ");
    }
}
