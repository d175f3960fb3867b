//! Rules that remember: their steps compiled, their fields checked, what must be kept found out.

use diag::Span;
use filter::{Ast, Quantifier, Schema, SourceId, Template, Type};

use super::{Compiler, Own};
use crate::code;
use crate::definition::{Condition, RuleDef, Text};
use crate::expansion::text::Assembled;
use crate::finding::{Class, Finding};
use crate::ruleset::ExtraField;
use crate::stateful::definition::{KindDef, MeasureDef, StatefulDef, fields_of};
use crate::stateful::schema::split;
use crate::stateful::{Kind, Measure, Part, RuleSchema, Slot, Stateful};

/// What a step's condition is, and where its values are found.
struct Step<'d> {
    name: &'d str,
    condition: &'d Condition,
    /// Names of the steps before it.
    before: &'d [&'d str],
}

impl Compiler<'_, '_> {
    /// Compiles what a rule remembers; `None` where findings say why not.
    pub(super) fn stateful(
        &mut self,
        definition: &RuleDef,
        asked: &StatefulDef,
        shown: (&str, &[ExtraField]),
        schema: &dyn Schema,
    ) -> Option<Stateful> {
        let by = self.group(definition, &asked.by, schema)?;
        let mut slots = Vec::new();
        let kind = match &asked.kind {
            KindDef::Sequence {
                steps,
                until,
                within,
            } => {
                let names: Vec<&str> = steps.iter().map(|step| step.name.value.as_str()).collect();
                for step in steps {
                    self.usable_name(definition, &step.name, schema)?;
                }
                let mut parts = Vec::with_capacity(steps.len());
                for (at, step) in steps.iter().enumerate() {
                    let step = Step {
                        name: &step.name.value,
                        condition: &step.condition,
                        before: &names[..at],
                    };
                    let mut part = self.part(definition, &step, schema, &mut slots)?;
                    if let Some(own) = &steps[at].by {
                        part.by = Some(self.stands_for(definition, own, &by, schema)?);
                    }
                    parts.push(part);
                }
                let until = match until {
                    Some(condition) => {
                        let step = Step {
                            name: "until",
                            condition,
                            before: &names,
                        };
                        Some(self.part(definition, &step, schema, &mut slots)?)
                    }
                    None => None,
                };
                self.shown(shown, &names, schema, &mut slots);
                Kind::Sequence {
                    steps: parts,
                    until,
                    within: *within,
                }
            }
            KindDef::Threshold {
                measure,
                at_least,
                within,
            } => {
                let measure = match measure {
                    MeasureDef::Count => Measure::Count,
                    MeasureDef::Distinct(field) => {
                        Measure::Distinct(self.field(definition, field, schema, |_| true)?)
                    }
                    MeasureDef::Sum(field) => {
                        Measure::Sum(self.field(definition, field, schema, is_amount)?)
                    }
                };
                Kind::Threshold {
                    measure,
                    at_least: *at_least,
                    within: *within,
                }
            }
            KindDef::FirstSeen { fields, learn } => Kind::FirstSeen {
                fields: self.group(definition, fields, schema)?,
                learn: *learn,
            },
        };
        Some(Stateful {
            kind,
            by,
            slots,
            condition: None,
        })
    }

