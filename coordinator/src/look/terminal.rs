//! What fits on the terminal, and writing over what stands there.

use std::io::{self, IsTerminal as _};

use rustix::termios::tcgetwinsize;

/// The width of the terminal on standard output; none where there is no terminal.
pub(super) fn width() -> Option<usize> {
    let output = io::stdout();
    if !output.is_terminal() {
        return None;
    }
    // A terminal that does not tell, such as one that a test made, is as wide as they used to be.
    let told = tcgetwinsize(&output).map_or(0, |size| usize::from(size.ws_col));
    Some(if told == 0 { 80 } else { told })
}

/// The text with no line wider than `width`; what is cut off shows as `…`.
pub(super) fn cut(text: &str, width: usize) -> String {
    let cut = |line: &str| match line.chars().count() > width {
        true => {
            let kept: String = line.chars().take(width.saturating_sub(1)).collect();
            format!("{}…\n", kept.trim_end())
        }
        false => format!("{line}\n"),
    };
    text.lines().map(cut).collect()
}

/// What moves up over so many lines and wipes what stands from there on.
pub(super) fn over(lines: usize) -> String {
    match lines {
        0 => String::new(),
        lines => format!("\u{1b}[{lines}A\r\u{1b}[J"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_to_the_width_by_characters() {
        assert_eq!(cut("abc\nabcd\nüüüü\n", 3), "abc\nab…\nüü…\n");
        assert_eq!(cut("ab cd", 4), "ab…\n");
        assert_eq!(cut("", 4), "");
    }
}
