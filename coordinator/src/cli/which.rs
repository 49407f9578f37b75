//! Which mirror a command is about that looks at mirrors or steers them: the options of `conda-oci mirror` that say so.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use mirror_channel::channel::Channel;
use mirror_oci::registry::Address;
use mirror_queue::rabbitmq;
use mirror_runtime::settings::Hidden;

use super::check::{channel_refusal, check, check_name};
use super::mirror::MirrorArgs;
use super::said::Said;
use super::{State, config, elsewhere, pick, shown, source};
use crate::options::Memory;

/// The options, written as for `conda-oci mirror`.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhichArgs {
    /// Channel that is mirrored, as `conda-oci mirror` was given it
    #[arg(short, long, value_name = "CHANNEL", help_heading = "Which mirror")]
    pub channel: Option<String>,

    /// Where channel names live.
    #[arg(
        long,
        value_name = "URL",
        help = "Where channel names live [default: https://conda.anaconda.org]",
        help_heading = "Which mirror"
    )]
    pub channel_base: Option<String>,

    /// Name of the mirrored channel, if it was given one
    #[arg(long = "as", value_name = "NAME", help_heading = "Which mirror")]
    pub rename: Option<String>,

    /// Only this subdir, repeatable [default: every one that the ledger knows]
    #[arg(
        short,
        long = "subdir",
        value_name = "SUBDIR",
        help_heading = "Which mirror"
    )]
    pub subdirs: Vec<String>,

    /// Where it goes: host/namespace, host:port/namespace, https://…, http://…, or oci:FOLDER
    #[arg(
        long,
        value_name = "REGISTRY",
        conflicts_with = "user",
        help_heading = "Which mirror"
    )]
    pub registry: Option<String>,

    /// Short for --registry ghcr.io/NAME
    #[arg(long, value_name = "NAME", help_heading = "Which mirror")]
    pub user: Option<String>,

    /// The mirrors of a file (TOML)
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["channel", "rename"],
        help_heading = "Which mirror"
    )]
    pub config: Option<PathBuf>,

    /// Of the file, only the mirrors with this name, channel or mirrored name, repeatable
    #[arg(
        long,
        value_name = "NAME",
        requires = "config",
        conflicts_with = "channel",
        help_heading = "Which mirror"
    )]
    pub only: Vec<String>,

    /// Folder of the ledgers, or a Redis.
    #[arg(
        long,
        value_name = "DIR|URL",
        help = "Folder of the ledgers, or the Redis that workers share: redis[s]://[user:password@]host[:port] [default: ~/.local/state/conda-oci]",
        help_heading = "Where it is remembered"
    )]
    pub state: Option<State>,

    /// Broker with its tasks.
    #[arg(
        long,
        value_name = "URL",
        help = "Broker with its tasks: amqp[s]://user:password@host[:port][/vhost]",
        help_heading = "Where it is remembered"
    )]
    pub queue: Option<Hidden>,

    /// Name of the queue [default: conda-oci]
    #[arg(long, value_name = "NAME", help_heading = "Where it is remembered")]
    pub queue_name: Option<String>,

    /// Certificates (PEM) to trust at the broker and at Redis besides the system's
    #[arg(long, value_name = "FILE", help_heading = "Where it is remembered")]
    pub ca_file: Option<PathBuf>,
}

/// A mirror, found out from the options.
#[derive(Debug, Clone)]
pub(crate) struct Which {
    /// What its configuration file calls it.
    pub name: Option<String>,
    pub channel: Channel,
    pub registry: Address,
    /// Empty: every one that the ledger knows.
    pub subdirs: Vec<String>,
    pub memory: Memory,
    pub queue: Option<rabbitmq::Options>,
}

impl WhichArgs {
    /// The mirrors that are meant.
    ///
    /// # Errors
    /// When something cannot be used as written; the text says what to write instead.
    pub(crate) fn find(&self) -> anyhow::Result<Vec<Which>> {
        let Some(file) = &self.config else {
            let channel = self.channel.clone();
            let channel = channel.context(
                "which mirror? Give --channel and --registry as for `conda-oci mirror`, or --config FILE",
            )?;
            return Ok(vec![which(
                self.of_mirror(),
                &channel,
                Said::OnCommandLine,
            )?]);
        };
        let given = self.of_mirror();
        check(&given, Said::OnCommandLine)?;
        let mut entries = config::read(file)?;
        for entry in &mut entries {
            let of_file = std::mem::take(&mut entry.mirror);
            entry.mirror = given.clone().over(of_file);
        }
        let found = pick::pick(entries, &self.only).and_then(|entries| {
            let found = entries.into_iter().map(|entry| {
                let named = entry.shown();
                which(entry.mirror, &entry.channel, Said::InFile)
                    .with_context(|| format!("mirror `{named}`"))
            });
            found.collect()
        });
        found.with_context(|| format!("the configuration {}", file.display()))
    }

