//! Whose certificates are believed: the system's (or those of `SSL_CERT_FILE`), and those the user adds.

use std::path::{Path, PathBuf};

use reqwest::{Certificate, ClientBuilder};

/// How a registry's certificate is checked.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// PEM with authorities to believe besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Believe any certificate.
    pub skip_verification: bool,
}

/// A client that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The HTTP library cannot (no TLS roots, a bad proxy setting).
    #[error("the HTTP client cannot be set up: {0}")]
    Http(#[from] reqwest::Error),
    /// The file with certificates cannot be used.
    #[error("--ca-file {}: {problem}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl Trust {
    /// `builder` with this trust.
    pub(super) fn apply(&self, builder: ClientBuilder) -> Result<ClientBuilder, SetupError> {
        let builder = match &self.ca_file {
            Some(path) => builder.tls_certs_merge(certificates(path)?),
            None => builder,
        };
        Ok(match self.skip_verification {
            true => builder.tls_danger_accept_invalid_certs(true),
            false => builder,
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, SetupError> {
    let refused = |problem: String| SetupError::CaFile {
        path: path.to_owned(),
        problem,
    };
    let pem =
        std::fs::read(path).map_err(|error| refused(format!("it cannot be read: {error}")))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(refused("it has no certificate in PEM".to_owned())),
    }
}
