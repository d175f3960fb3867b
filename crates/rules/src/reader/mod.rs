//! From YAML to definitions: which keys an item has, of which types, with what defaults.
//!
//! What an item refers to is not looked at here; see [`crate::state`].

mod exceptions;
mod keys;
mod rule;
mod stateful;
mod value;

use diag::{SourceId, nearest::nearest};

use crate::code;
use crate::context::{Context, Item};
use crate::definition::{
    Condition, ListDef, MacroDef, Order, PluginGroup, RuleDef, RuleUpdate, Text, Version,
};
use crate::finding::{Class, Finding};
use crate::yaml::{Kind, NodeId, Tree};

pub(crate) use keys::Overrides;

/// A decoded item.
#[derive(Debug)]
pub(crate) enum Decoded {
    Engine(Version, Context),
    Plugins(Vec<PluginGroup>),
    List {
        list: ListDef,
        append: bool,
    },
    Macro {
        definition: MacroDef,
        append: bool,
    },
    Rule(Box<RuleDef>),
    Updates {
        append: Option<Box<RuleUpdate>>,
        replace: Option<Box<RuleUpdate>>,
    },
    Enable {
        name: String,
        enabled: bool,
        context: Context,
    },
    /// Nothing to do: an unknown kind of item.
    Nothing,
}

/// The item cannot be used; the finding says why.
pub(crate) type Refused<T> = Result<T, Box<Finding>>;

/// Reads the items of one file.
pub(crate) struct Reader<'r, 't> {
    pub(crate) tree: &'r Tree<'t>,
    pub(crate) source: SourceId,
    /// Warnings so far.
    pub(crate) findings: Vec<Finding>,
}

pub(crate) fn invalid(
    code: &'static diag::Code,
    context: &Context,
    message: impl Into<String>,
) -> Box<Finding> {
    Box::new(Finding::new(code, Class::ErrYamlValidate, context, message))
}

impl<'r, 't> Reader<'r, 't> {
    pub(crate) fn new(tree: &'r Tree<'t>, source: SourceId) -> Self {
        Self {
            tree,
            source,
            findings: Vec::new(),
        }
    }

