//! Which tag is the newest version in a range.
//!
//! Versions and their order are those of Semantic Versioning 2.0.0. Ranges are spelled as people who use Flux, Helm or npm
//! spell them: comparators with commas or spaces between, alternatives with `||`; a version alone is meant exactly, and what
//! is left out or is `x` may be anything.

use std::cmp::Ordering;

use semver::{BuildMetadata, Comparator, Op, Prerelease, Version, VersionReq};

/// Longer ranges are nobody's.
const MAX_LENGTH: usize = 256;

/// A range of versions, as [`crate::RefSpec::SemVer`] and policies for images name one.
///
/// ```
/// use gitops_core::VersionRange;
/// let range = VersionRange::parse(">=1.0.0 <2.0.0 || 3.x", false)?;
/// assert_eq!(range.newest(["v1.9.0", "2.4.0", "1.10.0", "latest"].map(|tag| (tag, tag))), Some("1.10.0"));
/// # Ok::<(), gitops_core::InvalidRange>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    /// Any of these suffices.
    alternatives: Vec<VersionReq>,
    /// Pre-releases count too.
    pre_releases: bool,
}

/// Why a text is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRange(pub(crate) String);

impl VersionRange {
    /// Reads a range. Pre-releases count where `pre_releases` says so, or where an alternative of the range names one
    /// (`>=1.0.0-0`, `^1.x-0`).
    pub fn parse(text: &str, pre_releases: bool) -> Result<Self, InvalidRange> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidRange(format!("it is longer than {MAX_LENGTH} characters")));
        }
        let alternatives = text.split("||").map(alternative).collect::<Result<_, _>>()?;
        Ok(Self { text: text.trim().to_owned(), alternatives, pre_releases })
    }

    /// The range as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a version is in it.
    ///
    /// A pre-release is only where somebody wants those: by the option, or because the range names one (`>=1.0.0-0`).
    fn contains(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|all| {
            let names_one = || all.comparators.iter().any(|comparator| !comparator.pre.is_empty());
            let may_be = version.pre.is_empty() || self.pre_releases || names_one();
            may_be && all.comparators.iter().all(|comparator| Bounds::of(comparator).contain(version))
        })
    }

    /// The newest version in the range among names, `v1.2.3` or `1.2.3`, with what comes along with each; where two are
    /// equally new, the one whose build metadata comes last, and then the name. Names that are no versions are left out.
    pub fn newest<'t, T>(&self, tags: impl IntoIterator<Item = (&'t str, T)>) -> Option<T> {
        let versions = tags.into_iter().filter_map(|(name, tag)| {
            let version = Version::parse(name.strip_prefix('v').unwrap_or(name)).ok()?;
            self.contains(&version).then_some((version, name, tag))
        });
        // The order of the crate is that of precedence, then of build metadata.
        versions.max_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1))).map(|(_, _, tag)| tag)
    }
}

/// Comparators that must all hold.
fn alternative(text: &str) -> Result<VersionReq, InvalidRange> {
    let mut comparators = Vec::new();
    let mut operator = String::new();
    for word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
        if word == "-" {
            return Err(InvalidRange("write >=1.2.0 <=1.4.0 instead of 1.2.0 - 1.4.0".to_owned()));
        }
        // An operator may stand by itself.
        if word.bytes().all(|byte| b"<>=~^!".contains(&byte)) {
            operator.push_str(word);
            continue;
        }
        comparators.push(comparator(&format!("{}{word}", std::mem::take(&mut operator)))?);
    }
    if !operator.is_empty() {
        return Err(InvalidRange(format!("{operator:?} is not followed by a version")));
    }
    if comparators.is_empty() {
        return Err(InvalidRange("it is empty; * takes every version".to_owned()));
    }
    // `*` leaves nothing to compare.
    Ok(VersionReq { comparators: comparators.into_iter().flatten().collect() })
}

fn comparator(text: &str) -> Result<Option<Comparator>, InvalidRange> {
    let start = text.find(|c: char| !"<>=~^!".contains(c)).unwrap_or(text.len());
    let (operator, version) = text.split_at(start);
    let version = version.strip_prefix('v').unwrap_or(version);
    if operator == "!=" {
        return Err(InvalidRange("!= is not known: write a range on each side, with || between".to_owned()));
    }
    let is_exact = matches!(operator, "" | "=");
    let is_wild = |part: &str| matches!(part, "*" | "x" | "X");
    if is_wild(version) && (is_exact || operator == ">=") {
        return Ok(None);
    }
    if let Some(version) = version.strip_suffix("-0").filter(|version| version.split('.').any(is_wild)) {
        return wild_with_pre_releases(operator, version)
            .map(Some)
            .ok_or_else(|| InvalidRange(format!("{text:?}: a wildcard is the end of a version")));
    }
    // `1.2` is what begins so, and `1.2.3` that version; the crate takes an operator and wildcards for two things.
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    let spelled = match (is_exact, numbers.split('.').any(is_wild)) {
        (true, true) => version.to_owned(),
        (true, false) => format!("={version}"),
        (false, _) => format!("{operator}{version}"),
    };
    Comparator::parse(&spelled).map(Some).map_err(|error| InvalidRange(format!("{text:?}: {error}")))
}

