//! Markup that cannot be broken by what it shows: everything but literals is escaped.

use std::fmt::{self, Write};

/// HTML while it is written.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Our own markup: a literal, so that nothing that was read can get here.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Whatever was read, as text or between the quotes of an attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for char in text.chars() {
            match char {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(char),
                _ if is_unseen(char) => self.say(format_args!("\\u{{{:x}}}", u32::from(char))),
                _ => self.0.push(char),
            }
        }
        self
    }

    /// A number.
    pub(super) fn number(&mut self, number: usize) -> &mut Self {
        self.say(format_args!("{number}"));
        self
    }

    /// The value of an `id`, or what follows `#` in a link to it: letters, digits, `_`, and `-` between
    /// parts. Different parts make different anchors.
    pub(super) fn anchor(&mut self, parts: &[&str]) -> &mut Self {
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                self.0.push('-');
            }
            for byte in part.bytes() {
                match byte {
                    b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => self.0.push(byte.into()),
                    _ => self.say(format_args!("_{byte:02x}")),
                }
            }
        }
        self
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn say(&mut self, what: fmt::Arguments<'_>) {
        // A string takes whatever is written to it.
        let _ = self.0.write_fmt(what);
    }
}

/// Whether a character changes how others look without being seen itself: what is read on the page
/// must be what stands in the file.
fn is_unseen(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut html = Html::default();
        html.text(text);
        assert_eq!(html.finish(), expected);
    }

    #[test]
    fn what_was_read_is_text_wherever_it_stands() {
        check(
            "<script>alert(1)</script>",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
        );
        check("\" onload='x' &amp;", "&quot; onload=&#39;x&#39; &amp;amp;");
        check("a\n\tb", "a\n\tb");
    }

    #[test]
    fn what_would_not_be_seen_is_shown() {
        check("admin\u{202e}\u{2066}x", "admin\\u{202e}\\u{2066}x");
        check("a\0b\u{1b}[31m\r", "a\\u{0}b\\u{1b}[31m\\u{d}");
        check("ä €✅", "ä €✅");
    }

    #[test]
    fn different_parts_make_different_anchors() {
        let anchor = |parts: &[&str]| {
            let mut html = Html::default();
            html.anchor(parts);
            html.finish()
        };
        assert_eq!(anchor(&["T05", "Manager"]), "T05-Manager");
        assert_eq!(anchor(&["T-05", "\"x"]), "T_2d05-_22x");
        assert_ne!(anchor(&["a-b", "c"]), anchor(&["a", "b-c"]));
        assert_ne!(anchor(&["a_2d"]), anchor(&["a-"]));
    }
}
