//! Findings as text, in the look of the Rust compiler's messages.

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::{SourceId, SourceMap, Span};

/// Longest line that is shown whole; a condition on one line of a megabyte is cut.
const WIDTH: usize = 140;

/// Renders one finding. The text ends without a newline.
#[must_use]
pub fn render(sources: &SourceMap, diagnostic: &Diagnostic, colour: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Advice => Level::INFO.with_name("advice"),
    };
    let id = match diagnostic.falco_code {
        Some(falco) => format!("{} {falco}", diagnostic.code.id),
        None => diagnostic.code.id.to_owned(),
    };
    let message = printable(&diagnostic.message);
    let labels: Vec<(&Label, bool)> = diagnostic
        .primary
        .iter()
        .map(|l| (l, true))
        .chain(diagnostic.labels.iter().map(|l| (l, false)))
        .collect();
    let texts: Vec<String> = labels.iter().map(|(l, _)| printable(&l.text)).collect();
    let notes: Vec<String> = diagnostic.notes.iter().map(|n| printable(n)).collect();

    let mut main = Group::with_title(level.primary_title(message.as_str()).id(id.as_str()));
    let mut shown: Vec<SourceId> = Vec::new();
    for (label, _) in &labels {
        let id = label.span.source;
        if shown.contains(&id) {
            continue;
        }
        shown.push(id);
        let excerpt = Excerpt::around(sources, id, labels.iter().map(|(l, _)| l.span));
        let mut snippet = Snippet::source(excerpt.text)
            .line_start(excerpt.line)
            .path(printable(&sources.source(id).name))
            .fold(true);
        for ((l, primary), text) in labels.iter().zip(&texts) {
            if l.span.source == id {
                let kind = if *primary {
                    AnnotationKind::Primary
                } else {
                    AnnotationKind::Context
                };
                snippet = snippet.annotation(kind.span(excerpt.range(l.span)).label(text.as_str()));
            }
        }
        main = main.element(snippet);
    }
    for note in &notes {
        main = main.element(Level::NOTE.message(note.as_str()));
    }

    let mut report = vec![main];
    let suggestions: Vec<(String, String)> = diagnostic
        .suggestions
        .iter()
        .map(|s| (printable(&s.message), printable(&s.replacement)))
        .collect();
    for (suggestion, (message, replacement)) in diagnostic.suggestions.iter().zip(&suggestions) {
        let id = suggestion.span.source;
        let excerpt = Excerpt::around(sources, id, std::iter::once(suggestion.span));
        report.push(
            Level::HELP.secondary_title(message.as_str()).element(
                Snippet::source(excerpt.text)
                    .line_start(excerpt.line)
                    .path(printable(&sources.source(id).name))
                    .fold(true)
                    .patch(Patch::new(
                        excerpt.range(suggestion.span),
                        replacement.as_str(),
                    )),
            ),
        );
    }
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.term_width(WIDTH).render(&report)
}

/// The lines of a text that some spans touch: a 50 MB file is not handed to the renderer whole.
struct Excerpt<'s> {
    text: &'s str,
    start: usize,
    line: usize,
}

impl<'s> Excerpt<'s> {
    fn around(sources: &'s SourceMap, id: SourceId, spans: impl Iterator<Item = Span>) -> Self {
        let source = sources.source(id);
        let (mut first, mut last) = (usize::MAX, 0);
        for span in spans.filter(|s| s.source == id) {
            first = first.min(span.start);
            last = last.max(span.end);
        }
        let first = source.floor(first.min(source.text.len()));
        let last = source.floor(last.max(first));
        let start = source.text[..first].rfind('\n').map_or(0, |at| at + 1);
        let end = source.text[last..]
            .find('\n')
            .map_or(source.text.len(), |at| last + at);
        Self {
            text: &source.text[start..end],
            start,
            line: source.place(start).line,
        }
    }

    fn range(&self, span: Span) -> std::ops::Range<usize> {
        let clamp = |offset: usize| {
            let mut at = offset.saturating_sub(self.start).min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (clamp(span.start), clamp(span.end));
        start..end.max(start)
    }
}

/// Makes control characters visible: texts come from files that anyone may have written, and an
/// escape sequence in a rule's name must not drive the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '\n',
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}
