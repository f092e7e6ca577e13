//! Telling failures of trust, which last, from failures of the network, which pass.

use std::error::Error;

use super::address::find;
use crate::error::shorten;

/// The reason, if an error comes from TLS and trying again cannot help.
pub(super) fn failure(error: &(dyn Error + 'static)) -> Option<String> {
    find::<rustls::Error>(error).map(|tls| shorten(&tls.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn tls_is_found_inside_io_errors() {
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        assert!(failure(&wrapped).unwrap().contains("UnknownIssuer"));
        assert_eq!(failure(&io::Error::from(io::ErrorKind::ConnectionReset)), None);
        assert_eq!(failure(&io::Error::other("reset")), None);
    }
}
