//! Outputs with fields that none of a rule's events sets.

use diag::Diagnostic;
use event::{EVENTS, EventFlags, EventInfo, ParamType as T, codes};
use fields::catalogue::Id;
use fields::catalogue::row::Class;
use filter::{FieldDef, Template};
use rules::stateful::RuleSchema;

use super::pieces::Item;
use super::{Subject, advice, code};

/// Rules on more types than these are restricted by nothing, so nothing can be said.
const MOST_TYPES: usize = 60;

pub(super) fn look(subject: &Subject<'_>, text: &str, item: &Item, found: &mut Vec<Diagnostic>) {
    let (Some(rule), Some(output)) = (subject.rule(&item.name), &item.output) else {
        return;
    };
    let types: Vec<&EventInfo> = rule
        .event_codes
        .iter()
        .filter(|&code| code != codes::ASYNCEVENT_E)
        .filter_map(|code| EVENTS.get(usize::from(code)))
        .filter(|info| {
            !info
                .flags
                .intersects(EventFlags::OLD_VERSION | EventFlags::UNUSED)
        })
        .collect();
    if types.is_empty() || types.len() > MOST_TYPES || rule.source != "syscall" {
        return;
    }
    let Some((_, schema)) = subject
        .schemas
        .iter()
        .find(|(name, _)| *name == rule.source)
    else {
        return;
    };
    let fields = RuleSchema::new(rule, *schema);
    let Ok(template) = Template::parse(&output.value, &fields) else {
        return;
    };
    for field in template.fields() {
        if types.iter().any(|info| can_have(field, info)) {
            continue;
        }
        let token = format!("%{}", field.name);
        let Some(at) = output.value.find(&token) else {
            continue;
        };
        let mut names: Vec<&str> = types.iter().map(|info| info.name).collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(6);
        let span = output.span(text, at, at + token.len());
        found.push(advice(
            &code::UNSET_OUTPUT,
            span,
            format!("`{}` has no value on {}", field.name, names.join(", ")),
        ));
    }
}

/// Whether an event of this type can set the field; true where it cannot be told.
fn can_have(field: &FieldDef, info: &EventInfo) -> bool {
    let Some(id) = Id::from_number(field.field.id) else {
        return true;
    };
    let row = id.row();
    let uses_fd = info.fd_param.is_some()
        || info
            .flags
            .intersects(EventFlags::CREATES_FD | EventFlags::USES_FD | EventFlags::DESTROYS_FD);
    match row.class {
        Class::Descriptor => uses_fd,
        Class::Path => {
            uses_fd
                || info
                    .params
                    .iter()
                    .any(|param| matches!(param.ty, T::FsPath | T::FsRelPath | T::CharBuf))
        }
        _ => {
            let name = field
                .name
                .strip_prefix("evt.arg.")
                .or(field.name.strip_prefix("evt.rawarg."));
            name.is_none_or(|name| info.param_index(name).is_some())
        }
    }
}
