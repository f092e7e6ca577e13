//! The calls of the distribution API, over what was pushed.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LINK, LOCATION};
use hyper::{Method, Response};
use serde_json::{Value, json};

use super::store::{Manifest, Store};
use super::{Reply, Request};
use crate::{ImageDigest, Tag};

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What a request is about.
pub(super) struct Call {
    /// The repository's name; empty for the question whether this is a registry.
    pub(super) name: String,
    pub(super) writes: bool,
    what: What,
}

enum What {
    Version,
    Tags,
    Manifest(String),
    Blob(String),
    Upload(String),
}

impl Call {
    /// Reads the path of a request; none if the registry has nothing there.
    pub(super) fn read(request: &Request) -> Option<Self> {
        let path = request.uri().path().strip_prefix("/v2")?;
        let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
        if matches!(path, "" | "/") {
            return Some(Self { name: String::new(), writes, what: What::Version });
        }
        let path = path.strip_prefix('/')?;
        let (name, what) = if let Some(name) = path.strip_suffix("/tags/list") {
            (name, What::Tags)
        } else if let Some((name, id)) = path.rsplit_once("/blobs/uploads/") {
            (name, What::Upload(id.to_owned()))
        } else if let Some((name, digest)) = path.rsplit_once("/blobs/") {
            (name, What::Blob(digest.to_owned()))
        } else {
            let (name, reference) = path.rsplit_once("/manifests/")?;
            (name, What::Manifest(reference.to_owned()))
        };
        // The names of repositories are those that clients accept.
        crate::Repository::parse(&format!("registry.invalid/{name}")).ok()?;
        Some(Self { name: name.to_owned(), writes, what })
    }

    pub(super) fn carry_out(&self, store: &mut Store, request: &Request, body: &Bytes) -> Reply {
        let method = request.method().as_str();
        match (&self.what, method) {
            (What::Version, "GET" | "HEAD") => json(200, &json!({})),
            (What::Tags, "GET") => self.tags(store, request),
            (What::Manifest(reference), "GET" | "HEAD") => self.manifest(store, reference),
            (What::Manifest(reference), "PUT") => self.put_manifest(store, reference, request, body),
            (What::Manifest(reference), "DELETE") => self.delete(store, reference),
            (What::Blob(digest), "GET" | "HEAD") => self.blob(store, digest),
            (What::Upload(_), "POST") => self.begin_upload(store, request, body),
            (What::Upload(id), "PATCH") => self.more(store, id, body),
            (What::Upload(id), "PUT") => self.end_upload(store, id, request, body),
            _ => error(405, "UNSUPPORTED"),
        }
    }

    fn tags(&self, store: &Store, request: &Request) -> Reply {
        let Some(repo) = store.repositories.get(&self.name) else { return error(404, "NAME_UNKNOWN") };
        let last = parameter(request, "last").unwrap_or_default();
        let rest = repo.tags.keys().filter(|tag| tag.as_str() > &*last);
        let Some(limit) = parameter(request, "n") else {
            let tags: Vec<_> = rest.map(Tag::as_str).collect();
            return json(200, &json!({"name": self.name, "tags": tags}));
        };
        let Ok(limit) = limit.parse::<usize>() else { return error(400, "PAGINATION_NUMBER_INVALID") };
        let page: Vec<_> = rest.take(limit).map(Tag::as_str).collect();
        let mut reply = json(200, &json!({"name": self.name, "tags": page}));
        // As the reference implementation does: after a full page there may be none.
        if page.len() == limit
            && let Some(last) = page.last()
        {
            let link = format!("</v2/{}/tags/list?last={last}&n={limit}>; rel=\"next\"", self.name);
            set(&mut reply, LINK, &link);
        }
        reply
    }

    fn manifest(&self, store: &Store, reference: &str) -> Reply {
        let found = store.repositories.get(&self.name).and_then(|repo| {
            let digest = ImageDigest::new(reference).ok().or_else(|| repo.tags.get(reference).cloned())?;
            Some((repo.manifests.get(&digest)?, digest))
        });
        let Some((Manifest { kind, content }, digest)) = found else { return error(404, "MANIFEST_UNKNOWN") };
        let mut reply = Response::new(Full::new(content.clone()));
        set(&mut reply, CONTENT_TYPE, kind);
        set(&mut reply, DIGEST, digest.as_str());
        reply
    }

