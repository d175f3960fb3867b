//! From the definition of a rule to what works: conditions into the engine's graph, names into fields.

use filter::{FieldDef, FieldRef, Graph, Memo, Schema};
use rules::stateful::{Kind, Measure, Part, RuleSchema, Stateful};
use rules::{CodeSet, Rule};

use super::sequence::{self, Links, Sequence};
use super::sights::{self, Sights};
use super::table::Table;
use super::threshold::{Gauge, Threshold};
use super::{Capture, Memories, Memory, Role, Slot, Work};
use crate::RuleIndex;
use crate::plan::Root;

impl Memories {
    /// Adds a rule; what becomes entries of plans.
    pub(crate) fn add(
        &mut self,
        rule: RuleIndex,
        definition: &Rule,
        stateful: &Stateful,
        graph: &mut Graph,
        schema: &dyn Schema,
    ) -> Result<Vec<Root>, String> {
        let field = |name: &String| -> Result<FieldRef, String> {
            let resolved = schema.resolve(name);
            let FieldDef { field, .. } = resolved.map_err(|error| format!("`{name}`: {error}"))?;
            Ok(field)
        };
        let own = stateful.condition.as_ref();
        let own = own.map(|ast| graph.add(ast, schema)).transpose();
        let own = own
            .map_err(|error| error.to_string())?
            .map(|(node, _)| node);
        let number = u32::try_from(self.all.len()).map_err(|_| "too many rules".to_owned())?;
        let mut roots = Vec::new();
        let mut add = |parts: &mut Vec<(u32, Role)>, role, node, codes: CodeSet| {
            roots.push(Root {
                rule,
                part: Some(parts.len() as u32),
                node,
                codes,
            });
            parts.push((number, role));
        };
        let whole = RuleSchema::new(definition, schema);
        let work = match &stateful.kind {
            Kind::Sequence {
                steps,
                until,
                within,
            } => {
                let mut each = |part: &Part, role| -> Result<Option<Links>, String> {
                    let added = graph.add(&part.filter, schema);
                    let (node, _) = added.map_err(|error| error.to_string())?;
                    let node = match own {
                        Some(own) => graph.all(&[own, node]),
                        None => node,
                    };
                    // The fold by event type finds out on which of them a step can be.
                    add(&mut self.parts, role, node, definition.event_codes);
                    part.links
                        .as_ref()
                        .map(|ast| {
                            let mut graph = Graph::new();
                            let added = graph.add(ast, &whole);
                            let (root, _) = added.map_err(|error| error.to_string())?;
                            graph.close();
                            Ok(Links {
                                graph,
                                root,
                                memo: Memo::new(),
                            })
                        })
                        .transpose()
                };
                let mut links = Vec::new();
                for (at, step) in steps.iter().enumerate() {
                    links.push(each(step, Role::Step(at as u8))?);
                }
                let until = match until {
                    Some(part) => each(part, Role::Until)?,
                    None => None,
                };
                Work::Sequence(Box::new(Sequence {
                    steps: steps.len() as u8,
                    within: *within,
                    links,
                    until,
                    memory: sequence::Memory::new(0),
                }))
            }
            Kind::Threshold {
                measure,
                at_least,
                within,
            } => {
                let node = own.ok_or("a threshold has a condition")?;
                add(&mut self.parts, Role::Event, node, definition.event_codes);
                let (gauge, measured) = match measure {
                    Measure::Count => (Gauge::Count, None),
                    Measure::Distinct(name) => (Gauge::Distinct, Some(field(name)?)),
                    Measure::Sum(name) => (Gauge::Sum, Some(field(name)?)),
                };
                let threshold = Threshold {
                    gauge,
                    at_least: *at_least,
                    within: *within,
                    memory: Table::new(0),
                };
                Work::Threshold(threshold, measured)
            }
            Kind::FirstSeen { fields, learn } => {
                let node = own.ok_or("`first_seen` has a condition")?;
                add(&mut self.parts, Role::Event, node, definition.event_codes);
                let fields: Result<_, _> = fields.iter().map(field).collect();
                let sights = Sights {
                    learn: *learn,
                    memory: sights::Memory::new(0),
                };
                Work::FirstSeen(sights, fields?)
            }
        };
        let slots: Result<Vec<Slot>, String> = stateful
            .slots
            .iter()
            .map(|slot| {
                Ok(Slot {
                    step: slot.step,
                    field: field(&slot.field)?,
                    linked: slot.linked,
                })
            })
            .collect();
        let mut own = Vec::new();
        for part in stateful.parts() {
            let fields = part.by.iter().map(|by| by.iter().map(field).collect());
            own.push(fields.collect::<Result<Vec<Vec<_>>, _>>()?.pop());
        }
        if own.iter().all(Option::is_none) {
            own.clear();
        }
        let linked = stateful.slots.iter().enumerate();
        self.all.push(Memory {
            rule,
            name: definition.name.clone(),
            identity: stateful.identity(),
            by: stateful.by.iter().map(field).collect::<Result<_, _>>()?,
            own,
            capture: Capture {
                slots: slots?,
                names: stateful
                    .slots
                    .iter()
                    .map(|slot| slot.name.as_str().into())
                    .collect(),
                linked: linked
                    .filter(|(_, slot)| slot.linked)
                    .map(|(at, _)| at)
                    .collect(),
            },
            work,
        });
        Ok(roots)
    }
}