    fn of_mirror(&self) -> MirrorArgs {
        MirrorArgs {
            channel: self.channel.clone(),
            channel_base: self.channel_base.clone(),
            rename: self.rename.clone(),
            subdirs: self.subdirs.clone(),
            registry: self.registry.clone(),
            user: self.user.clone(),
            state: self.state.clone(),
            queue: self.queue.clone(),
            queue_name: self.queue_name.clone(),
            ca_file: self.ca_file.clone(),
            ..MirrorArgs::default()
        }
    }

    /// `conda-oci <command>` with these options, fit for a shell. What holds a secret is left to its variable.
    pub(crate) fn command(&self, command: &str) -> String {
        let mut words = vec!["conda-oci".to_owned(), command.to_owned()];
        let mut add = |option: &str, value: &str, shown: &str| {
            words.push(format!("--{option}"));
            words.push(match value == shown {
                true => quoted(value),
                false => format!("\"${}\"", mirror_runtime::settings::variable(option)),
            });
        };
        let plain = [
            ("channel", &self.channel),
            ("channel-base", &self.channel_base),
            ("as", &self.rename),
            ("registry", &self.registry),
            ("user", &self.user),
        ];
        let path = |path: &Path| path.display().to_string();
        if let Some(file) = &self.config {
            add("config", &path(file), &path(file));
        }
        for only in &self.only {
            add("only", only, &shown(only));
        }
        for (option, value) in plain {
            if let Some(value) = value {
                add(option, value, &shown(value));
            }
        }
        for subdir in &self.subdirs {
            add("subdir", subdir, subdir);
        }
        if let Some(Hidden(queue)) = &self.queue {
            add("queue", queue.expose(), &address(queue.expose()));
        }
        if let Some(name) = &self.queue_name {
            add("queue-name", name, name);
        }
        match &self.state {
            Some(State::Folder(folder)) => add("state", &path(folder), &path(folder)),
            Some(State::Redis(url)) => add("state", url.expose(), &address(url.expose())),
            None => {}
        }
        if let Some(file) = &self.ca_file {
            add("ca-file", &path(file), &path(file));
        }
        words.join(" ")
    }
}

/// An address, or nothing like it if it holds a user or a password.
fn address(url: &str) -> String {
    match url.contains(['@', '?']) {
        true => String::new(),
        false => url.to_owned(),
    }
}

fn which(mut mirror: MirrorArgs, channel: &str, said: Said) -> anyhow::Result<Which> {
    let checked = check(&mirror, said)?;
    let registry = checked.registry.context(
        "which destination? Give --registry (or --user) as `conda-oci mirror` was given it",
    )?;
    let resolved = mirror.channel.as_deref().unwrap_or(channel);
    let (resolved, own_name) = source::resolved(resolved)?;
    let rename = mirror.rename.as_deref().or(own_name.as_deref());
    let channel = Channel::parse(&resolved, &checked.base, rename)
        .map_err(|error| channel_refusal(error, said))?;
    check_name(&channel.name, Some(&registry), &mirror.subdirs, said)?;
    // Nothing is transferred here, so it does not matter who sees a folder.
    mirror.shared_path = Some(true);
    let memory = elsewhere::memory(&mirror)?;
    let queue = elsewhere::queue(&mirror, &memory, &channel, Some(&registry), said)?;
    let mut subdirs = mirror.subdirs;
    subdirs.sort();
    subdirs.dedup();
    Ok(Which {
        name: mirror.name,
        channel,
        registry,
        subdirs,
        memory,
        queue,
    })
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        which: WhichArgs,
    }

    fn which(arguments: &[&str]) -> WhichArgs {
        let arguments = ["x"].iter().chain(arguments);
        Only::try_parse_from(arguments).unwrap().which
    }

    #[test]
    fn the_command_for_the_same_mirror_has_the_same_options_fit_for_a_shell() {
        let which = which(&[
            "-c",
            "./my channel",
            "--as",
            "it's",
            "--registry",
            "http://h:5000/ns",
            "-s",
            "linux-64",
            "--state",
            "redis://r:6379",
            "--queue",
            "amqp://b",
            "--queue-name",
            "q",
        ]);
        assert_eq!(
            which.command("mirror"),
            r"conda-oci mirror --channel './my channel' --as 'it'\''s' --registry http://h:5000/ns --subdir linux-64 --queue amqp://b --queue-name q --state redis://r:6379"
        );
    }

    #[test]
    fn secrets_of_a_command_are_left_to_their_variables() {
        let which = which(&[
            "-c",
            "https://me:hunter2@h/c",
            "--user",
            "org",
            "--state",
            "rediss://:hunter2@r",
            "--queue",
            "amqp://me:hunter2@b/v",
        ]);
        assert_eq!(
            which.command("mirror"),
            r#"conda-oci mirror --channel "$CONDA_OCI_CHANNEL" --user org --queue "$CONDA_OCI_QUEUE" --state "$CONDA_OCI_STATE""#
        );
    }

    #[test]
    fn who_does_not_say_which_mirror_is_told_how() {
        let error = which(&[]).find().unwrap_err().to_string();
        assert!(error.contains("--channel"), "{error}");
        let error = which(&["-c", "x"]).find().unwrap_err().to_string();
        assert!(error.contains("--registry"), "{error}");
    }
}
