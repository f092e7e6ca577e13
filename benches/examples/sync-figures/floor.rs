//! The floor: what anybody would write in an hour. A bare loop of raw apply patches, and nothing else.

use std::path::Path;

use anyhow::Result;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Request;

/// How many requests are on their way at once.
const AT_ONCE: usize = 16;

/// Applies the objects of a file, each line of which is a path and an object; Namespaces first.
pub(crate) async fn apply(file: &Path) -> Result<()> {
    let client = kube::Client::try_from(kube::Config::infer().await?)?;
    let lines = std::fs::read_to_string(file)?;
    let lines: Vec<_> = lines.lines().filter_map(|line| line.split_once('\t')).collect();
    let (first, rest): (Vec<_>, Vec<_>) = lines
        .into_iter()
        .partition(|(uri, _)| uri.starts_with("/api/v1/namespaces/") && uri.split('/').count() == 5);
    for part in [first, rest] {
        let patches = stream::iter(part).map(|(uri, body)| {
            let request = Request::patch(format!("{uri}?fieldManager=floor&force=true"))
                .header("content-type", "application/apply-patch+yaml")
                .body(body.as_bytes().to_vec());
            let client = client.clone();
            async move { anyhow::Ok(client.request_text(request?).await.map(drop)?) }
        });
        patches.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    }
    Ok(())
}
