//! Patterns for texts: `*` is any run of characters, `?` one, and everything else itself.

#![expect(clippy::indexing_slicing, reason = "a table with one column more than the pattern has characters")]

/// Whether all of `text` matches. Linear but for one step back to the last `*`: no pattern makes it slow.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut last_star = None;
    loop {
        let before = (pattern.clone(), text.clone());
        match (pattern.next(), text.next()) {
            (Some('*'), _) => {
                // Nothing for it at first; what follows it is tried one character later each time.
                text = before.1;
                last_star = Some((pattern.clone(), text.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            (None, None) => return true,
            (_, None) => return false,
            (_, Some(_)) => {
                let Some((after_star, mut from)) = last_star.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_star.clone(), from.clone());
                last_star = Some((after_star, from));
            }
        }
    }
}

/// Whether a text matches both patterns. A row at a time of the table: can what is left of `a` and of `b` be one text?
pub(crate) fn have_common_text(a: &str, b: &str) -> bool {
    let b: Vec<char> = b.chars().collect();
    // Against nothing left of `a`.
    let mut below: Vec<bool> = (0..=b.len()).map(|at| b[at..].iter().all(|rest| *rest == '*')).collect();
    for here in a.chars().rev() {
        let mut row = vec![false; b.len() + 1];
        row[b.len()] = here == '*' && below[b.len()];
        for at in (0..b.len()).rev() {
            row[at] = match (here, b[at]) {
                ('*', _) | (_, '*') => below[at] || row[at + 1],
                (ours, theirs) => (ours == '?' || theirs == '?' || ours == theirs) && below[at + 1],
            };
        }
        below = row;
    }
    below[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_definition_on_random_words() {
        fn plainly(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern.split_first(), text.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) => {
                    plainly(rest, text) || text.split_first().is_some_and(|(_, text)| plainly(pattern, text))
                }
                (Some((b'?', rest)), Some((_, text))) => plainly(rest, text),
                (Some((a, rest)), Some((b, text))) => a == b && plainly(rest, text),
                _ => false,
            }
        }
        // Every word of up to six letters, for what has a common text of that length.
        let words: Vec<String> = (0..7u32)
            .flat_map(|length| {
                (0..1u32 << length).map(move |bits| {
                    (0..length).map(|at| if bits >> at & 1 == 0 { 'a' } else { 'b' }).collect()
                })
            })
            .collect();
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let mut word = |letters: &[u8], shortest| -> String {
                (0..random.usize(shortest..7))
                    .map(|_| letters[random.usize(..letters.len())] as char)
                    .collect()
            };
            let (pattern, text) = (word(b"ab*?", 1), word(b"ab", 1));
            let expected = plainly(pattern.as_bytes(), text.as_bytes());
            assert_eq!(matches(&pattern, &text), expected, "{pattern} {text}");
            // A text is the pattern of itself alone; one common text is enough.
            assert_eq!(have_common_text(&pattern, &text), expected, "{pattern} {text}");
            let other = word(b"ab*?", 1);
            let is_common = words.iter().any(|text| matches(&pattern, text) && matches(&other, text));
            assert!(!is_common || have_common_text(&pattern, &other), "{pattern} {other}");
            let is_apart = !have_common_text(&pattern, &other);
            assert!(is_apart || is_common || pattern.len() + other.len() > 6, "{pattern} {other}");
        }
    }

    #[test]
    fn stars_take_what_they_need() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("*üß?", "grüße", true),
            ("", "a", false),
            ("**a", "a", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(100), &"a".repeat(99)), "and ends soon");
    }
}
