//! Tags that the index does not list, in the repositories of the names that it lists. They harm nobody and are reported
//! only: files that the channel removed or yanked stay in a registry.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use mirror_channel::repodata::Record;
use mirror_oci::layout::SubdirLayout;

use super::blob::Look;
use super::finding::{Finding, Kind};
use super::walk::unanswered;
use crate::patience::patiently;

/// A hash of a place in the registry.
pub(crate) fn place_hash(repository: &str, tag: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (repository, tag).hash(&mut hasher);
    hasher.finish()
}

/// Lists the tags of one package name and says which of them the index does not. `builds` are all builds that it lists of
/// the name; `archived` the places ([`place_hash`]) of what the channel archived, if it was asked.
///
/// # Errors
/// When nobody answers.
pub(crate) async fn outside(
    look: Look<'_>,
    layout: &SubdirLayout,
    builds: &[Vec<Record>],
    archived: Option<&HashSet<u64>>,
) -> anyhow::Result<Vec<Finding>> {
    let places = builds.iter().flatten();
    let places = places.filter_map(|record| layout.package(&record.file).ok());
    let mut repository = String::new();
    let mut listed = HashSet::new();
    for place in places {
        repository = place.repository;
        listed.insert(place.tag);
    }
    if repository.is_empty() {
        return Ok(Vec::new());
    }
    let destination = look.destination;
    let tags = match patiently(|| destination.tags(&repository)).await {
        Ok(tags) => tags,
        Err(error) => {
            // Without a list nothing is known of what is outside the index, and all in it is looked at by itself.
            unanswered(error, &repository, &repository)?;
            return Ok(Vec::new());
        }
    };
    let outside = tags.into_iter().filter(|tag| !listed.contains(tag));
    let found = outside.map(|tag| {
        let yanked = archived.map(|places| places.contains(&place_hash(&repository, &tag)));
        let cause = match yanked {
            Some(true) => "archived by the channel, which no longer lists it",
            Some(false) => "the index does not list it, nor does the channel's archive",
            None => "the index does not list it",
        };
        let subject = format!("{repository}:{tag}");
        let mut finding =
            Finding::new(Kind::Outside, &subject, &repository, cause.to_owned()).at(&tag);
        finding.yanked = yanked;
        finding
    });
    Ok(found.collect())
}
