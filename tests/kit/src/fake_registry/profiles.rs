//! How the registries of vendors differ from the specification's plainest one, as far as somebody who pushes notices. Each
//! line is from the vendor's documentation or from a thread of somebody who met it.

use super::auth::{Anonymous, Auth, Bearer};
use super::limit::WriteLimit;
use super::options::{Location, Mount, Options, SinglePost, Unmade};

/// A kind of registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// GitHub's ghcr.io.
    Ghcr,
    /// Amazon's ECR, with a template that makes repositories on push.
    Ecr,
    /// Docker Hub, which nothing can be mirrored to.
    DockerHub,
    /// Red Hat's Quay.
    Quay,
    /// Harbor.
    Harbor,
    /// zot.
    Zot,
    /// The CNCF's distribution (docker-registry).
    Distribution,
    /// JFrog's Artifactory.
    Artifactory,
}

impl Vendor {
    /// All that can hold a mirror.
    pub const MIRRORS: [Self; 7] = [
        Self::Ghcr,
        Self::Ecr,
        Self::Quay,
        Self::Harbor,
        Self::Zot,
        Self::Distribution,
        Self::Artifactory,
    ];

    /// A registry of this kind in which one user may push.
    #[must_use]
    pub fn options(self, user: &str, password: &str) -> Options {
        let login = || (user.to_owned(), password.to_owned());
        let bearer = |anonymous, refuse_unknown_repositories| {
            Auth::Bearer(Bearer {
                user: Some(login()),
                anonymous,
                refuse_unknown_repositories,
                ..Bearer::default()
            })
        };
        let basic = || Auth::basic(user, password);
        let plain = Options::default();
        match self {
            Self::Ghcr => Options {
                // 403 for a repository that does not exist (rattler#2733).
                auth: bearer(Anonymous::Pull, true),
                location: Location::Relative,
                // rust-oci-client#35.
                largest_chunk: Some(4 << 20),
                tags_page: Some(100),
                redirect_blobs: true,
                // chainguard-images#173.
                write_limit: Some(WriteLimit {
                    per_minute: 2000,
                    at_once: 200,
                }),
                ..plain
            },
            Self::Ecr => Options {
                // No token endpoint (rattler#2624).
                auth: basic(),
                mount: Mount::Never,
                manifest_location: false,
                redirect_blobs: true,
                unmade: Unmade::Made,
                ..plain
            },
            Self::DockerHub => Options {
                auth: bearer(Anonymous::Pull, false),
                deepest_name: Some(2),
                redirect_blobs: true,
                ..plain
            },
            Self::Quay => Options {
                auth: bearer(Anonymous::Pull, false),
                location: Location::Relative,
                tags_page: Some(50),
                redirect_blobs: true,
                ..plain
            },
            Self::Harbor => Options {
                auth: bearer(Anonymous::Nothing, false),
                location: Location::Relative,
                ..plain
            },
            Self::Zot => Options {
                auth: basic(),
                single_post: SinglePost::Accepted,
                mount: Mount::Anywhere,
                location: Location::Relative,
                refuse_empty_config: false,
                ..plain
            },
            Self::Distribution => Options {
                auth: bearer(Anonymous::Nothing, false),
                refuse_empty_config: false,
                blob_cache_control: Some("max-age=31536000".to_owned()),
                ..plain
            },
            Self::Artifactory => Options {
                auth: Auth::Bearer(Bearer {
                    user: Some(login()),
                    anonymous: Anonymous::Nothing,
                    members: vec!["access_token"],
                    ..Bearer::default()
                }),
                mount: Mount::Refused,
                ..plain
            },
        }
    }
}
