//! TLS in front of a test registry: a certificate authority of the test's own
//! and a proxy that terminates TLS and passes the bytes on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::accept;

/// The name for which test certificates are made, beside `localhost` and
/// `127.0.0.1`. It resolves nowhere: clients are told its address.
pub const TEST_HOST: &str = "mirror.test";

/// A certificate authority that lives as long as the value.
pub struct TestCa {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its private key, both as PEM.
pub struct TestCertificate {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}

impl TestCa {
    /// A new authority.
    ///
    /// # Panics
    /// If the system has no randomness.
    #[must_use]
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key for the test CA");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "mirror test CA");
        let certificate = params.self_signed(&key).expect("the parameters are valid");
        Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// The authority's certificate as PEM, for clients to trust.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for [`TEST_HOST`], `localhost` and `127.0.0.1`.
    ///
    /// # Panics
    /// If the system has no randomness.
    #[must_use]
    pub fn issue(&self) -> TestCertificate {
        let key = KeyPair::generate().expect("a key for the test server");
        let names = [TEST_HOST, "localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).expect("the names are valid");
        params.use_authority_key_identifier_extension = true;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the parameters are valid");
        TestCertificate {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A proxy on `127.0.0.1` that speaks TLS and passes the bytes on in plain TCP.
/// It runs on the runtime that started it and stops when dropped.
pub struct TlsProxy {
    addr: SocketAddr,
    _connections: JoinSet<()>,
}

impl TlsProxy {
    /// Starts a proxy in front of `upstream` with a certificate of `ca`.
    ///
    /// # Errors
    /// If no port is to be had.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(ca: &TestCa, upstream: SocketAddr) -> io::Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(server_config(&ca.issue())));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let mut connections = JoinSet::new();
        connections.spawn(accept::each(listener, move |connection| {
            pass(acceptor.clone(), connection, upstream)
        }));
        Ok(Self {
            addr,
            _connections: connections,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

pub(crate) fn server_config(certificate: &TestCertificate) -> ServerConfig {
    let chain = CertificateDer::from_pem_slice(certificate.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes());
    // Named, because two providers are linked in and neither is the default.
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default protocol versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![chain.expect("we wrote this PEM")],
            key.expect("we wrote this PEM"),
        )
        .expect("certificate and key belong together")
}

async fn pass(acceptor: TlsAcceptor, connection: TcpStream, upstream: SocketAddr) {
    // Errors end this connection; its client sees that.
    let Ok(mut client) = acceptor.accept(connection).await else {
        return;
    };
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
