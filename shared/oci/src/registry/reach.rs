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
    /// Nobody could be asked where the host's name leads.
    NoNameService,
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
                "; there is no such host: check the spelling of the address, and whether the network's name service knows it"
            }
            Self::NoNameService => {
                "; the network is down, or its name service does not answer: check this machine's connection and its \
                 name servers (/etc/resolv.conf)"
            }
            Self::Untrusted => {
                "; this machine does not trust that certificate: check the address, and add the authority that signed \
                 it to this machine's certificates, or name a file with it in --ca-file or SSL_CERT_FILE"
            }
            Self::NotTls => "; it seems to speak plain http: write http:// before its address",
            Self::NoConnection => {
                "; check the address and its port, that the registry runs, the firewall, and the proxy settings \
                 (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)"
            }
            Self::BrokeOff => "",
        }
    }

    /// The same where the registry sent the request on to another host, which is none of the user's choice.
    pub(super) fn remedy_elsewhere(self) -> &'static str {
        match self {
            Self::BrokeOff => "",
            Self::NoNameService => self.remedy(),
            _ => {
                "; this machine must reach that host as well: check the network, the firewall and the proxy settings, \
                 or how the registry is set up to name itself and its storage"
            }
        }
    }
}

/// What the HTTP library says of ENHANCE_YOUR_CALM (RFC 9113, 7).
const ENHANCE_YOUR_CALM: &str = "detected excessive load";

/// What a failed request comes to.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// This process has too many files and connections open.
    OutOfDescriptors,
    /// The connection was closed with HTTP/2's ENHANCE_YOUR_CALM: too many requests, in the protocol's own words.
    Calm(String),
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
    if text.contains(ENHANCE_YOUR_CALM) {
        return NoAnswer::Calm(text);
    }
    let reach = match connecting {
        false => Reach::BrokeOff,
        true if is_refused(&error) => Reach::Refused,
        true => unconnected(&text),
    };
    let text = if connecting {
        format!("no connection: {text}")
    } else {
        text
    };
    NoAnswer::At(reach, text)
}

/// What the causes of a connection that did not come about, and was not refused, say.
fn unconnected(causes: &str) -> Reach {
    /// What the C libraries say where no name server answers (glibc, musl).
    const NOBODY_KNOWS: [&str; 2] = ["Temporary failure in name resolution", "Try again"];
    if causes.contains("InvalidContentType") {
        Reach::NotTls
    } else if causes.contains("certificate") {
        Reach::Untrusted
    } else if !causes.contains("dns error") {
        Reach::NoConnection
    } else if NOBODY_KNOWS.iter().any(|words| causes.contains(words)) {
        Reach::NoNameService
    } else {
        Reach::NoSuchName
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_http_librarys_words_for_enhance_your_calm_are_known() {
        let error = h2::Error::from(h2::Reason::ENHANCE_YOUR_CALM);
        assert!(causes(&error).contains(ENHANCE_YOUR_CALM), "{error}");
    }

    #[test]
    fn a_network_that_is_down_is_told_from_a_name_that_nobody_has() {
        let lookup = |why: &str| {
            unconnected(&format!(
                "dns error: failed to lookup address information: {why}"
            ))
        };
        for (why, reach, words) in [
            ("Name or service not known", Reach::NoSuchName, "spelling"),
            ("Name does not resolve", Reach::NoSuchName, "spelling"),
            (
                "Temporary failure in name resolution",
                Reach::NoNameService,
                "network is down",
            ),
            ("Try again", Reach::NoNameService, "network is down"),
        ] {
            assert_eq!(lookup(why), reach, "{why}");
            let remedy = reach.remedy();
            assert!(remedy.contains(words), "{remedy}");
            assert_eq!(remedy.contains("no such host"), reach == Reach::NoSuchName);
        }
    }
}