    /// A condition of a sequence.
    fn part(
        &mut self,
        definition: &RuleDef,
        step: &Step<'_>,
        schema: &dyn Schema,
        slots: &mut Vec<Slot>,
    ) -> Option<Part> {
        let schema = RuleSchema::of(schema, None, step.before.to_vec());
        // Findings of a condition are placed by the definition that it stands in.
        let own = RuleDef {
            condition: step.condition.clone(),
            exceptions: Vec::new(),
            ..definition.clone()
        };
        let mut text = Assembled::new(&own.condition.parts);
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let parsed = self.parse(&mut text, &own.condition, SourceId(number))?;
        let ast = match self.macros.insert_all(&parsed, &self.state.macros) {
            Ok(ast) => ast,
            Err(faults) => {
                self.report_faults(faults, &own.context, &own.condition.parts, &text);
                return None;
            }
        };
        let placed = Own {
            definition: &own,
            text: &text,
            ast: &parsed,
        };
        self.not_too_deep(&ast, &own)?;
        self.warn_unsafe_na(&ast, &placed);
        if let Err(failures) = self.check_condition(&ast, &placed, &schema) {
            let skips = definition.skip_if_unknown && failures.first().is_some_and(|f| f.unknown);
            if skips {
                let first = failures.into_iter().next()?;
                self.findings.push(first.skipped());
            } else {
                let all = failures.into_iter().map(|failure| *failure.finding);
                self.findings.extend(all);
            }
            return None;
        }
        self.warn_old_fields(&ast, &placed);
        let mut mentioned = Vec::new();
        for (_, check) in ast.checks() {
            for field in check.fields() {
                let text = field.text();
                if let Some((at, field)) = split(&text, step.before) {
                    mentioned.push((at, field.to_owned(), text));
                }
            }
        }
        for (at, field, name) in mentioned {
            keep(slots, name, at, field, true);
        }
        let (links, alone): (Vec<Ast>, Vec<Ast>) = ast
            .conjuncts()
            .into_iter()
            .map(|id| ast.clone().with_root(id))
            .partition(|part| links(part, step.before));
        let Some(filter) = Ast::joined(&alone.iter().collect::<Vec<_>>(), true) else {
            let message = format!(
                "`{}` compares with earlier steps and asks nothing else of its event",
                step.name
            );
            let context = &step.condition.context;
            self.findings.push(Finding::new(
                &code::STEP_ALONE,
                Class::ErrValidate,
                context,
                message,
            ));
            return None;
        };
        Some(Part {
            name: step.name.to_owned(),
            condition: step.condition.text(),
            filter,
            links: Ast::joined(&links.iter().collect::<Vec<_>>(), true),
            by: None,
            ast,
        })
    }

    /// A step's name must not hide fields.
    fn usable_name(
        &mut self,
        definition: &RuleDef,
        name: &Text,
        schema: &dyn Schema,
    ) -> Option<()> {
        let hides = |known: &str| known.split('.').next() == Some(&name.value);
        let ours = ["sequence", "threshold", "first_seen"];
        if !schema.names().into_iter().any(hides) && !ours.contains(&name.value.as_str()) {
            return Some(());
        }
        let message = format!("names of fields begin with `{}`, too", name.value);
        self.refuse_at(definition, name.span, &code::BAD_STEP_NAME, message)
    }

    /// Fields whose values make a key.
    fn group(
        &mut self,
        definition: &RuleDef,
        words: &[Text],
        schema: &dyn Schema,
    ) -> Option<Vec<String>> {
        let mut fields = Vec::new();
        for word in words {
            for field in fields_of(&word.value) {
                let text = Text {
                    value: field,
                    span: word.span,
                };
                let field = self.field(definition, &text, schema, |_| true)?;
                if !fields.contains(&field) {
                    fields.push(field);
                }
            }
        }
        Some(fields)
    }

    /// Fields of a step that stand for those of the others: as many, and of the same types.
    fn stands_for(
        &mut self,
        definition: &RuleDef,
        words: &[Text],
        by: &[String],
        schema: &dyn Schema,
    ) -> Option<Vec<String>> {
        let own = self.group(definition, words, schema)?;
        // As they are kept: a port and a number are the same.
        let family = |name: &String| {
            let ty = schema.resolve(name).map(|def| def.ty);
            ty.map(|ty| match ty {
                Type::FsPath | Type::FsRelPath => Type::CharBuf,
                Type::Pid => Type::Int64,
                ty => ty,
            })
        };
        if own.len() == by.len() && own.iter().map(family).eq(by.iter().map(family)) {
            return Some(own);
        }
        let message = format!(
            "the step's fields stand for those of the sequence, {}: as many, and of the same types",
            by.join(", ")
        );
        let span = words.first().map(|word| word.span)?;
        self.refuse_at(definition, span, &code::BAD_GROUP_FIELD, message)
    }

