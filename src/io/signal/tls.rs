//! TLS for the signal connection: web PKI roots, and those of `--ca FILE`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why `--ca FILE` cannot be used.
#[derive(Debug)]
pub enum CaError {
    /// It cannot be read.
    Read(io::Error),
    /// It holds no certificate in PEM form, or a broken one.
    Invalid(String),
}

impl std::fmt::Display for CaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CaError::Read(error) => write!(f, "{error}"),
            CaError::Invalid(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for CaError {}

/// The client's TLS settings. `ca` adds roots to the public ones.
///
/// # Errors
/// The CA file cannot be used.
pub fn client_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, CaError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca {
        add_file(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| CaError::Invalid(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), CaError> {
    let pem = std::fs::read(path).map_err(CaError::Read)?;
    let mut added = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| CaError::Invalid(format!("not PEM: {error}")))?;
        roots.add(certificate).map_err(|error| CaError::Invalid(format!("not a usable root: {error}")))?;
        added += 1;
    }
    if added == 0 {
        return Err(CaError::Invalid("holds no certificate (BEGIN CERTIFICATE)".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_said_to_be_one() {
        assert!(client_config(None).is_ok());
        assert!(matches!(client_config(Some(Path::new("/nowhere/ca.pem"))), Err(CaError::Read(_))));
        let invalid = client_config(Some(Path::new("Cargo.toml")));
        assert!(matches!(invalid, Err(CaError::Invalid(_))));
    }
}
