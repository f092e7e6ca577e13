//! Telling failures of trust, which last, from failures of the network, which pass.

use std::error::Error;

use rustls::AlertDescription as Alert;

use crate::failure::find;
use crate::text::shorten;

/// What TLS made fail. Trying again cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The server does not take our certificate, or wants one.
    #[error("the server wants a client certificate, or another one (TLS alert {0})")]
    OurCertificate(String),
    /// The server's certificate cannot be trusted, or there is no common way to speak TLS.
    #[error("{0}")]
    Untrusted(String),
}

impl TlsFailure {
    /// What it means, if an error comes from TLS.
    pub fn in_causes_of(error: &(dyn Error + 'static)) -> Option<Self> {
        Some(match find::<rustls::Error>(error)? {
            rustls::Error::AlertReceived(alert) if is_about_our_certificate(*alert) => {
                Self::OurCertificate(format!("{alert:?}"))
            }
            tls => Self::Untrusted(shorten(&tls.to_string())),
        })
    }
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
        assert!(TlsFailure::in_causes_of(&wrapped).unwrap().to_string().contains("UnknownIssuer"));
        assert!(TlsFailure::in_causes_of(&io::Error::from(io::ErrorKind::ConnectionReset)).is_none());
        assert!(TlsFailure::in_causes_of(&io::Error::other("reset")).is_none());
    }

    #[test]
    fn what_a_server_says_of_our_certificate_is_told_from_what_we_say_of_its() {
        let means = |alert| TlsFailure::in_causes_of(&rustls::Error::AlertReceived(alert)).unwrap();
        assert!(matches!(means(Alert::CertificateRequired), TlsFailure::OurCertificate(_)));
        assert!(matches!(means(Alert::UnknownCA), TlsFailure::OurCertificate(_)));
        assert!(matches!(means(Alert::ProtocolVersion), TlsFailure::Untrusted(_)));
    }
}
