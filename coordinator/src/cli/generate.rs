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
        if self.shell == Shell::Bash {
            script = mended(&script);
        }
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
        output
            .write_all(&page(command)?)
            .context("print the manual page")
    }
}

/// The script with one spelling for each command: in names with a hyphen, clap_complete's cases and what it compares with
/// them differ (clap issue 6421), and nothing is completed after the command. A mended clap_complete has nothing to replace.
fn mended(script: &[u8]) -> Vec<u8> {
    let script = String::from_utf8_lossy(script);
    script
        .replace("conda__subcmd__oci", "conda__oci")
        .into_bytes()
}

fn write_all(command: clap::Command, dir: &Path) -> anyhow::Result<()> {
    let context = || format!("write the manual pages into {} (--dir)", dir.display());
    std::fs::create_dir_all(dir).with_context(context)?;
    let commands: Vec<_> = command.get_subcommands().cloned().collect();
    for command in commands.into_iter().chain([command]) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let path = dir.join(format!("{name}.1"));
        std::fs::write(path, page(command)?).with_context(context)?;
    }
    Ok(())
}

/// A page whose examples keep their lines, so that they can be copied.
fn page(command: clap::Command) -> anyhow::Result<Vec<u8>> {
    let source = format!("conda-oci {}", env!("CARGO_PKG_VERSION"));
    let has_commands = command.has_subcommands();
    let man = clap_mangen::Man::new(command).source(source);
    let (mut page, mut extra) = (Vec::new(), Vec::new());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    man.render_extra_section(&mut extra)?;
    page.extend_from_slice(sections(&String::from_utf8_lossy(&extra)).as_bytes());
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// What stands below the options in the help, each part under a heading of its own.
fn sections(extra: &str) -> String {
    let mut sections = extra.replacen(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n.nf\n", 1);
    for (heading, section) in [
        ("Environment", "ENVIRONMENT"),
        ("Exit codes", "EXIT STATUS"),
    ] {
        sections = sections.replacen(
            &format!("\n{heading}:\n"),
            &format!("\n.fi\n.SH \"{section}\"\n.nf\n"),
            1,
        );
    }
    sections.push_str(".fi\n");
    sections
}