    fn put_manifest(&self, store: &mut Store, reference: &str, request: &Request, body: &Bytes) -> Reply {
        let repo = store.repositories.entry(self.name.clone()).or_default();
        match repo.has_all_of(body) {
            None => return error(400, "MANIFEST_INVALID"),
            Some(false) => return error(400, "MANIFEST_BLOB_UNKNOWN"),
            Some(true) => {}
        }
        let digest = ImageDigest::of(body);
        match (ImageDigest::new(reference), Tag::new(reference)) {
            (Ok(said), _) if said == digest => {}
            (Ok(_), _) => return error(400, "DIGEST_INVALID"),
            (_, Ok(tag)) => {
                repo.tags.insert(tag, digest.clone());
            }
            _ => return error(400, "TAG_INVALID"),
        }
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or("application/vnd.oci.image.manifest.v1+json").to_owned();
        repo.manifests.insert(digest.clone(), Manifest { kind, content: body.clone() });
        created(&format!("/v2/{}/manifests/{digest}", self.name), &digest)
    }

    fn delete(&self, store: &mut Store, reference: &str) -> Reply {
        let Some(repo) = store.repositories.get_mut(&self.name) else { return error(404, "NAME_UNKNOWN") };
        let was_there = match ImageDigest::new(reference) {
            Ok(digest) => {
                repo.tags.retain(|_, of| *of != digest);
                repo.manifests.remove(&digest).is_some()
            }
            Err(_) => repo.tags.remove(reference).is_some(),
        };
        if was_there { status(202) } else { error(404, "MANIFEST_UNKNOWN") }
    }

    fn blob(&self, store: &Store, digest: &str) -> Reply {
        let Ok(digest) = ImageDigest::new(digest) else { return error(400, "DIGEST_INVALID") };
        let found = store.repositories.get(&self.name).and_then(|repo| repo.blobs.get(&digest).cloned());
        let Some(blob) = found else { return error(404, "BLOB_UNKNOWN") };
        let mut reply = Response::new(Full::new(blob));
        set(&mut reply, CONTENT_TYPE, "application/octet-stream");
        set(&mut reply, DIGEST, digest.as_str());
        reply
    }

    /// With a digest, the body is the blob; else it follows.
    fn begin_upload(&self, store: &mut Store, request: &Request, body: &Bytes) -> Reply {
        if parameter(request, "digest").is_some() {
            return self.keep(store, request, body.clone());
        }
        store.begun += 1;
        let id = store.begun.to_string();
        store.uploads.insert(id.clone(), Vec::new());
        self.uploading(&id, 0)
    }

    fn more(&self, store: &mut Store, id: &str, body: &Bytes) -> Reply {
        let Some(upload) = store.uploads.get_mut(id) else { return error(404, "BLOB_UPLOAD_UNKNOWN") };
        upload.extend_from_slice(body);
        let length = upload.len();
        self.uploading(id, length)
    }

    fn end_upload(&self, store: &mut Store, id: &str, request: &Request, body: &Bytes) -> Reply {
        let Some(mut upload) = store.uploads.remove(id) else { return error(404, "BLOB_UPLOAD_UNKNOWN") };
        upload.extend_from_slice(body);
        self.keep(store, request, upload.into())
    }

    fn uploading(&self, id: &str, length: usize) -> Reply {
        let mut reply = status(202);
        set(&mut reply, LOCATION, &format!("/v2/{}/blobs/uploads/{id}", self.name));
        set(&mut reply, HeaderName::from_static("range"), &format!("0-{}", length.saturating_sub(1)));
        reply
    }

    fn keep(&self, store: &mut Store, request: &Request, blob: Bytes) -> Reply {
        let digest = ImageDigest::of(&blob);
        if parameter(request, "digest").as_deref() != Some(digest.as_str()) {
            return error(400, "DIGEST_INVALID");
        }
        let repo = store.repositories.entry(self.name.clone()).or_default();
        repo.blobs.insert(digest.clone(), blob);
        created(&format!("/v2/{}/blobs/{digest}", self.name), &digest)
    }
}

fn created(location: &str, digest: &ImageDigest) -> Reply {
    let mut reply = status(201);
    set(&mut reply, LOCATION, location);
    set(&mut reply, DIGEST, digest.as_str());
    reply
}

fn status(status: u16) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    reply
}

/// An answer in JSON.
pub(super) fn json(code: u16, value: &Value) -> Reply {
    let mut reply = status(code);
    set(&mut reply, CONTENT_TYPE, "application/json");
    *reply.body_mut() = Full::new(value.to_string().into());
    reply
}

/// An error as the specification wants it.
pub(super) fn error(code: u16, name: &str) -> Reply {
    json(code, &json!({"errors": [{"code": name, "message": "refused", "detail": null}]}))
}

fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}

/// A parameter of the query, decoded.
pub(super) fn parameter(request: &Request, name: &str) -> Option<String> {
    let pairs = request.uri().query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}
