//! Which items of which files made a definition what it is.

use hashbrown::HashMap;

use crate::definition::RuleUpdate;
use crate::reader::Decoded;
use crate::ruleset::{Change, Origin};

/// What a definition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    List,
    Macro,
    Rule,
}

/// The origins of all definitions by kind and name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    all: HashMap<(Kind, String), Vec<Origin>>,
}

impl Origins {
    /// Of one definition.
    pub(crate) fn of(&self, kind: Kind, name: &str) -> Vec<Origin> {
        let key = (kind, name.to_owned());
        self.all.get(&key).cloned().unwrap_or_default()
    }

    /// Takes in what an item did.
    pub(crate) fn add(&mut self, steps: Vec<(Kind, String, Origin)>) {
        for (kind, name, origin) in steps {
            self.all.entry((kind, name)).or_default().push(origin);
        }
    }
}

/// What an item will do if it is accepted.
pub(crate) fn steps(item: &Decoded) -> Vec<(Kind, String, Origin)> {
    let step = |kind, name: &str, context: &crate::context::Context, change| {
        let span = context.span();
        (kind, name.to_owned(), Origin { span, change })
    };
    match item {
        Decoded::List { list, append } => {
            let change = defined_or(*append, "items");
            vec![step(Kind::List, &list.name, &list.context, change)]
        }
        Decoded::Macro { definition, append } => {
            let change = defined_or(*append, "condition");
            vec![step(
                Kind::Macro,
                &definition.name,
                &definition.context,
                change,
            )]
        }
        Decoded::Rule(rule) => vec![step(Kind::Rule, &rule.name, &rule.context, Change::Defined)],
        Decoded::Updates { append, replace } => {
            let appended = append
                .iter()
                .map(|update| (update, Change::Appended(update.keys())));
            let replaced = replace.iter().map(|update| {
                let keys = update.keys();
                match (update.enabled, keys.len()) {
                    (Some(enabled), 1) => (update, Change::Switched(enabled)),
                    _ => (update, Change::Replaced(keys)),
                }
            });
            appended
                .chain(replaced)
                .map(|(update, change)| step(Kind::Rule, &update.name, &update.context, change))
                .collect()
        }
        Decoded::Enable {
            name,
            enabled,
            context,
        } => vec![step(Kind::Rule, name, context, Change::Switched(*enabled))],
        Decoded::Engine(..) | Decoded::Plugins(_) | Decoded::Nothing => Vec::new(),
    }
}

fn defined_or(append: bool, key: &'static str) -> Change {
    if append {
        Change::Appended(vec![key])
    } else {
        Change::Defined
    }
}

impl RuleUpdate {
    /// The keys that it changes.
    fn keys(&self) -> Vec<&'static str> {
        use crate::stateful::definition::KindDef;
        let kind = self.stateful.as_ref().map(|stateful| &stateful.kind);
        let keys = [
            ("condition", self.condition.is_some()),
            ("output", self.output.is_some()),
            ("desc", self.description.is_some()),
            ("priority", self.priority.is_some()),
            ("tags", self.tags.is_some()),
            ("exceptions", self.exceptions.is_some()),
            ("enabled", self.enabled.is_some()),
            ("warn_evttypes", self.warn_evttypes.is_some()),
            ("skip-if-unknown-filter", self.skip_if_unknown.is_some()),
            ("capture", self.capture.is_some()),
            ("capture_duration", self.capture_duration.is_some()),
            ("capture_before", self.capture_before.is_some()),
            ("sequence", matches!(kind, Some(KindDef::Sequence { .. }))),
            ("threshold", matches!(kind, Some(KindDef::Threshold { .. }))),
            (
                "first_seen",
                matches!(kind, Some(KindDef::FirstSeen { .. })),
            ),
        ];
        let named = keys.into_iter().filter(|(_, there)| *there);
        named.map(|(key, _)| key).collect()
    }
}
