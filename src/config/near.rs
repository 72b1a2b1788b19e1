//! Typing errors in keys.

/// Whether one letter too many, too few or wrong, or two in the wrong order, make `typed` of `known`.
pub(super) fn is_near(known: &str, typed: &str) -> bool {
    let (known, typed): (Vec<char>, Vec<char>) = (known.chars().collect(), typed.chars().collect());
    let same = known.iter().zip(&typed).take_while(|(a, b)| a == b).count();
    let (a, b) = (known.get(same..).unwrap_or_default(), typed.get(same..).unwrap_or_default());
    let rest = |from: &[char], skip: usize| from.get(skip..).map(<[char]>::to_vec);
    [(1, 0), (0, 1), (1, 1)].into_iter().any(|(i, j)| {
        let (a, b) = (rest(a, i), rest(b, j));
        a.is_some() && a == b
    }) || matches!((a, b), ([a0, a1, a @ ..], [b0, b1, b @ ..]) if a0 == b1 && a1 == b0 && a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_near() {
        for typed in ["rin", "ringg", "rnig", "rimg", "xring"] {
            assert!(is_near("ring", typed), "{typed}");
        }
        for typed in ["room", "r", "gnir", "rings2"] {
            assert!(!is_near("ring", typed), "{typed}");
        }
    }
}
