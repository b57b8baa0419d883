//! Lines of a given width. Widths count characters: what is printed here is one column a character.

/// Breaks `text` at spaces into lines of at most `width`, every line but the first led by `indent`.
/// A word longer than a line stands alone, whole.
pub fn wrap(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let led = if lines.is_empty() { "" } else { indent };
        if line.is_empty() {
            line = format!("{led}{word}");
        } else if len(&line) + 1 + len(word) <= width {
            line.push(' ');
            line += word;
        } else {
            lines.push(std::mem::take(&mut line));
            line = format!("{indent}{word}");
        }
    }
    lines.push(line);
    lines
}

/// A paragraph: wrapped, each line ended.
pub(in crate::report) fn paragraph(text: &str, width: usize) -> String {
    wrap(text, width, "")
        .iter()
        .map(|line| format!("{line}\n"))
        .collect()
}

/// A paragraph whose lines all begin with an indent.
pub(in crate::report) fn indented(text: &str, width: usize, indent: &str) -> String {
    wrap(text, width.saturating_sub(len(indent)), "")
        .iter()
        .map(|line| format!("{indent}{line}\n"))
        .collect()
}

/// `text` cut to `width`, with an ellipsis where something is missing.
pub(super) fn fit(text: &str, width: usize) -> String {
    if len(text) <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// `text` cut or padded to exactly `width`.
pub(super) fn cell(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let padding = width - len(&text);
    format!("{text}{:padding$}", "")
}

/// Splits a list that is too long for `most` into what is shown of its beginning, what is left out, and what is shown of
/// its end. Of a list that fits, all is beginning.
pub(super) fn ends<T>(items: &[T], most: usize) -> (&[T], &[T], &[T]) {
    if items.len() <= most {
        return (items, &[], &[]);
    }
    let (first, rest) = items.split_at(most / 2);
    let (hidden, last) = rest.split_at(items.len() - most);
    (first, hidden, last)
}

/// Columns of a text.
pub(super) fn len(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_long_words_stay_whole() {
        assert_eq!(wrap("a bc def", 4, ""), ["a bc", "def"]);
        assert_eq!(wrap("- a bc def", 6, "  "), ["- a bc", "  def"]);
        assert_eq!(wrap("a bcdefgh i", 3, ""), ["a", "bcdefgh", "i"]);
        assert_eq!(wrap("", 3, ""), [""]);
    }

    #[test]
    fn long_lists_show_their_ends() {
        assert_eq!(ends(&[1, 2, 3], 3), (&[1, 2, 3][..], &[][..], &[][..]));
        assert_eq!(
            ends(&[1, 2, 3, 4, 5, 6], 3),
            (&[1][..], &[2, 3, 4][..], &[5, 6][..])
        );
    }

    #[test]
    fn cells_have_exactly_their_width() {
        assert_eq!(cell("ab", 4), "ab  ");
        assert_eq!(cell("abcdef", 4), "abc…");
        assert_eq!(cell("é≥✗", 3), "é≥✗");
    }
}
