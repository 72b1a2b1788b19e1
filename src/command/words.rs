//! The words of a command: those of a plain line, or the elements of a JSON array.
//!
//! ```text
//!   data --to "front \"x\" door" hello        a plain line: words are separated by white space; one that begins with
//!                                             a quotation mark is a JSON string
//!   ["data","--to","front door","a\nb"]       an array: each element is one word, whatever it holds
//! ```
//!
//! A text at the end of a plain line is taken as it stands, its blanks included, unless all of it is one JSON string.

use std::borrow::Cow;

/// Words that were not taken yet.
#[derive(Debug, Clone, Copy)]
pub enum Words<'l> {
    /// What is left of a plain line.
    Line(&'l str),
    /// What is left of an array.
    List(&'l [String]),
}

/// A word begins with a quotation mark, and is not a JSON string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson;

impl<'l> Words<'l> {
    /// Whether no word is left.
    pub fn is_empty(&self) -> bool {
        match self {
            Words::Line(text) => text.trim().is_empty(),
            Words::List(words) => words.is_empty(),
        }
    }

    /// The next word, if there is one.
    ///
    /// # Errors
    /// It begins with a quotation mark, and is not a JSON string.
    pub fn take(&mut self) -> Result<Option<Cow<'l, str>>, NotJson> {
        match self {
            Words::Line(text) => {
                let line = text.trim_start();
                let (word, rest) = match json_string(line)? {
                    Some((word, rest)) if rest.is_empty() || rest.starts_with(char::is_whitespace) => {
                        (Cow::Owned(word), rest)
                    }
                    Some(_) => return Err(NotJson),
                    None if line.is_empty() => return Ok(None),
                    None => {
                        let (word, rest) =
                            line.split_at(line.find(char::is_whitespace).unwrap_or(line.len()));
                        (Cow::Borrowed(word), rest)
                    }
                };
                *text = rest.trim_start();
                Ok(Some(word))
            }
            Words::List(words) => {
                let Some((word, rest)) = words.split_first() else { return Ok(None) };
                *words = rest;
                Ok(Some(Cow::Borrowed(word)))
            }
        }
    }

    /// Whether the next word is an option. One in quotation marks is not.
    pub fn has_option(&self) -> bool {
        match self {
            Words::Line(text) => text.trim_start().starts_with("--"),
            Words::List(words) => words.first().is_some_and(|word| word.starts_with("--")),
        }
    }

    /// All that is left as one text.
    pub fn text(self) -> String {
        match self {
            Words::Line(text) => match json_string(text.trim()) {
                Ok(Some((word, ""))) => word,
                _ => text.trim().to_owned(),
            },
            Words::List(words) => words.join(" "),
        }
    }

    /// All that is left, word by word.
    ///
    /// # Errors
    /// One begins with a quotation mark, and is not a JSON string.
    pub fn all(mut self) -> Result<Vec<String>, NotJson> {
        let mut all = Vec::new();
        while let Some(word) = self.take()? {
            all.push(word.into_owned());
        }
        Ok(all)
    }
}

/// The JSON string at the beginning of `line`, and the rest; `None` if it does not begin with a quotation mark.
fn json_string(line: &str) -> Result<Option<(String, &str)>, NotJson> {
    if !line.starts_with('"') {
        return Ok(None);
    }
    let mut is_escaped = false;
    let end = line.bytes().enumerate().skip(1).find(|&(_, byte)| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    let (string, rest) = line.split_at(end.ok_or(NotJson)?.0 + 1);
    Ok(Some((serde_json::from_str(string).map_err(|_| NotJson)?, rest)))
}

/// The words of a command that an option gives (`--rpc METHOD=COMMAND`): separated by white space, in double quotes
/// where they hold some, a backslash being one; `None` if a quote is not closed.
pub fn split(mut text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    loop {
        text = text.trim_start();
        let (word, rest) = match text.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None if text.is_empty() => return Some(words),
            None => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
        };
        words.push(word.to_owned());
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_is_a_json_string() {
        let all = |line| Words::Line(line).all().map(|words| words.join("|"));
        assert_eq!(all(r#" open "the door"  "" now "#).as_deref(), Ok("open|the door||now"));
        assert_eq!(all(r#""a \"b\" \u00fc\n" c"#).as_deref(), Ok("a \"b\" ü\n|c"));
        assert_eq!(all(r#"a"b c\d"#).as_deref(), Ok(r#"a"b|c\d"#), "only at the beginning of a word");
        assert_eq!(all("").as_deref(), Ok(""));
        for line in [r#"open "the door"#, r#""a"b"#, r#""\x""#, r#""ends with \""#, "\"a\tb\""] {
            assert_eq!(all(line), Err(NotJson), "{line}");
        }
    }

    #[test]
    fn a_text_stays_as_it_stands_unless_all_of_it_is_a_json_string() {
        for (line, text) in [
            ("  two  blanks ", "two  blanks"),
            (r#""two\nlines""#, "two\nlines"),
            (r#""hello" she said"#, r#""hello" she said"#),
            (r#""open"#, r#""open"#),
            (r#"{"open": 1}"#, r#"{"open": 1}"#),
        ] {
            assert_eq!(Words::Line(line).text(), text);
        }
    }

    #[test]
    fn elements_of_an_array_are_words_whatever_they_hold() {
        let list = ["a b\nc".to_owned(), "\"".to_owned(), String::new()];
        let mut words = Words::List(&list);
        assert_eq!(words.take(), Ok(Some("a b\nc".into())));
        assert_eq!(words.all().expect("no JSON in it"), ["\"", ""]);
        assert_eq!(Words::List(&list[..2]).text(), "a b\nc \"");
    }

    #[test]
    fn an_option_has_quotes_without_escapes() {
        let words = |text| split(text).map(|words| words.join("|"));
        assert_eq!(words(r#" open "the \door"  "" now "#).as_deref(), Some(r"open|the \door||now"));
        assert_eq!(words(""), Some(String::new()));
        assert_eq!(words(r#"open "the door"#), None);
    }
}