/// `1.x-0` is `1.x` with its pre-releases, as people who use Masterminds' semver write it.
fn wild_with_pre_releases(operator: &str, version: &str) -> Option<Comparator> {
    let parts: Vec<_> = version.split('.').collect();
    let known = parts.iter().take_while(|part| !matches!(**part, "*" | "x" | "X")).count();
    let rest_is_wild = parts[known..].iter().all(|part| matches!(*part, "*" | "x" | "X"));
    if parts.len() > 3 || !rest_is_wild {
        return None;
    }
    let spelled = match (operator, known) {
        ("" | "=" | ">=" | "^" | "~", 0) => ">=0".to_owned(),
        (_, 0) => return None,
        ("" | "=", _) => format!("~{}", parts[..known].join(".")),
        _ => format!("{operator}{}", parts[..known].join(".")),
    };
    let comparator = Comparator::parse(&spelled).ok()?;
    Some(Comparator { pre: first(0, 0, 0).pre, ..comparator })
}

/// From which version on, and up to which.
struct Bounds {
    from: Option<(Version, bool)>,
    to: Option<(Version, bool)>,
}

impl Bounds {
    /// What a comparator means, as the versions that it lies between: with pre-releases, the crate's own matching is about
    /// something else.
    fn of(comparator: &Comparator) -> Self {
        let Comparator { op, major, minor, patch, pre } = comparator;
        let (minor_or_0, patch_or_0) = (minor.unwrap_or(0), patch.unwrap_or(0));
        let low = version(*major, minor_or_0, patch_or_0, pre.clone());
        // The first version, and pre-release, that comes after everything that begins like this.
        let next = |depth: u8| match depth {
            0 => first(major.saturating_add(1), 0, 0),
            1 => first(*major, minor_or_0.saturating_add(1), 0),
            _ => first(*major, minor_or_0, patch_or_0.saturating_add(1)),
        };
        let depth = if minor.is_none() { 0 } else { u8::from(patch.is_some()) + 1 };
        let begins_so = || Self {
            from: Some((if depth == 2 { low.clone() } else { first(*major, minor_or_0, 0) }, true)),
            to: Some((next(depth), false)),
        };
        let from = |version: Version, included| Self { from: Some((version, included)), to: None };
        let to = |version: Version, included| Self { from: None, to: Some((version, included)) };
        match op {
            Op::Exact if depth == 2 => Self { from: Some((low.clone(), true)), to: Some((low, true)) },
            Op::Greater if depth == 2 => from(low, false),
            Op::Greater => from(next(depth), true),
            Op::GreaterEq => from(low, true),
            Op::Less => to(low, false),
            Op::LessEq if depth == 2 => to(low, true),
            Op::LessEq => to(next(depth), false),
            Op::Tilde => Self { from: Some((low, true)), to: Some((next(depth.min(1)), false)) },
            Op::Caret => {
                let depth = match (*major, minor, patch) {
                    (0, Some(0), Some(_)) => 2,
                    (0, Some(_), _) => 1,
                    _ => 0,
                };
                Self { from: Some((low, true)), to: Some((next(depth), false)) }
            }
            // Exact with parts left out, wildcards, and whatever the crate may learn.
            _ => begins_so(),
        }
    }

    fn contain(&self, version: &Version) -> bool {
        let after = |(from, included): &(Version, bool)| match version.cmp_precedence(from) {
            Ordering::Equal => *included,
            order => order == Ordering::Greater,
        };
        let before = |(to, included): &(Version, bool)| match version.cmp_precedence(to) {
            Ordering::Equal => *included,
            order => order == Ordering::Less,
        };
        self.from.as_ref().is_none_or(after) && self.to.as_ref().is_none_or(before)
    }
}

fn version(major: u64, minor: u64, patch: u64, pre: Prerelease) -> Version {
    Version { major, minor, patch, pre, build: BuildMetadata::EMPTY }
}

