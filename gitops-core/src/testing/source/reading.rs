//! What a snapshot shows.

use std::collections::BTreeSet;

use super::SourceHarness;
use super::bench::{Bench, LARGE, Tree, holds, id, off, path, refused, text};
use crate::testing::{Checked, Failure};
use crate::{Class, Entry, EntryKind};

async fn list(tree: &Tree, dir: &str) -> Result<Vec<Entry>, Failure> {
    let dir = path(dir)?;
    off(tree, move |tree| Ok(tree.list(&dir)?)).await
}

async fn list_is_refused(tree: &Tree, at: &'static str, class: Class) -> Checked {
    let dir = path(at)?;
    off(tree, move |tree| refused(tree.list(&dir), class, &format!("listing {at}"))).await
}

async fn read_is_refused(tree: &Tree, at: &'static str, max_bytes: u64, class: Class) -> Checked {
    let file = path(at)?;
    let what = format!("reading {at}, of {max_bytes} bytes at most");
    off(tree, move |tree| refused(tree.read(&file, max_bytes), class, &what)).await
}

pub(super) async fn files_are_read_to_the_byte(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let long = "0123456789abcdef".repeat(20_000);
    let contents = [
        ("plain", "a: 1\n"),
        ("empty", ""),
        ("unended", "no line feed"),
        ("windows", "a: 1\r\nb: 2\r\n"),
        ("control", "\u{0}\u{1}\t\u{1b}[0m\n"),
        ("script", "größe: ∞ 🦀\n"),
        ("marked", "\u{feff}a: 1\n"),
        ("dir/sub/deep", "deep\n"),
        ("long", &long),
    ];
    let files: Vec<_> = contents.iter().map(|(name, content)| (*name, Some(*content))).collect();
    let tree = bench.commit(&files).await?;
    for (name, content) in contents {
        let seen = text(&tree, name).await?;
        let (seen_bytes, bytes) = (seen.len(), content.len());
        ensure!(
            seen == content,
            "{name} was written with {bytes} bytes, and read with {seen_bytes}: not the same"
        );
    }
    Ok(())
}

pub(super) async fn a_file_that_is_too_large_is_invalid(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let tree = bench.commit(&[("ten", Some("0123456789")), ("empty", Some(""))]).await?;
    for limit in [0, 1, 9] {
        read_is_refused(&tree, "ten", limit, Class::Invalid).await?;
    }
    for (name, limit, want) in [("ten", 10, 10), ("ten", 11, 10), ("ten", u64::MAX, 10), ("empty", 0, 0)] {
        let file = path(name)?;
        let bytes = off(&tree, move |tree| Ok(tree.read(&file, limit)?.len())).await?;
        ensure!(bytes == want, "{name} has {want} bytes, and {bytes} are read");
    }
    Ok(())
}

pub(super) async fn what_is_no_file_cannot_be_read(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let tree = bench.commit(&[("dir/a", Some("1"))]).await?;
    for at in ["missing", "dir", "dir/missing", "dir/a/below", "missing/below", ""] {
        read_is_refused(&tree, at, LARGE, Class::NotFound).await?;
    }
    Ok(())
}

pub(super) async fn a_directory_is_listed_in_order(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    // A directory's name sorts by itself, and not with the slash that follows it.
    let names = ["b", "a.x", "a/x/y", "a-x", "a0", "B", "z/1", "aa"];
    let files: Vec<_> = names.iter().map(|name| (*name, Some("x"))).collect();
    let tree = bench.commit(&files).await?;
    let want: BTreeSet<&str> = names.iter().filter_map(|name| name.split('/').next()).collect();
    let entries = list(&tree, "").await?;
    let seen: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    ensure!(seen == want.into_iter().collect::<Vec<_>>(), "the root is listed as {seen:?}");
    for entry in &entries {
        let kind =
            if matches!(entry.name.as_str(), "a" | "z") { EntryKind::Directory } else { EntryKind::File };
        ensure!(entry.kind == kind, "{} is a {kind:?}, and listed as {:?}", entry.name, entry.kind);
    }
    let below = list(&tree, "a").await?;
    let want = [Entry { name: "x".into(), kind: EntryKind::Directory }];
    ensure!(below == want, "a is listed as {below:?}");
    let tree = bench.commit(&[("b", None), ("z/1", None), ("a/x/y", None)]).await?;
    let names: Vec<String> = list(&tree, "").await?.into_iter().map(|entry| entry.name).collect();
    ensure!(names == ["B", "a-x", "a.x", "a0", "aa"], "after three were removed: {names:?}");
    Ok(())
}

