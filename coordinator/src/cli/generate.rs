//! Shell completions and manual pages, made from the command line itself so that they cannot fall behind it.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// `conda-oci completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bash:  conda-oci completions bash > ~/.local/share/bash-completion/completions/conda-oci
  zsh:   conda-oci completions zsh > \"${fpath[1]}/_conda-oci\"
  fish:  conda-oci completions fish > ~/.config/fish/completions/conda-oci.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell to complete in
    shell: Shell,
}

/// `conda-oci man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Read the manual:          conda-oci man mirror | man -l -
  Install all the pages:    conda-oci man --dir ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The command whose page is printed [default: conda-oci itself]
    #[arg(value_name = "COMMAND")]
    page: Option<String>,

    /// Write the pages of all commands into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    dir: Option<PathBuf>,
}

impl CompletionsArgs {
    /// Prints the completions.
    pub(crate) fn write(&self, output: &mut dyn Write) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "conda-oci", &mut script);
        output.write_all(&script).context("print the completions")
    }
}

impl ManArgs {
    /// Prints a page, or writes them all.
    pub(crate) fn write(&self, output: &mut dyn Write) -> anyhow::Result<()> {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        if let Some(dir) = &self.dir {
            return write_all(command, dir);
        }
        let command = match &self.page {
            None => command,
            Some(name) => {
                let names: Vec<_> = command
                    .get_subcommands()
                    .map(|command| command.get_name().to_owned())
                    .collect();
                let found = command.find_subcommand(name).cloned();
                found.with_context(|| {
                    format!(
                        "there is no command `{name}`; there are {}",
                        names.join(", ")
                    )
                })?
            }
        };
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        output.write_all(&page).context("print the manual page")
    }
}

fn write_all(command: clap::Command, dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(command, dir))
        .with_context(|| format!("write the manual pages into {} (--dir)", dir.display()))
}
