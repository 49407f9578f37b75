//! What an error of Redis means for who waits for the answer. Decided from the error alone.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Load the script and ask again.
    Load,
    /// The connection is of no use any more: make another one and ask again.
    Redial,
    /// Ask again on the same connection after a while.
    Wait,
    /// The login was refused, or it does not allow this.
    Refused,
    /// No TLS came about: the certificate is not trusted, or the port does not speak TLS.
    Untrusted,
    /// The server has used up the memory it may have.
    Full,
    /// Asking again will not help.
    Fatal,
}

impl Verdict {
    pub(super) fn of(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::Refused,
            ErrorKind::Io if is_tls(error) => Self::Untrusted,
            ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound => Self::Redial,
            ErrorKind::Server(kind) => match kind {
                ServerErrorKind::NoScript => Self::Load,
                // Of a single connection: the address is another machine's now, or one of a cluster's.
                ServerErrorKind::ReadOnly
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::MasterDown => Self::Redial,
                ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown => Self::Wait,
                ServerErrorKind::NoPerm => Self::Refused,
                _ => Self::of_code(error.code()),
            },
            _ => Self::of_code(error.code()),
        }
    }

    fn of_code(code: Option<&str>) -> Self {
        match code {
            Some("NOAUTH" | "WRONGPASS") => Self::Refused,
            Some("OOM") => Self::Full,
            // Somebody's slow script; too few replicas; a disk that cannot take the snapshot.
            Some("BUSY" | "NOREPLICAS" | "MISCONF") => Self::Wait,
            _ => Self::Fatal,
        }
    }
}

/// Whether TLS was refused. A broken connection is none, though it may break during a handshake.
fn is_tls(error: &RedisError) -> bool {
    let wrapped = error
        .source()
        .and_then(|source| source.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>());
    let io = wrapped.and_then(|wrapped| wrapped.downcast_ref::<io::Error>());
    io.and_then(io::Error::get_ref)
        .is_some_and(|inner| inner.is::<rustls::Error>())
}

/// The server's words or the operating system's, without anything of the request.
pub(super) fn words(error: &RedisError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str) -> RedisError {
        ::redis::make_extension_error(code.to_owned(), None)
    }

    #[test]
    fn each_error_is_met_in_its_way() {
        let lost = RedisError::from(io::Error::from(io::ErrorKind::ConnectionReset));
        let late = RedisError::from(io::Error::from(io::ErrorKind::TimedOut));
        assert_eq!(Verdict::of(&lost), Verdict::Redial);
        assert_eq!(Verdict::of(&late), Verdict::Redial);
        let alert = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let alert = RedisError::from(io::Error::new(io::ErrorKind::InvalidData, alert));
        assert_eq!(Verdict::of(&alert), Verdict::Untrusted);
        for (code, verdict) in [
            ("OOM", Verdict::Full),
            ("NOAUTH", Verdict::Refused),
            ("WRONGPASS", Verdict::Refused),
            ("MISCONF", Verdict::Wait),
            ("WRONGTYPE", Verdict::Fatal),
        ] {
            assert_eq!(Verdict::of(&answered(code)), verdict, "{code}");
        }
        for (kind, verdict) in [
            (ServerErrorKind::NoScript, Verdict::Load),
            (ServerErrorKind::BusyLoading, Verdict::Wait),
            (ServerErrorKind::ClusterDown, Verdict::Wait),
            (ServerErrorKind::TryAgain, Verdict::Wait),
            (ServerErrorKind::ReadOnly, Verdict::Redial),
            (ServerErrorKind::Moved, Verdict::Redial),
            (ServerErrorKind::NoPerm, Verdict::Refused),
            (ServerErrorKind::CrossSlot, Verdict::Fatal),
        ] {
            let error = RedisError::from((ErrorKind::Server(kind), "said the server"));
            assert_eq!(Verdict::of(&error), verdict, "{kind:?}");
        }
    }
}
