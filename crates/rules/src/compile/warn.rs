//! Warnings about conditions that compile, and about what nothing uses.

use filter::{Ast, Operand};

use super::{Compiler, Own};
use crate::code;
use crate::finding::{Class, Finding};
use crate::output::{self, WHOLE};

impl Compiler<'_, '_> {
    pub(super) fn warn_unsafe_na(&mut self, ast: &Ast, own: &Own<'_>) {
        use filter::Operator as Op;
        let unsafe_check = ast.checks().any(|(_, check)| {
            let Operand::Field(field) = &check.left else {
                return false;
            };
            let equality = check.operator.is_equality() || check.operator == Op::NotEqual;
            (field.name.starts_with("ka.") || field.name.starts_with("jevt."))
                && (equality || check.operator.takes_list())
                && check.right.constants().iter().any(|c| c.bytes == b"<NA>")
        });
        if unsafe_check {
            self.findings.push(Finding::new(
                &code::UNSAFE_NA,
                Class::UnsafeNaCheck,
                &own.definition.context,
                "a comparison with `<NA>` is never true",
            ));
        }
    }

    /// One warning for each old field that the condition uses.
    pub(super) fn warn_old_fields(&mut self, ast: &Ast, own: &Own<'_>) {
        for field in output::OLD_FIELDS {
            let used = ast.checks().find(|(_, check)| match &check.left {
                Operand::Field(f) => f.name == field,
                Operand::Transformer(_) => false,
            });
            let Some((expr, _)) = used else { continue };
            let definition = own.definition;
            let place = (expr.span.start as usize, expr.span.end as usize);
            let message = match field {
                "evt.dir" => "`evt.dir = <` is always true and `evt.dir = >` never, as events are not split any more".to_owned(),
                _ => format!("`{field}` is always 0"),
            };
            let mut finding = self.in_condition(
                (&code::OLD_FIELD, Class::DeprecatedItem, message),
                expr.source,
                (0, place),
                own,
            );
            finding.context = definition.condition.context.expression(
                self.map,
                &definition.condition.text(),
                WHOLE,
            );
            finding.deprecated_field = Some(field.to_owned());
            self.findings.push(finding);
        }
    }

    pub(super) fn warn_unused(&mut self) {
        for (definition, used) in self.state.macros.iter().zip(&self.macros.used) {
            if !used {
                let message = format!("macro `{}` is not used", definition.name);
                self.findings.push(Finding::new(
                    &code::UNUSED_MACRO,
                    Class::UnusedMacro,
                    &definition.context,
                    message,
                ));
            }
        }
        for (definition, list) in self.state.lists.iter().zip(self.lists.entries()) {
            if !list.used {
                let message = format!("list `{}` is not used", definition.name);
                self.findings.push(Finding::new(
                    &code::UNUSED_LIST,
                    Class::UnusedList,
                    &definition.context,
                    message,
                ));
            }
        }
    }
}
