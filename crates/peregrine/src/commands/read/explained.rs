//! What sources beside system calls know of an event: fields of audit events are built in, those of plugins come with the
//! configuration that loads them.

use anyhow::Result;
use audit::{Body, Limits};
use config::Settings;
use event::codes;
use fields::{Catalogue, EventView};
use plugins::Event;

use crate::sources::running::Values;
use crate::sources::{Running, SYSCALL, SourceSchema, SourceView, Sources};

/// Numbers of the audit plugin and its variants in captures.
const AUDIT_IDS: [u32; 5] = [audit::PLUGIN_ID, 9, 16, 21, 22];

/// Fields of all sources, and what is at work for each.
pub(in crate::commands) struct Explained {
    /// All fields.
    pub(in crate::commands) schema: SourceSchema,
    sources: Vec<Origin>,
    limits: Limits,
}

struct Origin {
    name: String,
    plugin: String,
    id: u32,
    running: Vec<Running>,
}

impl Explained {
    /// With the plugins of a configuration, if there is one.
    ///
    /// # Errors
    /// When a plugin cannot be loaded or started.
    pub(in crate::commands) fn new(
        catalogue: &Catalogue,
        settings: Option<&Settings>,
    ) -> Result<Self> {
        let mut schema = SourceSchema::everything(catalogue);
        let mut origins = Vec::new();
        if let Some(settings) = settings {
            let sources = Sources::of(catalogue, settings, true)?;
            for plugin in sources.plugins().configured() {
                schema.add(plugin.first, &plugin.fields);
            }
            for name in sources.names() {
                let own = sources.plugins().source(name).map(|plugin| &plugin.info);
                origins.push(Origin {
                    name: name.to_owned(),
                    plugin: own.map(|info| info.name.clone()).unwrap_or_default(),
                    id: own.map_or(0, |info| info.id),
                    running: sources.plugins().start(name, false)?,
                });
            }
        }
        Ok(Self {
            schema,
            sources: origins,
            limits: Limits::default(),
        })
    }

    /// Hands what is known of an event to `visit`.
    pub(in crate::commands) fn with<T>(
        &self,
        view: &EventView<'_>,
        visit: impl FnOnce(&SourceView<'_>) -> T,
    ) -> T {
        let record = view.record;
        let code = record.code.number();
        let id = match code {
            codes::PLUGINEVENT_E | codes::ASYNCEVENT_E => record.u32(0).unwrap_or(0),
            _ => 0,
        };
        let own = self.sources.iter().find(|origin| match id {
            0 => origin.name == SYSCALL,
            id => origin.id == id,
        });
        let audited = own.is_none_or(|own| own.id == 0) && AUDIT_IDS.contains(&id);
        let body = (audited && code == codes::PLUGINEVENT_E)
            .then(|| Body::of_event(record.param(1), record.ts, &self.limits).ok())
            .flatten();
        let event = body.as_ref().and_then(|body| body.events().next());
        let shown = Event {
            number: view.context.number,
            source: match own {
                Some(own) => &own.name,
                None if audited => audit::SOURCE,
                None => "",
            },
            bytes: record.bytes(),
        };
        let running = own.map_or(&[][..], |own| &own.running);
        let base = EventView::new(record, view.state, view.context, view.env);
        visit(&SourceView {
            base,
            audit: event.map(|e| audit::View::new(e.node, e.time).with_zone(view.env.zone)),
            plugin: match own {
                Some(own) if !own.plugin.is_empty() => &own.plugin,
                _ if audited => "k8saudit",
                _ => "",
            },
            session: None,
            values: Values::new(running, shown, code, view.state),
        })
    }
}

/// Whether an event is one of a source beside system calls.
pub(in crate::commands) fn is_foreign(view: &EventView<'_>) -> bool {
    matches!(
        view.record.code.number(),
        codes::PLUGINEVENT_E | codes::ASYNCEVENT_E
    )
}
