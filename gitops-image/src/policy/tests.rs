//! The cases of Flux's documentation and of its own tests, and laws.

use proptest::prelude::*;

use super::*;

fn chosen<'t>(tags: &[&'t str], policy: &ImagePolicy) -> Option<&'t str> {
    choose(tags, policy).copied()
}

fn semver(range: &str) -> ImagePolicy {
    ImagePolicy::semver(range).unwrap()
}

/// Ranges that Flux's guides show.
#[test]
fn versions_are_chosen_as_flux_documents_it() {
    let podinfo = ["latest", "5.0.0", "5.0.3", "5.1.0", "5.1.4", "5.2.0-rc.1", "6.3.3", "6.4.0-rc.0"];
    for (range, expected) in [
        ("5.1.x", Some("5.1.4")),
        ("5.0.x", Some("5.0.3")),
        (">=1.0.0", Some("6.3.3")),
        (">=5.0.0 <6.0.0", Some("5.1.4")),
        ("^5.x-0", Some("5.2.0-rc.1")),
        (">5.0.0-rc <6.0.0-rc", Some("5.2.0-rc.1")),
        (">=0.0.0-0", Some("6.4.0-rc.0")),
        ("7.x", None),
    ] {
        assert_eq!(chosen(&podinfo, &semver(range)), expected, "{range}");
    }
    let all = ImagePolicy::semver_with_pre_releases("*").unwrap();
    assert_eq!(chosen(&podinfo, &all), Some("6.4.0-rc.0"));
    // The latest release candidate.
    let candidates = semver("^6.x-0").with_filter(".*-rc.*").unwrap();
    assert_eq!(chosen(&podinfo, &candidates), Some("6.4.0-rc.0"));
    assert_eq!(chosen(&["v1.2.3", "v1.10.0", "1.9.0"], &semver("1.x")), Some("v1.10.0"));
    // What is no complete version is none.
    assert_eq!(chosen(&["1.2", "v2", "1.2.3.4", "1.0.0"], &semver("*")), Some("1.0.0"));
}

#[test]
fn releases_named_after_times_are_chosen_by_them() {
    let minio = [
        "RELEASE.2020-09-17T04-49-20Z",
        "RELEASE.2020-09-23T19-18-30Z",
        "RELEASE.2020-09-10T22-02-45Z",
        "edge",
    ];
    let policy = ImagePolicy::alphabetical(Order::Ascending)
        .with_extract(r"^RELEASE\.(?P<timestamp>.*)Z$", "$timestamp")
        .unwrap();
    assert_eq!(chosen(&minio, &policy), Some("RELEASE.2020-09-23T19-18-30Z"));
}

#[test]
fn builds_of_a_branch_are_chosen_by_their_time() {
    let tags =
        ["main-2d3fcbd-1611906956", "main-8b0ff08-1611906999", "dev-11aabb0-1711906999", "main-zz-9", "main"];
    let policy =
        ImagePolicy::numeric(Order::Ascending).with_extract("^main-[a-fA-F0-9]+-(?P<ts>.*)", "$ts").unwrap();
    assert_eq!(chosen(&tags, &policy), Some("main-8b0ff08-1611906999"));
    // Variants of an image.
    let variants = ["1.25.1-alpine", "1.25.3-alpine", "1.27.0", "1.25.10-alpine", "1.26.0-perl"];
    let policy = semver("1.25.x").with_extract("^(?P<v>[0-9.]+)-alpine$", "$v").unwrap();
    assert_eq!(chosen(&variants, &policy), Some("1.25.10-alpine"));
}

#[test]
fn numbers_and_names_have_two_ends() {
    let integers = ["-62", "-88", "73", "72", "15", "16", "15", "29", "-33", "-91"];
    assert_eq!(chosen(&integers, &ImagePolicy::numeric(Order::Ascending)), Some("73"));
    assert_eq!(chosen(&integers, &ImagePolicy::numeric(Order::Descending)), Some("-91"));
    let decimals = ["47.40896403322944", "-27.8520927455902", "53.47333823144817", "3.2008658570411086"];
    assert_eq!(chosen(&decimals, &ImagePolicy::numeric(Order::Ascending)), Some("53.47333823144817"));
    let times = ["1606234201", "1606364286", "1606334092", "1606334284", "1606334201"];
    assert_eq!(chosen(&times, &ImagePolicy::numeric(Order::Ascending)), Some("1606364286"));
    assert_eq!(chosen(&times, &ImagePolicy::numeric(Order::Descending)), Some("1606234201"));
    let ubuntu = ["artful", "bionic", "disco", "eoan", "focal", "groovy", "trusty", "xenial", "zesty"];
    assert_eq!(chosen(&ubuntu, &ImagePolicy::alphabetical(Order::Ascending)), Some("zesty"));
    assert_eq!(chosen(&ubuntu, &ImagePolicy::alphabetical(Order::Descending)), Some("artful"));
    // Here Flux fails; we leave out what is no number, as it does with what is no version.
    assert_eq!(chosen(&["0", "1a", "b"], &ImagePolicy::numeric(Order::Ascending)), Some("0"));
    assert_eq!(chosen(&[], &ImagePolicy::alphabetical(Order::Ascending)), None);
}

