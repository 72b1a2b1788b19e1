//! JSON as it is written to others: pure ASCII where a terminal would act on a character, or hide it.

use std::fmt::Write;

/// `json` with control and formatting characters inside its texts as `\u` escapes: C1 controls, line and paragraph
/// separators, direction marks, zero-width characters. What it means stays the same.
pub fn escaped(json: String) -> String {
    if !json.contains(is_hidden) {
        return json;
    }
    let mut line = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(c);
        }
    }
    line
}

/// Characters that are not seen, or that change how others are: Unicode's general categories Cc, Cf, Zl and Zp, but for the
/// line's own end.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_not_show_is_escaped_and_means_the_same() {
        for text in
            ["a\u{9b}31m", "\u{202e}txt", "\u{2028}", "\u{7f}", "\u{1b}[2J\n", "\u{e0041}", "Tür 😀 {\"\\"]
        {
            let json = escaped(serde_json::to_string(text).expect("serialises"));
            assert!(!json.contains(is_hidden), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).expect("valid"), text);
        }
        assert_eq!(escaped("\"Tür 1\"\n".to_owned()), "\"Tür 1\"\n");
    }
}
