//! The values of a [`Section`], each by its kind.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::DeValue;

use super::section::{Section, kind};
use crate::device::allow::Allow;
use crate::limits::{CONFIG_LIST_MAX, CONFIG_TEXT_BYTES_MAX};

impl Section<'_> {
    /// A text that is not empty.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str().filter(|text| is_text(text));
        self.or_wrong(
            key,
            value,
            text.map(str::to_owned),
            "a text in quotes, neither empty nor longer than 4096 bytes",
        )
    }

    /// A text that `parse` makes something of.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(key, error.to_string());
                None
            }
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let value = self.get(key)?;
        let chosen = value.get_ref().as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        let allowed: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        self.or_wrong(key, value, chosen.map(|(_, meaning)| *meaning), &allowed.join(" or "))
    }

    /// A table of texts, which may be empty, under names of any kind.
    pub fn pairs(&mut self, key: &'static str) -> Option<BTreeMap<String, String>> {
        let value = self.get(key)?;
        let table = value.get_ref().as_table();
        let table = self.or_wrong(key, value, table, "a table of texts, { key = \"value\", … }")?;
        let mut pairs = BTreeMap::new();
        for (name, value) in table.iter() {
            let name = name.get_ref().as_ref();
            match value.get_ref().as_str().filter(|text| text.len() <= CONFIG_TEXT_BYTES_MAX) {
                Some(text) => _ = pairs.insert(name.to_owned(), text.to_owned()),
                None => {
                    let why = "allowed is a text in quotes, no longer than 4096 bytes";
                    self.wrong(key, format!("{name:?} is {}; {why}", kind(value.get_ref())));
                }
            }
        }
        Some(pairs)
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        self.or_wrong(key, value, value.get_ref().as_bool(), "true or false")
    }

    /// A whole number within `range`.
    pub fn number(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(key)?;
        let number = integer(value.get_ref()).filter(|number| range.contains(number));
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.or_wrong(key, value, number, &allowed)
    }

    /// A number within `range`, with or without a point.
    pub fn decimal(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let value = self.get(key)?;
        let number = match value.get_ref() {
            DeValue::Float(float) => float.as_str().parse().ok(),
            other => integer(other).map(|number| number as f64),
        };
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        self.or_wrong(key, value, number.filter(|number| range.contains(number)), &allowed)
    }

    /// A list of texts, none of them empty.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.get(key)?;
        let texts =
            value.get_ref().as_array().filter(|array| array.len() <= CONFIG_LIST_MAX).and_then(|array| {
                let text = |value: &Spanned<DeValue<'_>>| {
                    value.get_ref().as_str().filter(|text| is_text(text)).map(str::to_owned)
                };
                array.iter().map(text).collect::<Option<Vec<String>>>()
            });
        let allowed = format!("a list of at most {CONFIG_LIST_MAX} texts, [\"…\", \"…\"]");
        self.or_wrong(key, value, texts, &allowed)
    }

    /// The arguments of a program, of which the first is the program itself: no shell reads them.
    pub fn argv(&mut self, key: &'static str) -> Option<Vec<String>> {
        let argv = self.texts(key)?;
        if argv.is_empty() {
            self.wrong(key, "is empty; allowed is [\"program\", \"argument\", …]");
        }
        Some(argv).filter(|argv| !argv.is_empty())
    }

    /// A list of identities with `*` and `?`.
    pub fn allow(&mut self, key: &'static str) -> Option<Allow> {
        let patterns = self.texts(key)?;
        match Allow::new(patterns) {
            Ok(allow) => Some(allow),
            Err(error) => {
                self.wrong(key, error.to_string());
                None
            }
        }
    }

    fn or_wrong<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        good: Option<T>,
        allowed: &str,
    ) -> Option<T> {
        if good.is_none() {
            self.wrong(key, format!("is {}; allowed is {allowed}", kind(value.get_ref())));
        }
        good
    }
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= CONFIG_TEXT_BYTES_MAX
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}
