//! Telling failures of trust, which last, from failures of the network, which pass.

use std::error::Error;

use rustls::AlertDescription as Alert;

use super::address::find;
use crate::GitError;
use crate::error::shorten;

/// What it means, if an error comes from TLS; trying again cannot help then.
pub(super) fn failure(error: &(dyn Error + 'static)) -> Option<GitError> {
    let tls = find::<rustls::Error>(error)?;
    Some(match tls {
        rustls::Error::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            let detail =
                format!("the server wants a client certificate, or another one (TLS alert {alert:?})");
            GitError::Denied { detail }
        }
        tls => GitError::Tls { reason: shorten(&tls.to_string()) },
    })
}

/// What servers answer to a client certificate, or to none (RFC 8446, 6.2).
fn is_about_our_certificate(alert: Alert) -> bool {
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            // The signature of its authority, or ours with its key, cannot be verified.
            | Alert::DecryptError
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn tls_is_found_inside_io_errors() {
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        assert!(failure(&wrapped).unwrap().to_string().contains("UnknownIssuer"));
        assert!(failure(&io::Error::from(io::ErrorKind::ConnectionReset)).is_none());
        assert!(failure(&io::Error::other("reset")).is_none());
    }

    #[test]
    fn what_a_server_says_of_our_certificate_is_told_from_what_we_say_of_its() {
        let means = |alert| failure(&rustls::Error::AlertReceived(alert)).unwrap();
        assert!(matches!(means(Alert::CertificateRequired), GitError::Denied { .. }));
        assert!(matches!(means(Alert::UnknownCA), GitError::Denied { .. }));
        assert!(matches!(means(Alert::ProtocolVersion), GitError::Tls { .. }));
    }
}