    /// A field by itself, in the schema's spelling.
    fn field(
        &mut self,
        definition: &RuleDef,
        text: &Text,
        schema: &dyn Schema,
        fits: impl Fn(Type) -> bool,
    ) -> Option<String> {
        let message = match schema.resolve(&text.value) {
            Ok(def) if def.filter_only || def.quantifier != Quantifier::One => {
                format!("`{}` has no single value", text.value)
            }
            Ok(def) if def.list || !fits(def.ty) => {
                format!("`{}` is no number", text.value)
            }
            Ok(def) => return Some(def.name),
            Err(error) => format!("`{}`: {error}", text.value),
        };
        let names = schema.names();
        let near = diag::nearest::nearest(&text.value, names.iter().copied());
        let near = near.map(str::to_owned);
        let mut finding = Finding::new(
            &code::BAD_GROUP_FIELD,
            Class::ErrValidate,
            &definition.context,
            message,
        )
        .at(text.span, "");
        if let Some(near) = near.filter(|near| *near != text.value) {
            finding =
                finding.with(|d| d.suggest(text.span, &near, format!("there is a field `{near}`")));
        }
        self.findings.push(finding);
        None
    }

    fn refuse_at<T>(
        &mut self,
        definition: &RuleDef,
        span: Span,
        code: &'static diag::Code,
        message: String,
    ) -> Option<T> {
        let finding = Finding::new(code, Class::ErrValidate, &definition.context, message);
        self.findings.push(finding.at(span, ""));
        None
    }

    /// What the output shows of the steps. Whether it compiles is checked elsewhere.
    fn shown(
        &mut self,
        (template, extra): (&str, &[ExtraField]),
        names: &[&str],
        schema: &dyn Schema,
        slots: &mut Vec<Slot>,
    ) {
        let schema = RuleSchema::of(schema, Some("sequence"), names.to_vec());
        let texts = extra.iter().map(|field| match &field.format {
            Some(format) => format.clone(),
            None => format!("%{}", field.key),
        });
        for text in std::iter::once(template.to_owned()).chain(texts) {
            let Ok(template) = Template::parse(&text, &schema) else {
                continue;
            };
            for field in template.fields() {
                if let Some((at, inner)) = split(&field.name, names) {
                    keep(slots, field.name.clone(), at, inner.to_owned(), false);
                }
            }
        }
    }
}

/// The condition that an event must meet to matter to the rule at all.
pub(super) fn relevant(condition: Option<&Ast>, stateful: &Stateful) -> Option<Ast> {
    let filters: Vec<&Ast> = stateful.parts().map(|part| &part.filter).collect();
    let parts = Ast::joined(&filters, false);
    let both: Vec<&Ast> = condition.into_iter().chain(&parts).collect();
    Ast::joined(&both, true)
}

fn keep(slots: &mut Vec<Slot>, name: String, step: usize, field: String, linked: bool) {
    match slots.iter_mut().find(|slot| slot.name == name) {
        Some(slot) => slot.linked |= linked,
        None => slots.push(Slot {
            name,
            step,
            field,
            linked,
        }),
    }
}

/// Whether a condition names values of earlier steps.
fn links(ast: &Ast, before: &[&str]) -> bool {
    let mut checks = ast.checks().flat_map(|(_, check)| check.fields());
    checks.any(|field| split(&field.name, before).is_some())
}

fn is_amount(ty: Type) -> bool {
    use Type as T;
    matches!(
        ty,
        T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::Uint8
            | T::Uint16
            | T::Uint32
            | T::Uint64
            | T::RelTime
            | T::Errno
    )
}