/// The first pre-release of a version, before which nothing of it comes.
fn first(major: u64, minor: u64, patch: u64) -> Version {
    version(major, minor, patch, Prerelease::new("0").unwrap_or(Prerelease::EMPTY))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TAGS: [&str; 16] = [
        "v0.9.0",
        "v0.9.5",
        "1.0.0-alpha",
        "1.0.0-rc.1",
        "v1.0.0",
        "1.0.1",
        "v1.2.0",
        "1.2.3+b",
        "1.2.3",
        "v1.3.0-beta",
        "v1.10.0",
        "2.0.0-rc.1",
        "v2.0.0",
        "v2.1",
        "latest",
        "v3.0.0",
    ];

    fn newest(range: &str, pre_releases: bool) -> Option<&'static str> {
        VersionRange::parse(range, pre_releases).unwrap().newest(TAGS.map(|tag| (tag, tag)))
    }

    #[test]
    fn ranges_are_read_as_the_field_spells_them() {
        for (range, expected) in [
            ("*", Some("v3.0.0")),
            ("x", Some("v3.0.0")),
            ("1", Some("v1.10.0")),
            ("1.x", Some("v1.10.0")),
            ("1.2", Some("1.2.3+b")),
            ("1.2.x", Some("1.2.3+b")),
            ("v1.2.0", Some("v1.2.0")),
            ("=1.0.1", Some("1.0.1")),
            ("1.0.2", None),
            (">=1.0.0 <2.0.0", Some("v1.10.0")),
            (">= 1.0.0, < 1.2.0", Some("1.0.1")),
            ("^0.9.1", Some("v0.9.5")),
            ("^1.0", Some("v1.10.0")),
            ("~1.2.1", Some("1.2.3+b")),
            ("~1", Some("v1.10.0")),
            ("<1", Some("v0.9.5")),
            ("<=1.2", Some("1.2.3+b")),
            (">1.2", Some("v3.0.0")),
            (">3", None),
            ("<1.0.0 || 2.x", Some("v2.0.0")),
            // A range that names pre-releases takes them.
            (">=1.3.0-0 <1.10.0", Some("v1.3.0-beta")),
            ("1.0.0-rc.1", Some("1.0.0-rc.1")),
            ("^1.x-0 <1.10.0", Some("v1.3.0-beta")),
            ("1.0.x-0 <1.0.0", Some("1.0.0-rc.1")),
            ("^1.x-0", Some("v1.10.0")),
            (">1.0.0-rc <1.0.1-rc", Some("v1.0.0")),
            ("*-0 <1.0.0", Some("1.0.0-rc.1")),
            ("<2.x-0", Some("v1.10.0")),
        ] {
            assert_eq!(newest(range, false), expected, "{range}");
        }
        assert_eq!(newest("<1.0.0", true), Some("1.0.0-rc.1"));
        assert_eq!(newest("~1.3.0-0", true), Some("v1.3.0-beta"));
        // What comes before 2.0.0 only by name is no 1.x.
        assert_eq!(newest("1.x", true), Some("v1.10.0"));
        assert_eq!(newest("2.x", true), Some("v2.0.0"));
    }

    #[test]
    fn what_is_no_range_says_why() {
        for bad in [
            "",
            " ",
            "||",
            ">=",
            "1.0.0 - 2.0.0",
            "!=1.0.0",
            "latest",
            "1.2.3.4",
            ">=1.0.0 <",
            "==1",
            "1.x.2-0",
            "1.2.3.x-0",
            "<*-0",
            "x-1",
            &"1".repeat(300),
        ] {
            assert!(VersionRange::parse(bad, false).is_err(), "{bad:?}");
        }
    }

    fn any_version() -> impl Strategy<Value = Version> {
        let pre = prop_oneof![3 => Just(""), 1 => Just("0"), 1 => Just("alpha"), 1 => Just("rc.1"), 1 => Just("rc.2")];
        (0..3_u64, 0..3_u64, 0..3_u64, pre).prop_map(|(major, minor, patch, pre)| {
            version(major, minor, patch, Prerelease::new(pre).unwrap())
        })
    }

    proptest! {
        /// Without pre-releases, each comparator means what it means to the crate.
        #[test]
        fn plain_versions_match_as_in_the_crate(
            version in any_version().prop_map(|version| Version { pre: Prerelease::EMPTY, ..version }),
            of in any_version(),
            operator in prop::sample::select(vec!["=", ">", ">=", "<", "<=", "~", "^"]),
            parts in 1..=3_usize,
        ) {
            let text = match parts {
                1 => of.major.to_string(),
                2 => format!("{}.{}", of.major, of.minor),
                _ => of.to_string(),
            };
            let comparator = Comparator::parse(&format!("{operator}{text}")).unwrap();
            prop_assert_eq!(Bounds::of(&comparator).contain(&version), comparator.matches(&version), "{}{} {}", operator, text, version);
        }

        #[test]
        fn the_newest_is_in_the_range_and_nothing_there_is_newer(
            versions in prop::collection::vec(any_version(), 0..12),
            of in any_version(),
            operator in prop::sample::select(vec!["", ">=", "<", "~", "^"]),
            pre_releases: bool,
        ) {
            let range = VersionRange::parse(&format!("{operator}{of}"), pre_releases).unwrap();
            let names: Vec<String> = versions.iter().map(|version| format!("v{version}")).collect();
            let newest = range.newest(names.iter().map(String::as_str).zip(&versions));
            let within: Vec<_> = versions.iter().filter(|version| range.contains(version)).collect();
            prop_assert_eq!(newest.is_some(), !within.is_empty());
            if let Some(newest) = newest {
                prop_assert!(within.iter().all(|version| *version <= newest));
            }
        }

        #[test]
        fn any_text_is_a_range_or_an_error(text in "[<>=~^!|, .xX*v0-9a-z+-]{0,40}") {
            if let Ok(range) = VersionRange::parse(&text, true) {
                range.newest(TAGS.map(|tag| (tag, tag)));
            }
        }
    }
}
