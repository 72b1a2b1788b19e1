//! Words of others as arguments and variables of programs that we start: always data.
//!
//! ```text
//!                      alone                     within a longer argument      variable
//!   flat-1             flat-1                    flat-1                        flat-1
//!   Front door         Front door                Front%20door                  Front door
//!   --upload-file=/x   %2D-upload-file%3D%2Fx    %2D-upload-file%3D%2Fx        --upload-file=/x
//!   x⏎unmute           x%0Aunmute                x%0Aunmute                    x%0Aunmute
//! ```
//!
//! Percent-decoding (RFC 3986 §2.1) of a result that contains `%` gives the word back.

use std::fmt::Write;

use crate::event::is_hidden;

/// As an argument of its own: as it is where it begins with a letter, a digit, `_` or `+`, so that no program takes it
/// for an option or a file, and has no control or formatting character.
pub fn alone(word: &str) -> String {
    let is_plain = word.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '+'));
    if is_plain || word.is_empty() { variable(word) } else { within(word) }
}

/// Within a longer argument, which may be a URL, a script or an option's value: letters and digits of ASCII, `.`, `_` and
/// `-` as they are, all else percent-encoded, a leading `-` too.
pub fn within(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for (place, byte) in word.bytes().enumerate() {
        match byte {
            b'-' if place == 0 => text.push_str("%2D"),
            b'.' | b'_' | b'-' => text.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            // Writing to a String cannot fail.
            byte => _ = write!(text, "%{byte:02X}"),
        }
    }
    text
}

/// As the value of a variable: as it is where it has no control or formatting character.
pub fn variable(word: &str) -> String {
    let has_more = word.contains(|c| is_hidden(c) || matches!(c, '\n' | '%'));
    if has_more { within(word) } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<String> {
        let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            bytes.push(match byte {
                b'%' => {
                    let (digits, after) = rest.split_at_checked(2)?;
                    rest = after;
                    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
                }
                byte => *byte,
            });
        }
        String::from_utf8(bytes).ok()
    }

    #[test]
    fn any_word_comes_back_and_is_neither_an_option_nor_a_control() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..20_000 {
            let any = [
                '-', '@', '%', '\n', '\0', '\u{1b}', '\u{9b}', '\u{202e}', ' ', '{', '"', 'ü', 'a', '1', '_',
                '/',
            ];
            let word: String = (0..random.usize(..6)).map(|_| any[random.usize(..any.len())]).collect();
            for text in [alone(&word), within(&word), variable(&word)] {
                assert_eq!(decoded(&text).as_deref(), Some(word.as_str()));
                assert!(!text.contains(|c: char| is_hidden(c) || c == '\n'), "{word:?}");
            }
            let is_taken_for_more = |text: &str| text.starts_with(['-', '@', '/', '"', '{', ' ']);
            assert!(!is_taken_for_more(&alone(&word)) && !is_taken_for_more(&within(&word)), "{word:?}");
            assert!(
                within(&word).bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%._-".contains(&byte))
            );
        }
    }

    #[test]
    fn nothing_in_a_word_is_more_than_data() {
        for (word, by_itself, inside, value) in [
            ("", "", "", ""),
            ("flat-1", "flat-1", "flat-1", "flat-1"),
            ("sip_+4930@x", "sip_+4930@x", "sip_%2B4930%40x", "sip_+4930@x"),
            ("Tür 1", "Tür 1", "T%C3%BCr%201", "Tür 1"),
            ("-o", "%2Do", "%2Do", "-o"),
            ("@/etc/passwd", "%40%2Fetc%2Fpasswd", "%40%2Fetc%2Fpasswd", "@/etc/passwd"),
            ("x\nunmute", "x%0Aunmute", "x%0Aunmute", "x%0Aunmute"),
            ("a\u{1b}[2J", "a%1B%5B2J", "a%1B%5B2J", "a%1B%5B2J"),
            ("a\0b", "a%00b", "a%00b", "a%00b"),
            ("a\u{202e}b", "a%E2%80%AEb", "a%E2%80%AEb", "a%E2%80%AEb"),
            ("50%", "50%25", "50%25", "50%25"),
            ("$(reboot)", "%24%28reboot%29", "%24%28reboot%29", "$(reboot)"),
            ("a{1,9}[1-9]", "a{1,9}[1-9]", "a%7B1%2C9%7D%5B1-9%5D", "a{1,9}[1-9]"),
        ] {
            assert_eq!(
                (alone(word), within(word), variable(word)),
                (by_itself.into(), inside.into(), value.into())
            );
        }
    }
}
