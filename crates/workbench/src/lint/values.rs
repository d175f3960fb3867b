//! Single comparisons that do less, or more, than they seem to.

use diag::Diagnostic;
use filter::{Ast, Check, ExprId, ExprKind, Operand, Operator, Right};

use super::logic::shown;
use super::pieces::Thing;
use super::{Condition, Subject, advice, code};

/// Directories at the root of a system: a path that begins with one is meant from its beginning.
const ROOTS: [&str; 20] = [
    "/bin/", "/boot/", "/dev/", "/etc/", "/home/", "/lib/", "/lib64/", "/media/", "/mnt/", "/opt/",
    "/proc/", "/root/", "/run/", "/sbin/", "/srv/", "/sys/", "/tmp/", "/usr/", "/var/", "/snap/",
];

/// Fields whose values are absolute paths.
const PATHS: [&str; 15] = [
    "fd.name",
    "fd.directory",
    "fs.path.name",
    "fs.path.source",
    "fs.path.target",
    "proc.exepath",
    "proc.pexepath",
    "proc.aexepath",
    "proc.cwd",
    "fd.nameraw",
    "fs.path.nameraw",
    "evt.abspath",
    "proc.exe",
    "proc.pexe",
    "evt.arg.filename",
];

/// Names that a process, or who starts it, chooses.
const NAMES: [&str; 6] = [
    "proc.name",
    "proc.pname",
    "proc.aname",
    "proc.sname",
    "proc.pgid.name",
    "proc.vpgid.name",
];

pub(super) fn look(subject: &Subject<'_>, condition: &Condition<'_>, found: &mut Vec<Diagnostic>) {
    let ast = &condition.ast;
    for (id, expr) in ast.exprs() {
        let ExprKind::Check(check) = &expr.kind else {
            continue;
        };
        let Operand::Field(field) = &check.left else {
            continue;
        };
        let span = condition.span(expr.span);
        if check.operator == Operator::NotEqual
            && may_be_missing(&field.name)
            && !is_asked_for(subject, ast, id, &field.name)
        {
            found.push(
                advice(
                    &code::NOT_EQUAL_MISSING,
                    span,
                    format!(
                        "`{}` does not hold where there is no `{}`",
                        shown(&check.to_string()),
                        field.text()
                    ),
                )
                .suggest(span, negated(check), "this holds there too"),
            );
        }
        if PATHS.contains(&field.name.as_str()) && !begins_elsewhere(ast, id, &field.name) {
            paths(condition, check, span, found);
        }
        misspelt_lists(subject, condition, check, found);
    }
    names(subject, condition, found);
}

/// `not field = value`
fn negated(check: &Check) -> String {
    let mut equal = check.clone();
    equal.operator = Operator::Equal;
    format!("not {equal}")
}

/// Whether an event can lack the field.
fn may_be_missing(name: &str) -> bool {
    [
        "fd.",
        "fs.",
        "evt.arg",
        "evt.rawarg",
        "evt.res",
        "evt.rawres",
        "container.image",
        "container.name",
        "k8s.",
        "ka.",
        "proc.p",
        "proc.a",
        "proc.sname",
    ]
    .iter()
    .any(|class| name.starts_with(class))
        && !matches!(name, "proc.pid" | "proc.ppid" | "proc.args")
}

/// Whether what stands beside it in the same `and`s asks for a value of the same kind anyhow.
fn is_asked_for(subject: &Subject<'_>, ast: &Ast, at: ExprId, name: &str) -> bool {
    let class = name.split('.').next().unwrap_or(name);
    let mut below = at;
    for (id, expr) in ast.exprs() {
        if id <= below || !expr.kind.children().contains(&below) {
            continue;
        }
        if let ExprKind::And(all) = &expr.kind
            && all
                .iter()
                .any(|&one| one != below && asks(subject, ast, one, class, 0))
        {
            return true;
        }
        below = id;
    }
    false
}

/// Whether the `and` around a comparison says how the path begins: the rest may be anywhere then.
fn begins_elsewhere(ast: &Ast, at: ExprId, field: &str) -> bool {
    ast.exprs().any(|(_, expr)| match &expr.kind {
        ExprKind::And(all) if all.contains(&at) => all.iter().any(|&one| {
            one != at
                && matches!(&ast.expr(one).kind, ExprKind::Check(check)
                    if matches!(&check.left, Operand::Field(other) if other.name == field)
                        && matches!(check.operator, Operator::StartsWith | Operator::PMatch))
        }),
        _ => false,
    })
}

/// Whether an expression holds only where a field of the class has a value.
fn asks(subject: &Subject<'_>, ast: &Ast, id: ExprId, class: &str, depth: usize) -> bool {
    const DEEPEST: usize = 12;
    if depth > DEEPEST {
        return false;
    }
    match &ast.expr(id).kind {
        ExprKind::Check(check) => match &check.left {
            Operand::Field(field) => {
                field.name.split('.').next() == Some(class)
                    || (class == "fd" && field.name.starts_with("evt.is_open"))
            }
            Operand::Transformer(_) => false,
        },
        ExprKind::And(all) => all
            .iter()
            .any(|&one| asks(subject, ast, one, class, depth + 1)),
        ExprKind::Or(all) => all
            .iter()
            .all(|&one| asks(subject, ast, one, class, depth + 1)),
        ExprKind::Not(_) => false,
        ExprKind::Macro(name) => subject
            .macro_named(name)
            .and_then(|one| one.ast.as_ref())
            .is_some_and(|body| asks(subject, body, body.root(), class, depth + 1)),
    }
}

