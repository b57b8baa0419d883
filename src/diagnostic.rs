//! A message to the user about a place in a text they wrote: a scenario, a manifest, a query.
//!
//! Every part of the library that reads user text answers with one of these; `cli` renders it with the line shown.
//! Offsets are bytes into `text`.
//!
//! [`node`] holds values read from such a text together with their places, and turns them into typed ones.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

pub mod nearest;
pub mod node;
mod read;

pub use node::{Content, Key, Node, Place};

/// A text the user wrote, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// File name as the user would name it, or what stands for it (`--set`, `query`).
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl SourceText {
    /// A source of this name and text, shared by all that point into it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(SourceText {
            name: name.into(),
            text: text.into(),
        })
    }

    /// Line and column (both from 1, columns in characters) of a byte offset.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |tail| tail.chars().count())
            + 1;
        (line, column)
    }
}

/// What is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in one sentence that names the key.
    pub message: String,
    /// The text and the byte range in it, where there is one.
    pub place: Option<(Arc<SourceText>, Range<usize>)>,
    /// A word or two at the place itself.
    pub label: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A message without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Diagnostic {
            message: message.into(),
            place: None,
            label: None,
            help: None,
        }
    }

    /// Points into a text.
    pub fn at(mut self, source: &Arc<SourceText>, range: Range<usize>) -> Self {
        self.place = Some((Arc::clone(source), range));
        self
    }

    /// Points at the place of a value.
    pub fn at_place(self, place: &Place) -> Self {
        self.at(&place.0, place.1.clone())
    }

    /// Adds a word at the place.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// `file:line:column: message`, with the line shown and the help below it. No colours.
    pub fn render(&self) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(&*self.message));
        if let Some((source, range)) = &self.place {
            let len = source.text.len();
            let start = range.start.min(len);
            let end = range.end.clamp(start, len);
            let mut annotation = AnnotationKind::Primary.span(start..end);
            if let Some(label) = &self.label {
                annotation = annotation.label(&**label);
            }
            group = group.element(
                Snippet::source(&*source.text)
                    .path(&*source.name)
                    .annotation(annotation),
            );
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(&**help));
        }
        Renderer::plain().render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_file_line_column_and_help() {
        let source = SourceText::new("a.toml", "title = \"x\"\nsede = 1\n");
        let shown = Diagnostic::new("unknown key `sede`")
            .at(&source, 12..16)
            .help("did you mean `seed`?")
            .render();
        assert!(shown.contains("a.toml:2:1"), "{shown}");
        assert!(shown.contains("sede = 1"), "{shown}");
        assert!(shown.contains("did you mean `seed`?"), "{shown}");
    }

    #[test]
    fn places_outside_the_text_do_not_panic() {
        let source = SourceText::new("a", "é");
        assert_eq!(source.line_column(1), (1, 1));
        Diagnostic::new("x").at(&source, 50..70).render();
    }
}