#[test]
fn of_equally_new_tags_the_last_name_is_chosen() {
    assert_eq!(chosen(&["v1.0.0", "1.0.0"], &semver("*")), Some("v1.0.0"));
    assert_eq!(chosen(&["1.0", "01", "1"], &ImagePolicy::numeric(Order::Ascending)), Some("1.0"));
    assert_eq!(chosen(&["1.0", "01", "1"], &ImagePolicy::numeric(Order::Descending)), Some("1.0"));
    let same = ImagePolicy::alphabetical(Order::Descending).with_extract("^[a-z](.)$", "$1").unwrap();
    assert_eq!(chosen(&["b1", "a1", "c2"], &same), Some("b1"));
    let same = semver("*").with_extract("^[a-z](.*)$", "$1").unwrap();
    assert_eq!(chosen(&["b1.0.0", "a1.0.0"], &same), Some("b1.0.0"));
}

#[test]
fn signatures_are_no_images() {
    let hex = "0123456789abcdef".repeat(4);
    let signature = format!("sha256-{hex}.sig");
    let tags = ["a", "sha256-short", &signature, &format!("sha256-{hex}"), &format!("sha512-{hex}{hex}.att")];
    let last = ImagePolicy::alphabetical(Order::Ascending);
    assert_eq!(chosen(&tags, &last), Some("sha256-short"));
    let named = format!("sha256-{hex}x");
    assert_eq!(chosen(&["a", &named], &last), Some(&*named), "that is a name like others");
}

fn any_policy() -> impl Strategy<Value = ImagePolicy> {
    let order = prop::sample::select(vec![Order::Ascending, Order::Descending]);
    let by = prop_oneof![
        prop::sample::select(vec!["*", "1.x", ">=1.0.0-0", "<2.0.0 || 2.1.x"]).prop_map(semver),
        order.clone().prop_map(ImagePolicy::numeric),
        order.prop_map(ImagePolicy::alphabetical),
    ];
    let filters = vec![None, Some(("[0-9]", "")), Some(("^v?(.*)$", "$1")), Some(("^(?P<a>[^-]*)-", "${a}"))];
    (by, prop::sample::select(filters)).prop_map(|(policy, filter)| match filter {
        None => policy,
        Some((pattern, template)) => policy.with_extract(pattern, template).unwrap(),
    })
}

fn any_tag() -> impl Strategy<Value = String> {
    prop_oneof![
        "v?[0-2]\\.[0-2]\\.[0-2](-rc\\.[0-2])?",
        "0?[0-9]{1,2}(\\.[0-9])?",
        "[a-c]{1,2}(-[0-9])?",
        "-?[0-9]"
    ]
}

proptest! {
    #[test]
    fn the_order_of_the_tags_does_not_matter(
        tags in prop::collection::vec(any_tag(), 0..12), policy in any_policy(), swaps: prop::sample::Index, turn: bool
    ) {
        let mut other = tags.clone();
        if !other.is_empty() {
            other.rotate_left(swaps.index(tags.len()));
        }
        if turn {
            other.reverse();
        }
        // Nor does a tag that is told twice.
        other.extend(tags.first().cloned());
        prop_assert_eq!(choose(&tags, &policy), choose(&other, &policy));
    }

    #[test]
    fn the_choice_is_one_of_the_tags_and_stays_when_others_go(
        tags in prop::collection::vec(any_tag(), 1..12), policy in any_policy(), gone: prop::sample::Index
    ) {
        let Some(newest) = choose(&tags, &policy) else { return Ok(()) };
        prop_assert!(tags.contains(newest));
        let gone = &tags[gone.index(tags.len())];
        let rest: Vec<_> = tags.iter().filter(|tag| *tag == newest || *tag != gone).cloned().collect();
        prop_assert_eq!(choose(&rest, &policy), Some(newest));
        prop_assert_eq!(choose([newest], &policy), Some(newest));
    }

    #[test]
    fn any_pattern_and_template_is_used_or_refused(pattern in ".{0,20}", template in "[$a-z0-9{}]{0,12}", tag in any_tag()) {
        if let Ok(policy) = ImagePolicy::alphabetical(Order::Ascending).with_extract(&pattern, &template) {
            choose(&[tag], &policy);
        }
    }
}
