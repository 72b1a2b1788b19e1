//! Fair shares of a table that several participants fill.
//!
//! Where such a table is full, the participant that holds most of it makes room, so that no sender can take all
//! of it from the others.

/// How many of `owners` are `owner`.
pub fn share<'o, K: PartialEq + 'o>(owners: impl Iterator<Item = &'o K>, owner: &K) -> usize {
    owners.filter(|other| *other == owner).count()
}

/// The place of the first entry of the owner that has most of them; `None` if the table is empty.
pub fn first_of_largest<'o, K, I>(owners: I) -> Option<usize>
where
    K: PartialEq + 'o,
    I: Iterator<Item = &'o K> + Clone,
{
    // The first of equals: `max_by_key` would give the last.
    let shares = owners.clone().map(|owner| share(owners.clone(), owner));
    shares.enumerate().min_by_key(|(_, share)| std::cmp::Reverse(*share)).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_holder_makes_room() {
        let place = |owners: &str| first_of_largest(owners.as_bytes().iter());
        assert_eq!(place(""), None);
        assert_eq!(place("abc"), Some(0));
        assert_eq!(place("abbcb"), Some(1));
        assert_eq!(share(b"abbcb".iter(), &b'b'), 3);
    }
}
