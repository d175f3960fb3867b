//! What a value that fails a comparison by a hair tells about the rule.

use filter::{Check, Operand, Operator};

/// Longest name that the kernel keeps of a thread.
const COMM: usize = 15;

/// Fields that are such a name.
const NAMES: [&str; 4] = ["proc.name", "proc.pname", "proc.aname", "thread.name"];

/// A likely reason why a comparison fails on values like these; the most telling one.
pub(super) fn hint(check: &Check, values: &[(&[u8], u64)], missing: bool) -> Option<String> {
    let name = match &check.left {
        Operand::Field(field) => field.name.as_str(),
        Operand::Transformer(_) => "",
    };
    let constants: Vec<&[u8]> = check
        .right
        .constants()
        .iter()
        .map(|constant| constant.bytes.as_slice())
        .collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if name == "evt.dir" && constants.iter().any(|one| *one == b">") {
        return Some(
            "events are delivered once, when the system call has ended: evt.dir is always <"
                .to_owned(),
        );
    }
    let equality = matches!(check.operator, Operator::Equal | Operator::In);
    if let Some(long) = constants.iter().find(|one| one.len() > COMM)
        && NAMES.contains(&name)
        && equality
    {
        return Some(format!(
            "the kernel keeps {COMM} bytes of a name, \"{}\" is longer; compare proc.exepath or use \
             startswith",
            text(long)
        ));
    }
    if missing {
        return Some(match check.operator {
            Operator::NotEqual => format!(
                "{name} has no value here, and a comparison with nothing is false, != too; write \
                 `not {name} = ...`"
            ),
            _ => format!("{name} has no value here, and a comparison with nothing is false"),
        });
    }
    if !equality {
        return None;
    }
    for constant in &constants {
        let close = values.iter().find_map(|(value, _)| {
            let says = if value.eq_ignore_ascii_case(constant) {
                "differs in upper and lower case only; compare tolower(...)"
            } else if value.trim_ascii() == constant.trim_ascii() {
                "differs in blanks only"
            } else if constant.len() > 2 && value.ends_with(constant) {
                "only ends with it; use endswith, or write it in full"
            } else if constant.len() > 2 && value.starts_with(constant) {
                "only begins with it; use startswith, or write it in full"
            } else {
                return None;
            };
            Some((*value, says))
        });
        if let Some((value, says)) = close {
            return Some(format!("\"{}\" {says}", text(value)));
        }
    }
    let pattern = constants
        .iter()
        .find(|one| one.iter().any(|byte| matches!(byte, b'*' | b'?')))?;
    Some(format!(
        "= compares letter by letter; \"{}\" is a pattern: use glob",
        text(pattern)
    ))
}
