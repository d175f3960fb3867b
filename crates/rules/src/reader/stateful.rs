//! `sequence`, `threshold` and `first_seen`.

use diag::nearest::nearest;

use super::{Reader, Refused, invalid, keys};
use crate::code;
use crate::context::{Context, Item};
use crate::definition::Text;
use crate::finding::{Class, Finding};
use crate::stateful::definition::{KindDef, MeasureDef, StatefulDef, StepDef};
use crate::stateful::{MOST_COUNTED, MOST_DISTINCT, MOST_STEPS, duration};
use crate::yaml::{Kind, NodeId};

impl Reader<'_, '_> {
    /// What the item asks to remember, if it does.
    pub(super) fn stateful(
        &mut self,
        item: NodeId,
        context: &Context,
    ) -> Refused<Option<StatefulDef>> {
        let mut found = keys::STATEFUL
            .iter()
            .filter_map(|key| Some((*key, self.tree.value(item, key)?)));
        let Some((key, value)) = found.next() else {
            return Ok(None);
        };
        if let Some((other, _)) = found.next() {
            let message = format!("a rule has either `{key}` or `{other}`");
            let mut finding = invalid(&code::SEVERAL_MEMORIES, context, message);
            let (here, there) = (self.key_span(item, other), self.key_span(item, key));
            finding.diagnostic = finding.diagnostic.at(here, "").label(there, "the other");
            return Err(finding);
        }
        let step = self.step(context, Item::ValueFor, key, value);
        if !matches!(self.tree.node(value).kind, Kind::Mapping(_)) {
            let message = format!("`{key}` takes a mapping");
            return Err(invalid(&code::BAD_STATEFUL, &step, message));
        }
        let (known, by, kind) = match key {
            "sequence" => (keys::SEQUENCE, "by", self.sequence_of(value, &step)?),
            "threshold" => (keys::THRESHOLD, "by", self.threshold(value, &step)?),
            _ => (keys::FIRST_SEEN, "per", self.first_seen(value, &step)?),
        };
        self.refuse_unknown(value, key, known, &step)?;
        let by = self.words(value, by, &step)?.unwrap_or_default();
        Ok(Some(StatefulDef {
            context: step,
            kind,
            by,
        }))
    }

    fn sequence_of(&mut self, node: NodeId, context: &Context) -> Refused<KindDef> {
        let within = self.duration(node, "within", context)?;
        let Some(list) = self.tree.value(node, "steps") else {
            return Err(self.missing(node, "steps", context));
        };
        let step = self.step(context, Item::ValueFor, "steps", list);
        let refuse = |message: String| Err(invalid(&code::BAD_STATEFUL, &step, message));
        let Kind::Sequence(elements) = &self.tree.node(list).kind else {
            return refuse("`steps` takes a list; each begins with `- step: NAME`".to_owned());
        };
        if !(2..=MOST_STEPS).contains(&elements.len()) {
            return refuse(format!(
                "a sequence has 2 to {MOST_STEPS} steps, this one {}",
                elements.len()
            ));
        }
        let mut steps: Vec<StepDef> = Vec::with_capacity(elements.len());
        for &element in elements {
            let context = self.step(&step, Item::ValueFor, "step", element);
            if !matches!(self.tree.node(element).kind, Kind::Mapping(_)) {
                let message = "a step is a mapping with `step` and `condition`";
                return Err(invalid(&code::BAD_STATEFUL, &context, message));
            }
            let (name, place) = self.scalar(element, "step", &context)?;
            let span = self.span(place);
            let twice = steps.iter().find(|other| other.name.value == name);
            if !keys::is_identifier(name) || name == "until" || twice.is_some() {
                let message = if twice.is_some() {
                    format!("there are two steps `{name}`")
                } else {
                    format!("`{name}` cannot be the name of a step")
                };
                let mut finding = invalid(&code::BAD_STEP_NAME, &context, message);
                finding.diagnostic = finding.diagnostic.at(span, "");
                return Err(finding);
            }
            self.refuse_unknown(element, "step", keys::STEP, &context)?;
            steps.push(StepDef {
                name: Text {
                    value: name.to_owned(),
                    span,
                },
                condition: self.condition(element, Item::RuleCondition, &context)?,
                by: self.words(element, "by", &context)?,
            });
        }
        let until = match self.tree.value(node, "until") {
            Some(_) => Some(self.condition_at(node, "until", Item::RuleCondition, context)?),
            None => None,
        };
        Ok(KindDef::Sequence {
            steps,
            until,
            within,
        })
    }

