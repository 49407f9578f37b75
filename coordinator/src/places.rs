//! Where a mirror's own files are: one ledger and one spool for each registry and channel.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use mirror_channel::channel::Channel;
use mirror_oci::registry::Address;
use mirror_worker::OwnFolder;
use rattler_digest::{Sha256, compute_bytes_digest};
use tempfile::TempDir;

use crate::options::{Memory, Options};

/// The default folder of ledgers: `$XDG_STATE_HOME/conda-oci`, or `~/.local/state/conda-oci`.
pub(crate) fn default_state() -> anyhow::Result<PathBuf> {
    let from = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base =
        from("XDG_STATE_HOME").or_else(|| from("HOME").map(|home| home.join(".local/state")));
    Ok(base
        .context(
            "neither HOME nor XDG_STATE_HOME is set; name a folder for the ledger with --state DIR",
        )?
        .join("conda-oci"))
}

/// The ledger file and the spool folder of a run.
pub(crate) struct Places {
    pub ledger: PathBuf,
    pub spool: PathBuf,
    /// What is removed when the run is over.
    _passing: Option<Passing>,
}

enum Passing {
    Temporary(#[expect(dead_code, reason = "it is kept to be dropped")] TempDir),
    Own(#[expect(dead_code, reason = "it is kept to be dropped")] OwnFolder),
}

impl Places {
    /// The places of this run; `pushes`: of `push-cache`. One that is to leave no trace has them in a temporary folder.
    pub(crate) fn of(options: &Options, channel: &Channel, pushes: bool) -> anyhow::Result<Self> {
        let ledger = match (&options.memory, &options.registry) {
            (Memory::Folder(state), Some(registry)) => {
                let mut slug = slug(registry, &channel.name)?;
                if pushes {
                    // Files are pushed while a mirror has its own.
                    slug.push_str("-push");
                }
                Some((ledger_file(state, &slug), slug))
            }
            (Memory::Redis(_), _) | (_, None) => None,
        };
        match (ledger, &options.memory, &options.spool) {
            (Some((ledger, slug)), _, Some(spool)) if !options.dry_run => Ok(Self {
                ledger,
                spool: spool.join(slug),
                _passing: None,
            }),
            // Nothing but the lease of each subdir keeps others on this machine out.
            (None, Memory::Redis(_), spool) if !options.dry_run => {
                let parent = match spool {
                    Some(spool) => spool.clone(),
                    None => std::env::temp_dir().join("conda-oci"),
                };
                let own = OwnFolder::make(&parent)?;
                Ok(Self {
                    ledger: own.path().join("ledger.redb"),
                    spool: own.path().join("spool"),
                    _passing: Some(Passing::Own(own)),
                })
            }
            (ledger, _, _) => Self::passing(ledger.map(|(ledger, _)| ledger)),
        }
    }

    /// Places that leave no trace, with a copy of `ledger`.
    fn passing(ledger: Option<PathBuf>) -> anyhow::Result<Self> {
        let temporary = tempfile::tempdir().context("make a temporary folder")?;
        let passing = Self {
            ledger: temporary.path().join("ledger.redb"),
            spool: temporary.path().join("spool"),
            _passing: Some(Passing::Temporary(temporary)),
        };
        // A dry run looks at a copy: it changes nothing, not even the marks of an interrupted run.
        if let Some(ledger) = ledger.filter(|ledger| ledger.exists()) {
            std::fs::copy(&ledger, &passing.ledger)
                .with_context(|| format!("copy the ledger {}", ledger.display()))?;
        }
        Ok(passing)
    }
}

/// The folder in which verifying this mirror notes how far it is: of the state folder, also where the ledger is elsewhere.
///
/// # Errors
/// When there is no place for it.
pub(crate) fn verify(
    memory: &Memory,
    registry: &Address,
    channel: &str,
) -> anyhow::Result<PathBuf> {
    let state = match memory {
        Memory::Folder(state) => state.clone(),
        Memory::Redis(_) => default_state()?,
    };
    Ok(state.join("verify").join(slug(registry, channel)?))
}

/// Where the ledger of this mirror is in the folder `state`, if it is there.
pub(crate) fn ledger(state: &Path, registry: &Address, channel: &str) -> anyhow::Result<PathBuf> {
    Ok(ledger_file(state, &slug(registry, channel)?))
}

fn ledger_file(state: &Path, slug: &str) -> PathBuf {
    state.join(format!("{slug}.redb"))
}

/// A file name for this registry and channel, readable and unlike that of any other pair.
fn slug(registry: &Address, channel: &str) -> anyhow::Result<String> {
    let registry = match registry {
        // The same folder under another spelling is the same mirror.
        Address::Folder(folder) => format!("oci:{}", absolute(folder)?.display()),
        Address::Channel(folder) => format!("channel:{}", absolute(folder)?.display()),
        Address::Registry(_) => registry.to_string(),
    };
    let whole = format!("{registry} {channel}");
    let hash = compute_bytes_digest::<Sha256>(whole.as_bytes());
    let short = hash[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let readable: String = whole
        .trim_start_matches("http://")
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let tail = &readable[readable.len().saturating_sub(100)..];
    Ok(format!(
        "{}-{short}",
        tail.trim_start_matches(['.', '_', '-'])
    ))
}

/// The folder without links and `..`, whether or not it is there yet: a mirror keeps its ledger when
/// its folder has been made.
fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    let whole = std::path::absolute(folder);
    let whole = whole.with_context(|| format!("resolve the folder {}", folder.display()))?;
    let found = whole
        .ancestors()
        .find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    Ok(match found {
        Some((ancestor, real)) => match whole.strip_prefix(ancestor) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => whole,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_keeps_its_name_when_it_is_made_and_under_any_spelling() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a").join("mirror");
        let name = || slug(&Address::Folder(folder.clone()), "c").unwrap();
        let before = name();
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(name(), before);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("a"), &link).unwrap();
        assert_eq!(
            slug(&Address::Folder(link.join("mirror")), "c").unwrap(),
            before
        );
    }

    #[test]
    fn each_registry_and_channel_has_a_name_of_its_own() {
        let slug =
            |registry: &str, channel: &str| slug(&registry.parse().unwrap(), channel).unwrap();
        let one = slug("ghcr.io/org", "conda-forge");
        assert!(one.starts_with("ghcr.io_org_conda-forge-"), "{one}");
        assert_ne!(one, slug("ghcr.io/org", "conda-forge/label/rc"));
        assert_ne!(slug("ghcr.io/a", "b/c"), slug("ghcr.io/a/b", "c"));
    }
}
