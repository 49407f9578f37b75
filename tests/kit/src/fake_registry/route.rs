//! From method and path to what is asked for.

use axum::http::{Method, Uri};

use super::grammar::{is_digest, is_repository, is_tag};
use super::log::Kind;

/// A parsed request line.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) kind: Kind,
    /// Empty when the path names none.
    pub(super) repository: String,
    /// Tag, digest or upload session; empty when the path names none.
    pub(super) reference: String,
    query: Vec<(String, String)>,
}

/// A path that leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Astray {
    /// Nothing of the specification, or a name outside its grammar.
    NoSuchPage,
    /// A known path with a method it does not take.
    WrongMethod,
}

impl Route {
    /// The first value of a query parameter, decoded.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(key, _)| key == name)?;
        Some(value)
    }

    /// All values of a query parameter, decoded.
    pub(super) fn query_all<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a str> {
        let named = self.query.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    pub(super) fn parse(method: &Method, uri: &Uri) -> Result<Self, Astray> {
        let query = uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let mounts = query.iter().any(|(key, _)| key == "mount");
        let route = |kind, repository: &str, reference: &str| Route {
            kind,
            repository: repository.to_owned(),
            reference: reference.to_owned(),
            query: query.clone(),
        };
        // Clients may escape the colon of a digest; nothing else in a valid
        // path needs escaping.
        let path = uri.path().replace("%3A", ":").replace("%3a", ":");
        if path == "/token" {
            return match *method {
                Method::GET => Ok(route(Kind::Token, "", "")),
                _ => Err(Astray::WrongMethod),
            };
        }
        if path == "/v2/" || path == "/v2" {
            return match *method {
                Method::GET | Method::HEAD => Ok(route(Kind::Ping, "", "")),
                _ => Err(Astray::WrongMethod),
            };
        }
        let path = path.strip_prefix("/v2/").ok_or(Astray::NoSuchPage)?;
        let segments: Vec<&str> = path.rsplitn(4, '/').collect();
        let (repository, reference, place) = match segments[..] {
            ["list", "tags", ..] => (path.strip_suffix("/tags/list"), "", Place::Tags),
            [session, "uploads", "blobs", repository] => {
                let place = if session.is_empty() {
                    Place::Uploads
                } else {
                    Place::Session
                };
                (Some(repository), session, place)
            }
            [digest, "blobs", ..] if is_digest(digest) => (
                path.strip_suffix(&format!("/blobs/{digest}")),
                digest,
                Place::Blob,
            ),
            [reference, "manifests", ..] if is_tag(reference) || is_digest(reference) => {
                let repository = path.strip_suffix(&format!("/manifests/{reference}"));
                (repository, reference, Place::Manifest)
            }
            _ => return Err(Astray::NoSuchPage),
        };
        let repository = repository
            .filter(|name| is_repository(name))
            .ok_or(Astray::NoSuchPage)?;
        let kind = place.kind(method, mounts).ok_or(Astray::WrongMethod)?;
        Ok(route(kind, repository, reference))
    }
}

#[derive(Clone, Copy)]
enum Place {
    Uploads,
    Session,
    Blob,
    Manifest,
    Tags,
}

impl Place {
    fn kind(self, method: &Method, mounts: bool) -> Option<Kind> {
        Some(match (self, method.as_str()) {
            (Self::Uploads, "POST") if mounts => Kind::Mount,
            (Self::Uploads, "POST") => Kind::UploadPost,
            (Self::Session, "PATCH") => Kind::UploadPatch,
            (Self::Session, "PUT") => Kind::UploadPut,
            (Self::Session, "GET") => Kind::UploadGet,
            (Self::Session, "DELETE") => Kind::UploadDelete,
            (Self::Blob, "HEAD") => Kind::BlobHead,
            (Self::Blob, "GET") => Kind::BlobGet,
            (Self::Blob, "DELETE") => Kind::BlobDelete,
            (Self::Manifest, "HEAD") => Kind::ManifestHead,
            (Self::Manifest, "GET") => Kind::ManifestGet,
            (Self::Manifest, "PUT") => Kind::ManifestPut,
            (Self::Manifest, "DELETE") => Kind::ManifestDelete,
            (Self::Tags, "GET") => Kind::TagsList,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Astray, Kind, Route};
    use axum::http::{Method, Uri};

    fn parse(method: &Method, path: &str) -> Result<(Kind, String, String), Astray> {
        let uri: Uri = path.parse().expect("test paths are valid");
        Route::parse(method, &uri).map(|r| (r.kind, r.repository, r.reference))
    }

    fn to(kind: Kind, repository: &str, reference: &str) -> Result<(Kind, String, String), Astray> {
        Ok((kind, repository.to_owned(), reference.to_owned()))
    }

    #[test]
    fn paths_are_read_from_the_right() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let path = format!("/v2/ns/c/noarch/repodata.json/shards/blobs/{digest}");
        let repository = "ns/c/noarch/repodata.json/shards";
        assert_eq!(
            parse(&Method::HEAD, &path),
            to(Kind::BlobHead, repository, &digest)
        );
        let path = "/v2/a/tags/list/tags/list";
        assert_eq!(
            parse(&Method::GET, path),
            to(Kind::TagsList, "a/tags/list", "")
        );
        let path = "/v2/a/manifests/b/manifests/latest";
        assert_eq!(
            parse(&Method::PUT, path),
            to(Kind::ManifestPut, "a/manifests/b", "latest")
        );
        let path = "/v2/a/blobs/uploads/";
        assert_eq!(parse(&Method::POST, path), to(Kind::UploadPost, "a", ""));
        let path = "/v2/a/blobs/uploads/17-x?_state=b";
        assert_eq!(parse(&Method::PUT, path), to(Kind::UploadPut, "a", "17-x"));
    }

    #[test]
    fn names_outside_the_grammar_lead_nowhere() {
        for path in [
            "/v2/A/tags/list",
            "/v2/_a/manifests/latest",
            "/v2/a/manifests/1.0+b",
            "/v2/a/blobs/sha256:00",
            "/v2/manifests/latest",
            "/other",
        ] {
            assert_eq!(parse(&Method::GET, path), Err(Astray::NoSuchPage), "{path}");
        }
        assert_eq!(
            parse(&Method::PATCH, "/v2/a/tags/list"),
            Err(Astray::WrongMethod)
        );
    }
}
