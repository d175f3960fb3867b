//! One picture of the daemon: numbers above, tables below, as many lines as the terminal has.

use serde_json::Value;

/// Two answers of the daemon, and the time between them.
pub(super) struct Look<'a> {
    pub(super) before: &'a Value,
    pub(super) now: &'a Value,
    pub(super) seconds: f64,
}

/// The space that there is.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) colour: bool,
}

impl Frame {
    fn bold(self, text: &str) -> String {
        if self.colour {
            format!("\x1b[1m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn alarming(self, text: &str, alarm: bool) -> String {
        if self.colour && alarm {
            format!("\x1b[31;1m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

impl Look<'_> {
    fn number(value: &Value, field: &str) -> f64 {
        value["fields"][field].as_f64().unwrap_or(0.0)
    }

    fn now(&self, field: &str) -> f64 {
        Self::number(self.now, field)
    }

    /// How fast a counter grows.
    fn rate(&self, field: &str) -> f64 {
        (self.now(field) - Self::number(self.before, field)).max(0.0) / self.seconds.max(0.001)
    }

    fn text(&self, field: &str) -> &str {
        self.now["fields"][field].as_str().unwrap_or_default()
    }
}

/// The whole picture. It ends without a line break.
pub(super) fn draw(look: &Look<'_>, frame: Frame) -> String {
    let mut lines = head(look, frame);
    let rest = frame.height.saturating_sub(lines.len() + 1);
    let tables = [
        ("types of events", types(look)),
        ("hottest rules", rules(look)),
        ("containers", containers(look)),
        ("processes", processes(look)),
    ];
    // Two columns where there is room for them.
    let (columns, each) = if frame.width >= 90 {
        (2, rest / 2)
    } else {
        (1, rest / 4)
    };
    let width = frame.width / columns - usize::from(columns > 1);
    let mut blocks: Vec<Vec<String>> = tables
        .into_iter()
        .map(|(title, rows)| {
            let mut block = vec![frame.bold(&padded(&title.to_uppercase(), width))];
            block.extend(
                rows.into_iter()
                    .take(each.saturating_sub(2).max(1))
                    .map(|row| padded(&row, width)),
            );
            block
        })
        .collect();
    if columns == 2 {
        for pair in blocks.chunks_mut(2) {
            let count = pair.iter().map(Vec::len).max().unwrap_or(0);
            for at in 0..count {
                let cell = |block: &Vec<String>| {
                    block.get(at).cloned().unwrap_or_else(|| " ".repeat(width))
                };
                lines.push(
                    format!("{}  {}", cell(&pair[0]), cell(&pair[1]))
                        .trim_end()
                        .to_owned(),
                );
            }
            lines.push(String::new());
        }
    } else {
        for block in blocks {
            lines.extend(block.into_iter().map(|line| line.trim_end().to_owned()));
            lines.push(String::new());
        }
    }
    lines.truncate(frame.height.saturating_sub(1));
    lines.push("q ends, p pauses".to_owned());
    lines.join("\n")
}

/// What is said where the daemon does not answer.
pub(super) fn trouble(text: &str, frame: Frame) -> String {
    let shown: String = text.chars().take(frame.width.saturating_mul(3)).collect();
    format!(
        "{}\n\nIt is asked again. q ends.",
        frame.alarming(&shown, true)
    )
}

fn head(look: &Look<'_>, frame: Frame) -> Vec<String> {
    let seconds = look.now("falco.duration_sec") as u64;
    let up = format!(
        "{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    let drops = look.now("scap.n_drops");
    let drop_rate = look.rate("scap.n_drops");
    let refused = look.now("falco.outputs_queue_num_drops");
    let title = format!(
        "peregrine on {}, up {up}, {}",
        look.text("evt.hostname"),
        look.text("scap.engine_name")
    );
    vec![
        frame.bold(&title),
        format!(
            "events {}/s, {} in all    threads {}    descriptors {}",
            short(look.rate("falco.num_evts")),
            short(look.now("falco.num_evts")),
            short(look.now("falco.n_threads")),
            short(look.now("falco.n_fds"))
        ),
        format!(
            "{}    {}",
            frame.alarming(
                &format!("lost {}/s, {} in all", short(drop_rate), short(drops)),
                drops > 0.0
            ),
            frame.alarming(&format!("alerts dropped {}", short(refused)), refused > 0.0),
        ),
        format!(
            "alerts {}/s, {} in all    cpu {} %    memory {} MB",
            short(look.rate("falco.rules.matches_total")),
            short(look.now("falco.rules.matches_total")),
            look.now("falco.cpu_usage_perc"),
            short(look.now("falco.memory_rss_kb") / 1024.0)
        ),
        String::new(),
    ]
}

/// A number in few characters.
fn short(number: f64) -> String {
    match number {
        n if n >= 10_000_000.0 => format!("{:.0}M", n / 1e6),
        n if n >= 10_000.0 => format!("{:.0}k", n / 1e3),
        n if n >= 100.0 || n.fract() == 0.0 => format!("{n:.0}"),
        n => format!("{n:.1}"),
    }
}

/// A text as wide as a column. What comes from processes may hold anything: control characters are shown as such.
fn padded(text: &str, width: usize) -> String {
    let mut out: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(width)
        .collect();
    let missing = width.saturating_sub(out.chars().count());
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

fn rows<'a>(look: &Look<'a>, list: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    look.now["activity"][list]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
}

fn types(look: &Look<'_>) -> Vec<String> {
    rows(look, "types")
        .map(|row| {
            format!(
                "{:>9}/s  {}",
                short(row["rate"].as_f64().unwrap_or(0.0)),
                word(row, "name")
            )
        })
        .collect()
}

fn processes(look: &Look<'_>) -> Vec<String> {
    rows(look, "processes")
        .map(|row| {
            let container = word(row, "container");
            let place = if container.is_empty() {
                String::new()
            } else {
                format!("  in {container}")
            };
            format!(
                "{:>9}/s  {:>7} {}{place}",
                short(row["rate"].as_f64().unwrap_or(0.0)),
                row["pid"],
                word(row, "name")
            )
        })
        .collect()
}

fn containers(look: &Look<'_>) -> Vec<String> {
    let all: Vec<String> = rows(look, "containers")
        .map(|row| {
            format!(
                "{:>9}/s  {} {} {}",
                short(row["rate"].as_f64().unwrap_or(0.0)),
                word(row, "id"),
                word(row, "name"),
                word(row, "image")
            )
        })
        .collect();
    if all.is_empty() {
        vec!["  none was busy".to_owned()]
    } else {
        all
    }
}

fn word<'v>(row: &'v Value, key: &str) -> &'v str {
    row[key].as_str().unwrap_or_default()
}

/// Rules by alerts since the daemon's start, with those of the last moment.
fn rules(look: &Look<'_>) -> Vec<String> {
    let counts = |value: &Value| -> Vec<(String, u64)> {
        let all = value["rules"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter();
        all.map(|row| {
            (
                word(row, "rule").to_owned(),
                row["count"].as_u64().unwrap_or(0),
            )
        })
        .collect()
    };
    let before = counts(look.before);
    let mut all: Vec<(u64, u64, String)> = counts(look.now)
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(rule, count)| {
            let old = before
                .iter()
                .find(|(name, _)| *name == rule)
                .map_or(0, |(_, count)| *count);
            (count.saturating_sub(old), count, rule)
        })
        .collect();
    all.sort_by(|a, b| b.cmp(a));
    if all.is_empty() {
        return vec!["  no alert so far".to_owned()];
    }
    all.into_iter()
        .map(|(new, count, rule)| format!("{count:>9} {:>6}  {rule}", format!("+{new}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_picture_fits_its_frame_and_no_name_can_break_it() {
        let answer = |events: u64, alerts: u64| {
            json!({
                "fields": {"falco.num_evts": events, "evt.hostname": "host-1", "scap.n_drops": 3, "falco.rules.matches_total": alerts},
                "rules": [{"rule": "Shell", "count": alerts}],
                "activity": {
                    "types": [{"name": "openat", "rate": 12.5}],
                    "processes": [{"pid": 7, "name": "a\u{1b}[2Jb", "container": "3ad7b26ded6d", "rate": 3.0}],
                    "containers": [],
                },
            })
        };
        let (before, now) = (answer(1000, 1), answer(3000, 5));
        let look = Look {
            before: &before,
            now: &now,
            seconds: 2.0,
        };
        for (width, height) in [(100, 40), (60, 24), (40, 10)] {
            let text = draw(
                &look,
                Frame {
                    width,
                    height,
                    colour: false,
                },
            );
            assert!(text.lines().count() <= height, "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
        let text = draw(
            &look,
            Frame {
                width: 100,
                height: 40,
                colour: false,
            },
        );
        for part in [
            "events 1000/s, 3000 in all",
            "lost 0/s, 3 in all",
            "alerts 2/s",
            "+4  Shell",
            "12.5/s  openat",
            "in 3ad7b26ded6d",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