fn paths(condition: &Condition<'_>, check: &Check, span: diag::Span, found: &mut Vec<Diagnostic>) {
    for literal in check.right.constants() {
        let Ok(value) = std::str::from_utf8(&literal.bytes) else {
            continue;
        };
        let directory = format!("{}/", value.trim_end_matches('/'));
        let at_root = ROOTS.iter().any(|root| directory.starts_with(root));
        match check.operator {
            Operator::Contains if at_root && value.ends_with('/') => {
                let mut diagnostic = advice(
                    &code::CONTAINS_PATH,
                    span,
                    format!(
                        "`{}` holds for any path with {value} somewhere in it",
                        shown(&check.to_string())
                    ),
                );
                if check.modifier.is_none() {
                    diagnostic = diagnostic.suggest(
                        condition.span(check.operator_span),
                        "startswith",
                        "from the beginning of the path",
                    );
                }
                found.push(diagnostic);
                return;
            }
            Operator::StartsWith
                if ROOTS.contains(&directory.as_str())
                    && !value.ends_with('/')
                    && value.len() > 1 =>
            {
                found.push(
                    advice(
                        &code::PREFIX_WITHOUT_END,
                        span,
                        format!(
                            "`{}` holds for names that only begin like {value}, too",
                            shown(&check.to_string())
                        ),
                    )
                    .suggest(
                        condition.span(literal.span),
                        directory,
                        "with the slash at its end",
                    ),
                );
                return;
            }
            _ => {}
        }
    }
}

/// A word among constants that is nearly a list's name.
fn misspelt_lists(
    subject: &Subject<'_>,
    condition: &Condition<'_>,
    check: &Check,
    found: &mut Vec<Diagnostic>,
) {
    let Right::List(all, _) = &check.right else {
        return;
    };
    for literal in all {
        let Ok(word) = std::str::from_utf8(&literal.bytes) else {
            continue;
        };
        if !word.contains('_') || word.len() < 8 || subject.list(word).is_some() {
            continue;
        }
        let quoted = (literal.span.end - literal.span.start) as usize != literal.bytes.len();
        let names = subject.set.lists.iter().map(|list| list.name.as_str());
        if let Some(near) = diag::nearest::nearest(word, names).filter(|_| !quoted) {
            let span = condition.span(literal.span);
            found.push(
                advice(
                    &code::EMPTY_LIST_ITEM,
                    span,
                    format!("`{word}` is no list, so it is compared as it stands"),
                )
                .suggest(span, near, format!("there is a list `{near}`")),
            );
        }
    }
}

/// The first comparison with a name, where nothing in the item looks at the file that runs.
fn names(subject: &Subject<'_>, condition: &Condition<'_>, found: &mut Vec<Diagnostic>) {
    let ast = &condition.ast;
    if looks_at_file(subject, ast, 0) || condition.item.changes {
        return;
    }
    // Whether each expression stands below an odd number of `not`s.
    let mut odd = vec![false; ast.exprs().len()];
    for (id, expr) in ast.exprs().rev() {
        let flip = matches!(expr.kind, ExprKind::Not(_));
        for child in expr.kind.children() {
            odd[child.index()] = odd[id.index()] != flip;
        }
    }
    for (id, expr) in ast.exprs() {
        let ExprKind::Check(check) = &expr.kind else {
            continue;
        };
        let Operand::Field(field) = &check.left else {
            continue;
        };
        let named = NAMES.contains(&field.name.as_str())
            && !matches!(check.operator, Operator::Exists | Operator::NotEqual);
        if !named {
            continue;
        }
        // A process of which nothing is known has no name that anybody gave it.
        let nameless =
            |literal: &filter::Literal| matches!(literal.bytes.as_slice(), b"<NA>" | b"N/A" | b"");
        if check.right.constants().iter().all(nameless) {
            continue;
        }
        let text = shown(&check.to_string());
        let message = if condition.item.thing == Thing::Macro {
            format!("`{text}` goes by the name alone: anybody can bear it, and a copy need not")
        } else if odd[id.index()] {
            format!("`{text}` excludes whatever bears the name")
        } else {
            format!("`{text}` misses a copy under another name")
        };
        found.push(advice(&code::NAME_ONLY, condition.span(expr.span), message));
        return;
    }
}

/// Whether a condition, or a macro that it uses, asks which file runs.
fn looks_at_file(subject: &Subject<'_>, ast: &Ast, depth: usize) -> bool {
    const FILE: [&str; 11] = [
        "proc.exepath",
        "proc.pexepath",
        "proc.aexepath",
        "proc.exe",
        "proc.pexe",
        "proc.aexe",
        "proc.is_exe",
        "proc.exe_ino",
        "proc.cmdline",
        "proc.args",
        "proc.pcmdline",
    ];
    let in_checks = ast.checks().any(|(_, check)| {
        let text = match &check.left {
            Operand::Field(field) => field.name.clone(),
            Operand::Transformer(_) => check.to_string(),
        };
        FILE.iter().any(|field| text.contains(field))
    });
    in_checks
        || (depth < 8
            && ast.macros().any(|(_, name)| {
                subject
                    .macro_named(name)
                    .and_then(|one| one.parsed.as_ref())
                    .is_some_and(|body| looks_at_file(subject, body, depth + 1))
            }))
}
