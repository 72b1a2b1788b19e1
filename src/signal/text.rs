//! Text of the server or of other people, made fit for one line of a terminal or a log.

use std::borrow::Cow;

use crate::event::is_hidden;

/// `text` in one line: white space collapsed, control characters (terminal escapes among them) and
/// characters that turn or hide what follows taken out, tokens starred out (servers repeat a token that
/// they refuse), cut at a character to `bytes_max` bytes.
pub fn one_line(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    for word in text.split(char::is_whitespace) {
        let before = line.len();
        if before > bytes_max {
            break;
        }
        // First of all: one of them inside a token would hide that it is one.
        let word: String = word.chars().filter(|c| !is_hidden(*c)).collect();
        push_without_token(&mut line, &word);
        if line.len() > before && before > 0 {
            line.insert(before, ' ');
        }
    }
    if line.len() > bytes_max {
        let room = bytes_max.saturating_sub(CUT.len());
        let end = (0..=room).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
        line.truncate(end);
        line.push_str(CUT);
    }
    line
}

/// An identity, a topic or a name of others, for a line that a person reads: as it is where it is one plain word; otherwise
/// in quotation marks, with what is not seen as escapes, so that it is taken for nothing else.
pub fn shown(name: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !is_hidden(c) && !c.is_whitespace() && !matches!(c, '"' | '\\');
    if !name.is_empty() && name.chars().all(is_plain) {
        return Cow::Borrowed(name);
    }
    let mut quoted = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' ' => quoted.push(' '),
            c if is_plain(c) => quoted.push(c),
            c => quoted.extend(c.escape_default()),
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// A JWT begins with the base64url of `{"` (RFC 7519 §3), at any place in a word.
fn push_without_token(line: &mut String, word: &str) {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
    let (before, token) = word.split_at(word.find(TOKEN_START).unwrap_or(word.len()));
    line.push_str(before);
    if !token.is_empty() {
        line.push_str("***");
        push_without_token(line, token.trim_start_matches(is_of_token));
    }
}

/// How every JWT begins.
const TOKEN_START: &str = "eyJ";

/// Stands where something was cut off.
const CUT: &str = "…";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_made_harmless() {
        let cases = [
            ("", ""),
            (" \n\t", ""),
            ("invalid API key\n", "invalid API key"),
            ("\x1b[31mred\x07\n\n  and\tmore \0", "[31mred and more"),
            ("a\u{202e}b \u{200b} c", "ab c"),
            ("Tür 1", "Tür 1"),
            ("invalid token: eyJhbGci.eyJpc3Mi.sIg-_na, bad", "invalid token: ***, bad"),
            ("access_token=eyJhbGci.eyJp&x", "access_token=***&x"),
            ("ey\u{202b}Jhb\u{7}Gci.eyJp", "***"),
        ];
        for (text, expected) in cases {
            assert_eq!(one_line(text, 40), expected, "{text:?}");
        }
    }

    #[test]
    fn a_name_is_shown_as_what_it_is() {
        for (name, expected) in [
            ("flat-1", "flat-1"),
            ("Tür", "Tür"),
            ("Front door", "\"Front door\""),
            ("", "\"\""),
            ("a\nb\u{202e}\u{9b}", "\"a\\nb\\u{202e}\\u{9b}\""),
            ("x\" left", "\"x\\\" left\""),
        ] {
            assert_eq!(shown(name), expected);
            assert_eq!(one_line(&shown(name), 100), expected);
        }
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(one_line("12345", 5), "12345");
        assert_eq!(one_line("123456", 5), "12…");
        assert_eq!(one_line(&"ü".repeat(5000), 10), "üüü…");
        assert_eq!(one_line("ab cd ef", 4), "a…");
    }
}