    /// The items of a document. `None` for a null document.
    pub(crate) fn items(&self, document: NodeId, file: &Context) -> Refused<&'r [NodeId]> {
        match &self.tree.node(document).kind {
            Kind::Null => Ok(&[]),
            Kind::Sequence(items) => Ok(items),
            Kind::Scalar(_) => Err(invalid(
                &code::NOT_RULES,
                file,
                "the file holds a single text, not a list of rules",
            )
            .at_node(self, document)),
            Kind::Mapping(_) => Err(invalid(
                &code::NOT_RULES,
                file,
                "the file holds a mapping, not a list of rules; each item begins with a dash",
            )
            .at_node(self, document)),
        }
    }

    /// Decodes one item.
    pub(crate) fn item(&mut self, item: NodeId, file: &Context) -> Refused<Decoded> {
        if !matches!(self.tree.node(item).kind, Kind::Mapping(_)) {
            let context = self.step(file, Item::RulesContentItem, "", item);
            return Err(invalid(
                &code::NOT_AN_ITEM,
                &context,
                "each element of a rule file is a mapping such as `- rule: ...`",
            ));
        }
        self.warn_repeated(item, file);
        let has = |key| self.tree.value(item, key).is_some();
        if has("required_engine_version") {
            self.engine(item, file)
        } else if has("required_plugin_versions") {
            self.plugins(item, file)
        } else if has("list") {
            self.list(item, file)
        } else if has("macro") {
            self.macro_(item, file)
        } else if has("rule") {
            self.rule(item, file)
        } else {
            let context = self.step(file, Item::RulesContentItem, "", item);
            let mut finding = Finding::new(
                &code::UNKNOWN_ITEM,
                Class::UnknownItem,
                &context,
                "unknown kind of item",
            );
            for &(key, _) in self.tree.entries(item) {
                let name = self.tree.text(key).unwrap_or_default();
                if let Some(kind) = nearest(name, keys::KINDS.iter().copied()) {
                    let span = self.span(key);
                    finding = finding
                        .with(|d| d.suggest(span, kind, format!("`{kind}` is a kind of item")));
                    break;
                }
            }
            self.findings.push(finding);
            Ok(Decoded::Nothing)
        }
    }

    fn engine(&mut self, item: NodeId, file: &Context) -> Refused<Decoded> {
        let context = self.step(file, Item::RequiredEngineVersion, "", item);
        let (text, node) = self.scalar(item, "required_engine_version", &context)?;
        let version = match crate::yaml::scalar::unsigned(text) {
            Some(minor) => Some(Version::new(0, minor, 0)),
            None => Version::parse(text),
        };
        let Some(version) = version else {
            let message = format!("`{text}` is no engine version; write `0.31.0` or `31`");
            return Err(invalid(&code::BAD_VERSION, &context, message).at_node(self, node));
        };
        self.warn_unknown(item, keys::ENGINE, &context);
        Ok(Decoded::Engine(version, context))
    }

    fn plugins(&mut self, item: NodeId, file: &Context) -> Refused<Decoded> {
        let Some(value) = self.tree.value(item, "required_plugin_versions") else {
            return Ok(Decoded::Nothing);
        };
        let context = self.step(file, Item::RequiredPluginVersions, "", value);
        let Kind::Sequence(entries) = &self.tree.node(value).kind else {
            return Err(invalid(
                &code::NOT_A_SEQUENCE,
                &context,
                "`required_plugin_versions` takes a list of plugins",
            ));
        };
        let mut groups = Vec::new();
        for &entry in entries {
            let step = self.step(&context, Item::RequiredPluginVersionsEntry, "", entry);
            let mut group = PluginGroup {
                alternatives: vec![self.plugin(entry, &step)?],
                context: step.clone(),
            };
            if let Some(others) = self.tree.value(entry, "alternatives") {
                let Kind::Sequence(others) = &self.tree.node(others).kind else {
                    let message = "`alternatives` takes a list of plugins";
                    return Err(invalid(&code::NOT_A_SEQUENCE, &step, message));
                };
                for &other in others {
                    let step = self.step(&step, Item::RequiredPluginVersionsAlternative, "", other);
                    let plugin = self.plugin(other, &step)?;
                    if group.alternatives.iter().any(|(name, _)| *name == plugin.0) {
                        let message = format!("plugin `{}` stands twice in one group", plugin.0);
                        return Err(Box::new(Finding::new(
                            &code::BAD_VERSION,
                            Class::ErrValidate,
                            &step,
                            message,
                        )));
                    }
                    group.alternatives.push(plugin);
                }
            }
            groups.push(group);
        }
        self.warn_unknown(item, keys::PLUGINS, &context);
        Ok(Decoded::Plugins(groups))
    }

    fn plugin(&self, entry: NodeId, context: &Context) -> Refused<(String, Version)> {
        let (name, _) = self.scalar(entry, "name", context)?;
        let (text, node) = self.scalar(entry, "version", context)?;
        match Version::parse(text) {
            Some(version) => Ok((name.to_owned(), version)),
            None => {
                let message = format!("`{text}` is no version; write three numbers, `1.2.3`");
                Err(Box::new(
                    Finding::new(&code::BAD_VERSION, Class::ErrValidate, context, message)
                        .at(self.span(node), ""),
                ))
            }
        }
    }

    fn list(&mut self, item: NodeId, file: &Context) -> Refused<Decoded> {
        let unnamed = self.step(file, Item::List, "", item);
        let (name, node) = self.scalar(item, "list", &unnamed)?;
        let context = self.step(file, Item::List, name, item);
        if !crate::reader::keys::is_bare(name) {
            self.findings.push(
                Finding::new(
                    &code::LIST_NAME,
                    Class::InvalidListName,
                    &context,
                    format!("`{name}` should have no blanks, quotes, parentheses, `,` and `=`"),
                )
                .at(self.span(node), ""),
            );
        }
        let items = self.sequence(item, "items", &context)?.unwrap_or_default();
        let append = self.append_flag(item, &context)?;
        let overrides =
            self.overrides(item, keys::LIST_OVERRIDES, keys::LIST_OVERRIDES, &context)?;
        self.not_both(append, &overrides, &context)?;
        let append = append || overrides.append.iter().any(|k| k == "items");
        self.warn_unknown(item, keys::LIST, &context);
        let list = ListDef {
            name: name.to_owned(),
            items,
            context,
            order: Order::default(),
        };
        Ok(Decoded::List { list, append })
    }

    fn macro_(&mut self, item: NodeId, file: &Context) -> Refused<Decoded> {
        let unnamed = self.step(file, Item::Macro, "", item);
        let (name, node) = self.scalar(item, "macro", &unnamed)?;
        let context = self.step(file, Item::Macro, name, item);
        if !keys::is_identifier(name) {
            self.findings.push(
                Finding::new(
                    &code::MACRO_NAME,
                    Class::InvalidMacroName,
                    &context,
                    format!(
                        "`{name}` is no word of letters, digits and `_`, so no condition can use it"
                    ),
                )
                .at(self.span(node), ""),
            );
        }
        let condition = self.condition(item, Item::MacroCondition, &context)?;
        let append = self.append_flag(item, &context)?;
        let overrides =
            self.overrides(item, keys::MACRO_OVERRIDES, keys::MACRO_OVERRIDES, &context)?;
        self.not_both(append, &overrides, &context)?;
        let append = append || overrides.append.iter().any(|k| k == "condition");
        self.warn_unknown(item, keys::MACRO, &context);
        let definition = MacroDef {
            name: name.to_owned(),
            condition,
            context,
            order: Order::default(),
        };
        Ok(Decoded::Macro { definition, append })
    }

    /// A condition with its place.
    fn condition(&self, item: NodeId, kind: Item, context: &Context) -> Refused<Condition> {
        self.condition_at(item, "condition", kind, context)
    }

    /// A condition under any key.
    fn condition_at(
        &self,
        item: NodeId,
        key: &str,
        kind: Item,
        context: &Context,
    ) -> Refused<Condition> {
        let (written, node) = self.written(item, key, context)?;
        Ok(Condition {
            parts: vec![written],
            context: self.step(context, kind, "", node),
        })
    }

    /// A sequence of texts; `None` where the key is absent and `items` is not asked for.
    fn sequence(&self, item: NodeId, key: &str, context: &Context) -> Refused<Option<Vec<Text>>> {
        let Some(value) = self.tree.value(item, key) else {
            if key == "items" {
                return Err(self.missing(item, key, context));
            }
            return Ok(None);
        };
        let step = self.step(context, Item::ValueFor, key, value);
        let Kind::Sequence(elements) = &self.tree.node(value).kind else {
            let message = format!("`{key}` takes a list: `[a, b]`, or a dash before each element");
            return Err(invalid(&code::NOT_A_SEQUENCE, &step, message));
        };
        let mut texts = Vec::with_capacity(elements.len());
        for &element in elements {
            let Some(text) = self.tree.text(element) else {
                let message = format!("an element of `{key}` is not a text");
                return Err(invalid(&code::NOT_A_SCALAR, &step, message).at_node(self, element));
            };
            texts.push(Text {
                value: text.to_owned(),
                span: self.span(element),
            });
        }
        Ok(Some(texts))
    }
}

/// Points a finding at a node instead of at its context.
trait AtNode {
    fn at_node(self, reader: &Reader<'_, '_>, node: NodeId) -> Self;
}

impl AtNode for Box<Finding> {
    fn at_node(mut self, reader: &Reader<'_, '_>, node: NodeId) -> Self {
        self.diagnostic = self.diagnostic.at(reader.span(node), "");
        self
    }
}
