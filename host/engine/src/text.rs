//! Text with a limit: what guests can make long is cut where it is written.

use std::fmt::{self, Write as _};

/// What stands for the rest of a text.
const CUT: char = '…';

/// The first bytes of a text, and `…` where there were more.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push(CUT);
    }
    text
}

/// The same of what may be too long to be written down before it is cut.
pub(crate) fn shown(what: impl fmt::Display, bytes_max: usize) -> String {
    let mut text = Bounded::new(bytes_max);
    // It fails when there is more than fits, which the text says.
    let _ = write!(text, "{what}");
    text.into_string()
}

/// A text that takes so many bytes: whoever writes more gets an error, and so stops early.
pub(crate) struct Bounded {
    text: String,
    bytes_max: usize,
    is_cut: bool,
}

impl Bounded {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { text: String::new(), bytes_max, is_cut: false }
    }

    /// What was written, with `…` at the end where it was cut.
    pub(crate) fn into_string(self) -> String {
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.is_cut {
            return Err(fmt::Error);
        }
        let room = self.bytes_max - self.text.len();
        if part.len() <= room {
            self.text.push_str(part);
            return Ok(());
        }
        self.text.push_str(&part[..part.floor_char_boundary(room)]);
        self.text.push(CUT);
        self.is_cut = true;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(cut("four".to_owned(), 4), "four");
        assert_eq!(cut("ääää".to_owned(), 5), "ää…");
        assert_eq!(shown("four", 4), "four");
        assert_eq!(shown(format_args!("{}{}", "ää", "ää"), 5), "ää…");
        assert_eq!(shown("four", 0), "…");
    }

    #[test]
    fn nothing_follows_what_was_cut() {
        let mut text = Bounded::new(8);
        assert!(text.write_str("ääää").is_ok() && text.write_str("🦀").is_err());
        assert!(text.write_str("").is_err() && text.write_str("x").is_err());
        assert_eq!(text.into_string(), "ääää…");
    }
}
