//! How far a request came that got no whole answer, told from the HTTP library's error: its types say little, its chain
//! of causes says all.

use std::io;

use crate::local::is_out_of_descriptors;

/// Why there was no answer, or only a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing listens at the address.
    Refused,
    /// The host's name leads to no address.
    NoSuchName,
    /// The host's certificate is none that this machine trusts.
    Untrusted,
    /// The host answers TLS with something else.
    NotTls,
    /// There was no connection for another reason: no route, a proxy, no answer in time.
    NoConnection,
    /// There was a connection, and it broke or fell silent.
    BrokeOff,
}

impl Reach {
    /// Whether not even a connection came about: all requests to the host will end so.
    #[must_use]
    pub fn is_unreachable(self) -> bool {
        self != Self::BrokeOff
    }

    /// What to check, to follow the cause; empty where another try is all there is to do.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Refused => {
                "; nothing listens there: check the address and its port, and that the registry runs \
                 (one without TLS wants http:// before its address)"
            }
            Self::NoSuchName => {
                "; there is no such host: check the spelling of the address, the network and its name service"
            }
            Self::Untrusted => {
                "; this machine does not trust that certificate: check the address, and add the authority that signed \
                 it to this machine's certificates, or name a file with it in SSL_CERT_FILE"
            }
            Self::NotTls => "; it seems to speak plain http: write http:// before its address",
            Self::NoConnection => {
                "; check the address and its port, that the registry runs, the firewall, and the proxy settings \
                 (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)"
            }
            Self::BrokeOff => "",
        }
    }
}

/// What a failed request comes to.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// This process has too many files and connections open.
    OutOfDescriptors,
    /// How far it came, and the causes as text.
    At(Reach, String),
}

/// Tells why `error` happened. The text is without URLs: upload sessions and signed downloads carry secrets there.
pub(super) fn no_answer(error: reqwest::Error) -> NoAnswer {
    let connecting = error.is_connect();
    let error = error.without_url();
    if is_out_of_descriptors(&error) {
        return NoAnswer::OutOfDescriptors;
    }
    let text = causes(&error);
    let reach = if !connecting {
        Reach::BrokeOff
    } else if text.contains("InvalidContentType") {
        Reach::NotTls
    } else if text.contains("certificate") {
        Reach::Untrusted
    } else if text.contains("dns error") {
        Reach::NoSuchName
    } else if is_refused(&error) {
        Reach::Refused
    } else {
        Reach::NoConnection
    };
    let text = if connecting {
        format!("no connection: {text}")
    } else {
        text
    };
    NoAnswer::At(reach, text)
}

/// The chain of causes. The library's headlines go where something more telling follows.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    const HEADLINES: [&str; 2] = ["error sending request", "client error (Connect)"];
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if texts
            .last()
            .is_some_and(|last| HEADLINES.contains(&last.as_str()))
        {
            texts.pop();
        }
        if texts.last().is_none_or(|last| !last.ends_with(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

fn is_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let io: Option<&io::Error> = error.downcast_ref();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        next = error.source();
    }
    false
}
