//! The certificates of one control plane, made anew for each.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::ControlPlaneError;

/// Files in PEM that the API server is started with.
#[derive(Debug)]
pub(super) struct Certificates {
    pub(super) ca: PathBuf,
    pub(super) server: PathBuf,
    pub(super) server_key: PathBuf,
    /// Signs the tokens of service accounts.
    pub(super) accounts_key: PathBuf,
    /// Proves them: the API server does not take it out of a key in PKCS #8.
    pub(super) accounts_public: PathBuf,
    pub(super) ca_pem: String,
    pub(super) ca_der: Vec<u8>,
}

impl Certificates {
    pub(super) fn write(directory: &Path) -> Result<Self, ControlPlaneError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "gitops test control plane");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let ca = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);

        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"].map(str::to_owned);
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate()?;
        let server = params.signed_by(&server_key, &issuer)?;

        let accounts = KeyPair::generate()?;
        let save = |name: &str, pem: &str| {
            let path = directory.join(name);
            fs::write(&path, pem).map_err(ControlPlaneError::io(&path))?;
            Ok::<_, ControlPlaneError>(path)
        };
        Ok(Self {
            ca: save("ca.crt", &ca.pem())?,
            server: save("apiserver.crt", &server.pem())?,
            server_key: save("apiserver.key", &server_key.serialize_pem())?,
            accounts_key: save("service-accounts.key", &accounts.serialize_pem())?,
            accounts_public: save("service-accounts.pub", &accounts.public_key_pem())?,
            ca_pem: ca.pem(),
            ca_der: ca.der().to_vec(),
        })
    }
}
