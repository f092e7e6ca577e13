//! What a registry answered.

use gitops_net::retry_after;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::RegistryError;
use crate::{ImageDigest, Tag};

/// The error codes of the specification, with what Docker's registry adds to them. Nothing else of an error is repeated: a server
/// could send back what it was sent.
const CODES: [&str; 18] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "PAGINATION_NUMBER_INVALID",
    "SIZE_INVALID",
    "TAG_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNAVAILABLE",
    "UNKNOWN",
    "UNSUPPORTED",
];

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) url: Url,
    /// It came from the server that was asked, and not from one that this sent us to.
    pub(super) is_of_origin: bool,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer, if it is success.
    pub(super) fn accept(self) -> Result<Self, RegistryError> {
        self.accepted()?;
        Ok(self)
    }

    /// What a status means that is not success.
    pub(super) fn accepted(&self) -> Result<&Self, RegistryError> {
        let detail = || match self.code() {
            Some(code) => format!("HTTP status {} ({code})", self.status),
            None => format!("HTTP status {}", self.status),
        };
        let retry_after = retry_after(&self.headers);
        Err(match self.status {
            200..=299 => return Ok(self),
            // Some say 403 when they limit the rate.
            403 if retry_after.is_some() => RegistryError::Trouble { detail: detail(), retry_after },
            401 | 403 | 407 => RegistryError::Denied { detail: detail() },
            404 | 410 => RegistryError::NotFound { detail: detail() },
            501 | 505 => RegistryError::Unsupported { detail: detail() },
            // 409: something else is being done with the repository.
            408 | 409 | 425 | 429 | 500..=599 => RegistryError::Trouble { detail: detail(), retry_after },
            _ => RegistryError::NotARegistry { detail: detail() },
        })
    }

    fn code(&self) -> Option<&'static str> {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<Error>,
        }
        #[derive(Deserialize)]
        struct Error {
            code: String,
        }
        let errors: Errors = serde_json::from_slice(&self.body).ok()?;
        let code = &errors.errors.first()?.code;
        CODES.into_iter().find(|known| known == code)
    }

    /// The tags of a page.
    pub(super) fn tags(&self) -> Result<Vec<Tag>, RegistryError> {
        #[derive(Deserialize)]
        struct Page {
            // Docker's registry says null where there is none.
            tags: Option<Vec<String>>,
        }
        // What serde says may repeat what it read.
        let page: Page = serde_json::from_slice(&self.body)
            .map_err(|_| RegistryError::not_a_registry("it is no list of tags"))?;
        let tags = page.tags.unwrap_or_default().into_iter();
        tags.map(|tag| {
            Tag::new(tag).map_err(|_| RegistryError::not_a_registry("a tag has a name that no tag has"))
        })
        .collect()
    }

    /// The digest of the manifest, if the registry says it.
    pub(super) fn digest(&self) -> Result<Option<ImageDigest>, RegistryError> {
        let Some(value) = self.headers.get("docker-content-digest") else { return Ok(None) };
        let digest = value.to_str().ok().and_then(|text| ImageDigest::new(text).ok());
        digest.map(Some).ok_or_else(|| RegistryError::not_a_registry("its digest is none"))
    }
}
