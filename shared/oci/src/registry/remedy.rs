//! What a person can do about an answer that refuses.

use std::borrow::Cow;

use reqwest::StatusCode;

use super::blobs::{START, UPLOAD};
use super::manifests::PUT_MANIFEST;

/// Whether `action` is one of pushing.
fn writes(action: &str) -> bool {
    [START, UPLOAD, PUT_MANIFEST].contains(&action)
}

/// The end of an error's text, to follow what the registry said; empty where there is nothing to add.
pub(super) fn remedy(
    action: &str,
    repository: &str,
    status: StatusCode,
    code: &str,
    message: &str,
) -> Cow<'static, str> {
    let writes = writes(action);
    Cow::Borrowed(match (status.as_u16(), code) {
        (401, _) => "; check ORAS_USER and ORAS_PASS, or what `docker login` stored",
        (403, _) => "; check whether the user (ORAS_USER, or of `docker login`) may push there",
        (400, _) if speaks_tls(message) => "; write https:// before its address",
        (413, _) => {
            "; that is more than the registry, or a proxy before it, takes: raise the limit there \
             (nginx: client_max_body_size)"
        }
        (416, _) if writes => {
            "; it takes only so much in one request: give --max-chunk, for instance --max-chunk 4MiB"
        }
        (_, "NAME_INVALID") => {
            "; the registry takes no name like this one: see which namespaces it allows, and how deep they may be"
        }
        (404, "NAME_UNKNOWN") if writes && is_ecr(message) => {
            return Cow::Owned(ecr(repository));
        }
        (404, "NAME_UNKNOWN") | (404, "") if writes => {
            "; check the address and the namespace in it: some registries want the namespace (project) or each \
             repository made before anything is pushed"
        }
        (_, "MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN") if writes => {
            "; the registry took a blob that it does not have now: see its log and its storage"
        }
        (405, _) if writes => {
            "; check the address: what answers there takes no uploads as a registry would"
        }
        (415, _) | (_, "MANIFEST_INVALID") => {
            "; the registry must take OCI image manifests, whatever their config's media type: see its settings"
        }
        (500..=599, _) => "; the registry, or a proxy before it, has trouble: its log says more",
        _ => "",
    })
}

/// ECR's words for a repository that nobody made: "The repository with name 'x' does not exist in the registry with id '…'".
fn is_ecr(message: &str) -> bool {
    message.contains("does not exist in the registry with id")
}

/// ECR makes no repository by itself, unless a template says so; a channel has one for each name.
fn ecr(repository: &str) -> String {
    let prefix = repository.split('/').next().unwrap_or(repository);
    format!(
        "; ECR wants each repository made first: aws ecr create-repository --repository-name {repository}; or let it make \
         them all: aws ecr create-repository-creation-template --prefix {prefix} --applied-for CREATE_ON_PUSH"
    )
}

/// What servers say to plain http at a port of https (Go's, nginx, Apache).
fn speaks_tls(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["https server", "https port", "ssl-enabled server"]
        .iter()
        .any(|words| message.contains(words))
}
