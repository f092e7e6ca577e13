//! Edits of manifests, wherever they are written below a path.

use gitops_core::{Class, Fault, ResourceId};
use gitops_edit::NewValue;
use gitops_git::write::{Outcome, SetField, SetImage, SetKustomizeImage};

use crate::common::{Repo, cx, git, path};
use crate::scene::{fsck, local, on_main, show, written};

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  replicas: 2 # two\n  image: web:1 # {\"$imagepolicy\": \"shop:web\"}\n";

fn image(below: &str, image: &str) -> SetImage {
    SetImage::new(path(below), "shop:web".parse().unwrap(), image.parse().unwrap())
}

fn replicas(below: &str, count: &str) -> SetField {
    let web = ResourceId::namespaced("apps", "Deployment", "shop", "web");
    SetField::new(path(below), web, ".spec.replicas".parse().unwrap(), NewValue::Text(count.into()))
}

fn refused(done: Result<Outcome, Fault>, class: Class, says: &str) {
    let fault = done.unwrap_err();
    assert_eq!(fault.class, class, "{fault}");
    assert!(fault.to_string().contains(says), "{fault}");
}

#[tokio::test]
async fn an_image_is_set_in_all_files_below_a_path() {
    let bad = "a: [ # \"$imagepolicy\" in no marker\n";
    let repo = Repo::with(&[
        ("apps/a.yaml", WEB),
        ("apps/deep/er/b.yml", "x: 'web:1' # {\"$imagepolicy\": \"shop:web:name\"}\n"),
        ("apps/c.json", "{\"image\": \"web:1\"}"),
        ("apps/notes.md", "image: web:1 # {\"$imagepolicy\": \"shop:web\"}\n"),
        ("apps/.hidden/d.yaml", WEB),
        ("other/e.yaml", WEB),
        ("other/broken.yaml", bad),
        ("apps/no-yaml.yaml", "a: [\n"),
    ]);
    // A link is another name of a file, which has its own.
    repo.link("apps/link.yaml", "../other/e.yaml");
    repo.commit_all("a link");
    let writer = local(&repo);
    let done = written(writer.commit(&cx(), &on_main(), image("apps", "ghcr.io/web:2")).await);
    let changed: Vec<_> = done.changed.iter().map(ToString::to_string).collect();
    assert_eq!(changed, ["M apps/a.yaml", "M apps/deep/er/b.yml"]);
    assert_eq!(
        show(&repo, "main:apps/a.yaml"),
        WEB.replace("image: web:1", "image: ghcr.io/web:2").trim_end()
    );
    assert_eq!(
        show(&repo, "main:apps/deep/er/b.yml"),
        "x: 'ghcr.io/web' # {\"$imagepolicy\": \"shop:web:name\"}"
    );
    assert!(done.message.starts_with("Set shop:web to ghcr.io/web:2\n\napps/a.yaml:6:"), "{}", done.message);
    assert!(done.message.contains("web:1") && done.message.contains("ghcr.io/web:2"), "{}", done.message);
    fsck(&repo);
    let again = writer.commit(&cx(), &on_main(), image("apps", "ghcr.io/web:2")).await.unwrap();
    assert!(matches!(again, Outcome::Unchanged { .. }), "{again:?}");

    // A path may be that of a file, and lead to nothing.
    written(writer.commit(&cx(), &on_main(), image("other/e.yaml", "web:2")).await);
    refused(writer.commit(&cx(), &on_main(), image("nowhere", "web:3")).await, Class::NotFound, "shop:web");
    // What may be a marker must be readable.
    refused(
        writer.commit(&cx(), &on_main(), image("other", "web:3")).await,
        Class::Invalid,
        "other/broken.yaml",
    );
}

#[tokio::test]
async fn a_digest_in_use_can_be_kept() {
    let digest = |n: char| format!("sha256:{}", String::from(n).repeat(64));
    let marked = WEB.replace("web:1", &format!("web:1@{}", digest('a')));
    let repo = Repo::with(&[("apps/a.yaml", &marked)]);
    let writer = local(&repo);
    let same = image("apps", &format!("web:1@{}", digest('b')));
    let kept = writer.commit(&cx(), &on_main(), same.clone().keep_digest()).await.unwrap();
    assert!(matches!(kept, Outcome::Unchanged { .. }), "{kept:?}");
    written(writer.commit(&cx(), &on_main(), same).await);
    let next = image("apps", &format!("web:2@{}", digest('c'))).keep_digest();
    written(writer.commit(&cx(), &on_main(), next).await);
    assert!(show(&repo, "main:apps/a.yaml").contains(&format!("web:2@{}", digest('c'))));
}

#[tokio::test]
async fn a_field_is_set_in_the_one_file_that_has_its_object() {
    let repo = Repo::with(&[
        ("apps/a.yaml", &WEB.replace("name: web,", "name: other,")),
        ("apps/b.yaml", &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop}}\n---\n{WEB}")),
        ("apps/template.yaml", "kind: Deployment {{ .Values }}\n"),
        ("copy/b.yaml", WEB),
    ]);
    let writer = local(&repo);
    let done = written(writer.commit(&cx(), &on_main(), replicas("apps", "3")).await);
    assert_eq!(done.changed.len(), 1);
    assert!(show(&repo, "main:apps/b.yaml").contains("replicas: 3 # two"));
    assert!(show(&repo, "main:apps/a.yaml").contains("replicas: 2 # two"));
    refused(
        writer.commit(&cx(), &on_main(), replicas("", "4")).await,
        Class::Invalid,
        "apps/b.yaml, copy/b.yaml",
    );
    refused(writer.commit(&cx(), &on_main(), replicas("nowhere", "4")).await, Class::NotFound, "Deployment");
    refused(writer.commit(&cx(), &on_main(), replicas("apps", "many")).await, Class::Invalid, "a number");
    fsck(&repo);
}

#[tokio::test]
async fn a_kustomization_gets_an_image() {
    let repo = Repo::with(&[("apps/kustomization.yml", "images:\n- name: web # ours\n  newTag: \"1\"\n")]);
    let writer = local(&repo);
    let edit = |dir: &str| SetKustomizeImage::new(path(dir), "web", "ghcr.io/web:2".parse().unwrap());
    written(writer.commit(&cx(), &on_main(), edit("apps")).await);
    let file = show(&repo, "main:apps/kustomization.yml");
    assert!(
        file.contains("newName: ghcr.io/web") && file.contains("newTag: \"2\"") && file.contains("# ours"),
        "{file}"
    );
    refused(writer.commit(&cx(), &on_main(), edit("")).await, Class::NotFound, "kustomization");
    assert_eq!(git(&repo.bare(), &["rev-list", "--count", "main"]), "2");
}
