//! Words of a line: separated by white space, in double quotes where they hold some.

/// The next word, without its quotes, and what follows; `None` at the end or where a quote is not closed.
pub fn next_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let (word, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
    };
    (!word.is_empty() || text.starts_with('"')).then_some((word, rest.trim_start()))
}

/// All words; `None` where a quote is not closed.
pub fn split(mut text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    while !text.trim_start().is_empty() {
        let (word, rest) = next_word(text)?;
        words.push(word.to_owned());
        text = rest;
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_a_word_together() {
        let words = |text| split(text).map(|words| words.join("|"));
        assert_eq!(words(r#" open "the door"  "" now "#).as_deref(), Some("open|the door||now"));
        assert_eq!(words(""), Some(String::new()));
        assert_eq!(words(r#"open "the door"#), None);
    }
}