    fn threshold(&mut self, node: NodeId, context: &Context) -> Refused<KindDef> {
        let within = self.duration(node, "within", context)?;
        let field = |key: &str| -> Refused<Option<Text>> {
            let found = self.optional(node, key, context)?;
            Ok(found.map(|(text, place)| Text {
                value: text.to_owned(),
                span: self.span(place),
            }))
        };
        let measure = match (field("distinct")?, field("sum")?) {
            (Some(_), Some(sum)) => {
                let message = "a threshold has either `distinct` or `sum`";
                let mut finding = invalid(&code::BAD_STATEFUL, context, message);
                finding.diagnostic = finding.diagnostic.at(sum.span, "");
                return Err(finding);
            }
            (Some(field), None) => MeasureDef::Distinct(field),
            (None, Some(field)) => MeasureDef::Sum(field),
            (None, None) => MeasureDef::Count,
        };
        let (text, place) = self.scalar(node, "at_least", context)?;
        let most = match measure {
            MeasureDef::Count => MOST_COUNTED,
            MeasureDef::Distinct(_) => MOST_DISTINCT,
            MeasureDef::Sum(_) => u64::MAX,
        };
        let at_least = text.parse().ok().filter(|n| (1..=most).contains(n));
        let Some(at_least) = at_least else {
            let message = format!("`at_least` takes a whole number from 1 to {most}");
            let mut finding = invalid(&code::BAD_STATEFUL, context, message);
            finding.diagnostic = finding.diagnostic.at(self.span(place), "");
            return Err(finding);
        };
        Ok(KindDef::Threshold {
            measure,
            at_least,
            within,
        })
    }

    fn first_seen(&mut self, node: NodeId, context: &Context) -> Refused<KindDef> {
        let Some(fields) = self.words(node, "fields", context)? else {
            return Err(self.missing(node, "fields", context));
        };
        let learn = match self.tree.value(node, "learn") {
            Some(_) => self.duration(node, "learn", context)?,
            None => 0,
        };
        Ok(KindDef::FirstSeen { fields, learn })
    }

    fn duration(&self, node: NodeId, key: &str, context: &Context) -> Refused<u64> {
        let (text, place) = self.scalar(node, key, context)?;
        let Some(nanoseconds) = duration::parse(text) else {
            let message = format!("`{text}` is no span of time");
            let mut finding = invalid(&code::BAD_DURATION, context, message);
            let span = self.span(place);
            finding.diagnostic = finding.diagnostic.at(span, "");
            finding.diagnostic = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
                let seconds = format!("{text}s");
                finding.diagnostic.suggest(span, seconds, "it needs a unit")
            } else {
                finding.diagnostic.note("write a number and a unit: `90s`")
            };
            return Err(finding);
        };
        Ok(nanoseconds)
    }

    /// One word, or a list of them; `None` where the key is absent.
    fn words(&self, node: NodeId, key: &str, context: &Context) -> Refused<Option<Vec<Text>>> {
        let Some(value) = self.tree.value(node, key) else {
            return Ok(None);
        };
        if matches!(self.tree.node(value).kind, Kind::Sequence(_)) {
            let words = self.sequence(node, key, context)?.unwrap_or_default();
            if words.is_empty() || words.iter().any(|word| word.value.is_empty()) {
                let step = self.step(context, Item::ValueFor, key, value);
                let message = format!("`{key}` names at least one field");
                return Err(invalid(&code::BAD_STATEFUL, &step, message));
            }
            return Ok(Some(words));
        }
        let (text, place) = self.scalar(node, key, context)?;
        Ok(Some(vec![Text {
            value: text.to_owned(),
            span: self.span(place),
        }]))
    }

    /// A key too many may be a condition that somebody relies on: it is an error here.
    fn refuse_unknown(
        &self,
        node: NodeId,
        key: &str,
        known: &[&str],
        context: &Context,
    ) -> Refused<()> {
        for &(entry, _) in self.tree.entries(node) {
            let name = self.tree.text(entry).unwrap_or_default();
            if known.contains(&name) {
                continue;
            }
            let message = format!("`{key}` has no key `{name}`");
            let span = self.span(entry);
            let mut finding = Finding::new(
                &code::BAD_STATEFUL,
                Class::ErrYamlValidate,
                context,
                message,
            )
            .at(span, "");
            finding = match nearest(name, known.iter().copied()) {
                Some(near) => {
                    finding.with(|d| d.suggest(span, near, format!("there is a key `{near}`")))
                }
                None => finding.with(|d| d.note(format!("its keys are {}", known.join(", ")))),
            };
            return Err(Box::new(finding));
        }
        Ok(())
    }
}
