//! Colours of the terminal's text, or none.

use crate::record::Outcome;

/// Whether text is coloured. Colours repeat what the words say; nothing is lost without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// Text alone.
    Plain,
    /// ANSI escape codes.
    Ansi,
}

/// A colour by what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Good,
    Bad,
    Neutral,
}

impl Palette {
    pub(super) fn paint(self, colour: Colour, text: &str) -> String {
        self.wrap(
            text,
            match colour {
                Colour::Good => "\x1b[1;32m",
                Colour::Bad => "\x1b[1;31m",
                Colour::Neutral => "\x1b[1;33m",
            },
        )
    }

    pub(in crate::report) fn passed(self, passed: bool, text: &str) -> String {
        self.paint(if passed { Colour::Good } else { Colour::Bad }, text)
    }

    pub(super) fn outcome(self, outcome: Outcome) -> Colour {
        match outcome {
            Outcome::Promoted => Colour::Good,
            Outcome::RolledBack | Outcome::PromotionFailed => Colour::Bad,
            Outcome::Undecided | Outcome::NotStarted => Colour::Neutral,
        }
    }

    /// An outcome's name, in its colour.
    pub(in crate::report) fn outcome_name(self, outcome: Outcome, text: &str) -> String {
        self.paint(self.outcome(outcome), text)
    }

    pub(in crate::report) fn bold(self, text: &str) -> String {
        self.wrap(text, "\x1b[1m")
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.wrap(text, "\x1b[2m")
    }

    fn wrap(self, text: &str, code: &str) -> String {
        match self {
            Palette::Plain => text.to_owned(),
            Palette::Ansi => format!("{code}{text}\x1b[0m"),
        }
    }
}
