//! Colours and lettering that all figures share: dark on light, told apart by people who see fewer colours
//! (Okabe and Ito, "Color Universal Design", 2008).

use plotters::prelude::{Color, FontDesc, FontFamily, FontStyle, RGBColor, TextStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::canary::Phase;

/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x26, 0x2b);
/// What is there to be compared with.
pub(super) const QUIET: RGBColor = RGBColor(0x6b, 0x72, 0x7a);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(0xd0, 0xd6, 0xdb);
/// All users, the primary.
pub(super) const PRIMARY: RGBColor = RGBColor(0x00, 0x72, 0xb2);
/// The canary.
pub(super) const CANARY: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
/// A check that held.
pub(super) const PASSED: RGBColor = RGBColor(0x00, 0x9e, 0x73);
/// A check that failed.
pub(super) const FAILED: RGBColor = RGBColor(0xc4, 0x1e, 0x2a);

/// A fault that was put in.
pub(super) const FAULT: RGBColor = RGBColor(0xf0, 0xc4, 0xa4);

/// Size of ordinary text, in pixels.
pub(super) const TEXT: i32 = 19;

/// A phase on the strip.
pub(super) fn phase(phase: Phase) -> RGBColor {
    match phase {
        Phase::Progressing => RGBColor(0xd3, 0xe5, 0xf5),
        Phase::Waiting | Phase::WaitingPromotion => RGBColor(0xff, 0xee, 0xc2),
        Phase::Promoting | Phase::Finalising => RGBColor(0xdd, 0xda, 0xf2),
        Phase::Succeeded => RGBColor(0xcf, 0xed, 0xdc),
        Phase::Failed => RGBColor(0xf8, 0xd5, 0xd2),
        _ => RGBColor(0xe6, 0xe8, 0xea),
    }
}

/// A phase as a band behind a plot: half-way to white.
pub(super) fn band(phase: Phase) -> RGBColor {
    let RGBColor(r, g, b) = self::phase(phase);
    let lighter = |part: u8| part / 2 + 0x80;
    RGBColor(lighter(r), lighter(g), lighter(b))
}

/// Lettering of `size` pixels, anchored at the left (or right, or centre) of its vertical middle.
pub(super) fn letters(size: i32, colour: RGBColor, anchor: HPos) -> TextStyle<'static> {
    styled(size, colour, anchor, FontStyle::Normal)
}

/// The same in bold.
pub(super) fn bold(size: i32, colour: RGBColor, anchor: HPos) -> TextStyle<'static> {
    styled(size, colour, anchor, FontStyle::Bold)
}

fn styled(size: i32, colour: RGBColor, anchor: HPos, style: FontStyle) -> TextStyle<'static> {
    // plotters divides the size by this on its way to the SVG.
    let font = FontDesc::new(FontFamily::SansSerif, f64::from(size) * 1.24, style);
    TextStyle {
        color: colour.to_backend_color(),
        pos: Pos::new(anchor, VPos::Center),
        ..TextStyle::from(font)
    }
}

/// About how wide a text is, in pixels: what the reader's font makes of it is not known here.
pub(super) fn width(text: &str, size: i32) -> i32 {
    let hundredths: i32 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 'f' | 't' | 'r' | 'I' | ' ' | '.' | ',' | ':' | ';' => 36,
            'm' | 'w' | 'M' | 'W' | '<' | '>' | '≥' | '≤' | '%' => 92,
            'A'..='Z' | '=' => 74,
            _ => 62,
        })
        .sum();
    hundredths * size / 100
}