pub(super) async fn what_is_no_directory_cannot_be_listed(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let tree = bench.commit(&[("dir/a", Some("1"))]).await?;
    for at in ["missing", "dir/a", "dir/missing", "dir/a/below"] {
        list_is_refused(&tree, at, Class::NotFound).await?;
    }
    let empty = bench.commit(&[("dir/a", None)]).await?;
    let entries = list(&empty, "").await?;
    ensure!(entries.is_empty(), "a tree without files is listed as {entries:?}");
    list_is_refused(&empty, "dir", Class::NotFound).await
}

pub(super) async fn names_are_as_they_were_written(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let names = [".hidden", "two words", "größe", "日本語", "a'b\"c", "tab\tname", "-dash", "ünï/ço dé"];
    let files: Vec<_> = names.iter().map(|name| (*name, Some(*name))).collect();
    let tree = bench.commit(&files).await?;
    for name in names {
        holds(&tree, name, name, "by its name").await?;
    }
    let seen: BTreeSet<String> = list(&tree, "").await?.into_iter().map(|entry| entry.name).collect();
    let want: BTreeSet<String> =
        names.iter().filter_map(|name| name.split('/').next()).map(str::to_owned).collect();
    ensure!(seen == want, "the names are listed as {seen:?}");
    Ok(())
}

pub(super) async fn the_same_id_means_the_same_content(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let first = bench.commit(&[("one/a", Some("1")), ("two/a", Some("1")), ("three/a", Some("2"))]).await?;
    let [one, two, three] = [id(&first, "one").await?, id(&first, "two").await?, id(&first, "three").await?];
    ensure!(one.is_some() && two.is_some(), "a directory has no id");
    ensure!(one != three, "another content has the same id: {one:?}");
    // Elsewhere changes, and so does this one, there and back.
    let second = bench.commit(&[("three/a", Some("3")), ("one/a", Some("x"))]).await?;
    let back = bench.commit(&[("one/a", Some("1"))]).await?;
    ensure!(id(&second, "two").await? == two, "it did not change, and its id did");
    ensure!(id(&second, "two/a").await? == id(&first, "two/a").await?, "it did not change, and its id did");
    ensure!(id(&back, "one").await? == one, "it is as it was, and its id is not");
    let again = bench.restarted().await.fetch(&first.revision().id).await?;
    ensure!(id(&again, "one").await? == one, "another process has another id for it");
    let renamed = bench.commit(&[("one/a", None), ("one/b", Some("1"))]).await?;
    ensure!(id(&renamed, "one").await? != one, "a file got another name, and its directory has the same id");
    Ok(())
}

pub(super) async fn another_content_has_another_id(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let first = bench.commit(&[("a/b/c", Some("1")), ("a/d", Some("1")), ("e/f", Some("1"))]).await?;
    let second = bench.commit(&[("a/b/c", Some("2"))]).await?;
    for (at, changes) in
        [("", true), ("a", true), ("a/b", true), ("a/b/c", true), ("a/d", false), ("e", false)]
    {
        let changed = id(&first, at).await? != id(&second, at).await?;
        ensure!(changed == changes, "a/b/c changed, and the id of {at:?} changed: {changed}");
    }
    let third = bench.commit(&[("a/b/new", Some(""))]).await?;
    ensure!(
        id(&third, "a").await? != id(&second, "a").await?,
        "an empty file was added, and the id is the same"
    );
    let fourth = bench.commit(&[("a/b/new", None)]).await?;
    ensure!(id(&fourth, "a").await? == id(&second, "a").await?, "it is as it was before, and its id is not");
    Ok(())
}

