//! Patterns for names: `*` stands for any characters, `?` for one.

/// Whether a name matches a pattern. Takes at most as many steps as the product of the lengths.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    // After a `*`: the rest of the pattern, and of the name from where it is tried.
    let mut retry = None;
    loop {
        let mut rest = pattern.clone();
        match (rest.next(), name.clone().next()) {
            (Some('*'), _) => {
                pattern = rest;
                retry = Some((pattern.clone(), name.clone()));
                continue;
            }
            (Some(want), Some(have)) if want == '?' || want == have => {
                pattern = rest;
                name.next();
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((after, from)) = retry.take() else { return false };
        let mut from = from;
        if from.next().is_none() {
            return false;
        }
        (pattern, name) = (after.clone(), from.clone());
        retry = Some((after, from));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "a", true),
            ("", "", true),
            ("", "a", false),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.example.com", "x.example.com", true),
            ("*a*b", "aab", true),
            ("**", "ab", true),
            ("é?", "éü", true),
            ("Deployment", "deployment", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_definition(pattern in "[ab*?]{0,6}", name in "[ab]{0,6}") {
            fn plain(pattern: &[char], name: &[char]) -> bool {
                match pattern.split_first() {
                    None => name.is_empty(),
                    Some(('*', rest)) => (0..=name.len()).any(|n| plain(rest, &name[n..])),
                    Some((c, rest)) => name.split_first().is_some_and(|(d, more)| (*c == '?' || c == d) && plain(rest, more)),
                }
            }
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &name), plain(&chars(&pattern), &chars(&name)));
        }
    }
}
