//! HTTP clients that keep the rules.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, redirect};

use crate::address::Reach;
use crate::text::chain;

/// So many connections may end before a request was sent on them.
const MAX_LOST: usize = 10;

/// The process has chosen no TLS implementation. Libraries never do.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "no TLS provider is installed: call rustls::crypto::CryptoProvider::install_default() at the start of the program"
)]
pub struct NoTlsProvider;

/// The builder of a client that follows no redirects, tells nobody where it comes from, waits so long for a connection, and
/// checks the addresses that names lead to. It trusts `authorities` besides those of the machine, and speaks plain HTTP only
/// if `https_only` is not set. A proxy that is named to the builder itself is found through `reach`, too.
pub fn builder(
    reach: Reach,
    authorities: &[Certificate],
    https_only: bool,
    connect_timeout: Duration,
) -> Result<ClientBuilder, NoTlsProvider> {
    // reqwest panics without one, whatever the protocol.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(NoTlsProvider);
    }
    let builder = Client::builder()
        .connect_timeout(connect_timeout)
        .redirect(redirect::Policy::none())
        .referer(false)
        .https_only(https_only)
        .dns_resolver(reach);
    Ok(match authorities {
        [] => builder,
        authorities => builder.tls_certs_merge(authorities.iter().cloned()),
    })
}

/// Reads the certificates of authorities, each a text with one or more in PEM. The error says what is wrong with them.
pub fn authorities(pems: &[Vec<u8>]) -> Result<Vec<Certificate>, String> {
    let mut authorities = Vec::new();
    for pem in pems {
        let found = Certificate::from_pem_bundle(pem).map_err(|error| chain(&error))?;
        if found.is_empty() {
            return Err("the text holds no PEM certificate".into());
        }
        authorities.extend(found);
    }
    Ok(authorities)
}

/// Sends a request, and waits for the head of the answer; on another connection if one ended before the request was sent on it,
/// a few times. A request whose body is a stream is sent once.
pub async fn send(request: RequestBuilder) -> reqwest::Result<Response> {
    for _ in 0..MAX_LOST {
        let Some(again) = request.try_clone() else { break };
        match again.send().await {
            Err(error) if was_not_sent(&error) => {}
            done => return done,
        }
    }
    request.send().await
}

/// Whether the connection ended before the request was sent. hyper does not say why it did then; a server that does not like
/// our certificate says so at that moment. The next connection tells.
fn was_not_sent(error: &reqwest::Error) -> bool {
    chain(error).contains("operation was canceled")
}