pub(super) async fn where_nothing_is_there_is_no_id(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let tree = bench.commit(&[("dir/a", Some("1"))]).await?;
    for at in ["missing", "dir/missing", "missing/below", "dir/a/below"] {
        let seen = id(&tree, at).await?;
        ensure!(seen.is_none(), "nothing is at {at}, and its id is {seen:?}");
    }
    ensure!(id(&tree, "").await?.is_some(), "the root has no id");
    Ok(())
}

pub(super) async fn many_threads_may_read_at_once(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    let names: Vec<String> = (0..40).map(|n| format!("dir{}/file{n}", n % 4)).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), Some(name.as_str()))).collect();
    let tree = bench.commit(&files).await?;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (tree, names) = (tree.clone(), names.clone());
        readers.spawn(async move {
            for name in &names {
                holds(&tree, name, name, "with eight readers").await?;
            }
            list(&tree, "dir1").await.map(|entries| entries.len())
        });
    }
    while let Some(read) = readers.join_next().await {
        let entries = read.map_err(|_| Failure::violated("a reader panicked"))??;
        ensure!(entries == 10, "with eight readers a directory of ten has {entries} entries");
    }
    Ok(())
}

pub(super) async fn links_are_followed_inside_the_tree(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    h.commit("first", &[("real/a", Some("1"))]).await;
    h.link("file", "real/a").await?;
    h.link("dir", "real").await?;
    let newest = h.link("other/up", "../real/a").await?;
    let tree = bench.fetch(&newest).await?;
    for file in ["file", "dir/a", "other/up"] {
        holds(&tree, file, "1", "by way of a link").await?;
    }
    for (link, real) in [("file", "real/a"), ("dir", "real"), ("other/up", "real/a")] {
        ensure!(
            id(&tree, link).await? == id(&tree, real).await?,
            "{link} leads to {real}, and has another id"
        );
    }
    let kinds: Vec<_> = list(&tree, "").await?.into_iter().map(|entry| (entry.name, entry.kind)).collect();
    let (file, dir) = (("file".to_owned(), EntryKind::File), ("dir".to_owned(), EntryKind::Directory));
    ensure!(kinds.contains(&file) && kinds.contains(&dir), "links are listed as {kinds:?}");
    ensure!(
        list(&tree, "dir").await? == list(&tree, "real").await?,
        "a link to a directory lists another one"
    );
    Ok(())
}

pub(super) async fn links_that_lead_out_are_invalid(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    h.commit("first", &[("dir/a", Some("1"))]).await;
    let mut newest = String::new();
    for (name, to) in [
        ("out", "../outside"),
        ("absolute", "/etc/passwd"),
        ("dir/out", "../../outside"),
        ("self", "self"),
        ("one", "two"),
        ("two", "one"),
    ] {
        newest = h.link(name, to).await?;
    }
    newest = h.link("dangling", "nowhere").await.unwrap_or(newest);
    let tree = bench.fetch(&newest).await?;
    for at in ["out", "absolute", "dir/out", "self", "one", "two"] {
        read_is_refused(&tree, at, LARGE, Class::Invalid).await?;
        list_is_refused(&tree, at, Class::Invalid).await?;
    }
    read_is_refused(&tree, "dangling", LARGE, Class::NotFound).await?;
    for entry in list(&tree, "").await? {
        let kind = if entry.name == "dir" { EntryKind::Directory } else { EntryKind::BrokenLink };
        ensure!(entry.kind == kind, "{} is a {kind:?}, and listed as {:?}", entry.name, entry.kind);
    }
    holds(&tree, "dir/a", "1", "beside broken links").await
}

pub(super) async fn the_id_of_a_directory_covers_what_its_links_lead_to(h: &dyn SourceHarness) -> Checked {
    let bench = Bench::new(h).await;
    h.commit("first", &[("shared/a", Some("1")), ("app/own", Some("1")), ("other/own", Some("1"))]).await;
    let first = h.link("app/link", "../shared/a").await?;
    let before = bench.fetch(&first).await?;
    let after = bench.commit(&[("shared/a", Some("2"))]).await?;
    for (at, changes) in [("app", true), ("app/link", true), ("app/own", false), ("other", false)] {
        let changed = id(&before, at).await? != id(&after, at).await?;
        ensure!(
            changed == changes,
            "what a link in app leads to changed, and the id of {at} changed: {changed}"
        );
    }
    Ok(())
}
