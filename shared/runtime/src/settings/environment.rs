//! Every option of a command line as an environment variable.

use clap::Command;

/// What the variables begin with.
const PREFIX: &str = "CONDA_OCI_";

/// The variable of an option: `CONDA_OCI_MAX_SIZE` for `max-size`.
#[must_use]
pub fn variable(option: &str) -> String {
    format!("{PREFIX}{}", option.replace('-', "_").to_ascii_uppercase())
}

/// The command with a variable for each of its options and those of its subcommands; what stands on the command line
/// goes before. An option that can be repeated takes one value a line.
///
/// The help does not list them: they are their options' names, and values may be secrets.
#[must_use]
pub fn from_environment(command: Command) -> Command {
    let command = command.mut_args(|argument| {
        let Some(long) = argument.get_long() else {
            return argument;
        };
        if matches!(long, "help" | "version") {
            return argument;
        }
        let name = variable(long);
        let argument = argument.env(name).hide_env(true);
        match argument.get_action() {
            clap::ArgAction::Append if argument.get_value_delimiter().is_none() => {
                argument.value_delimiter('\n')
            }
            _ => argument,
        }
    });
    let names: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, from_environment)
    })
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    #[test]
    fn every_option_but_help_has_a_variable_also_in_commands_below() {
        let below = Command::new("below")
            .arg(Arg::new("max_size").long("max-size"))
            .arg(Arg::new("file"));
        let command = Command::new("x")
            .arg(Arg::new("json").long("json").action(ArgAction::SetTrue))
            .subcommand(below);
        let command = from_environment(command);
        let variables = |command: &Command| -> Vec<String> {
            let names = command.get_arguments().filter_map(Arg::get_env);
            names
                .map(|name| name.to_string_lossy().into_owned())
                .collect()
        };
        assert_eq!(variables(&command), ["CONDA_OCI_JSON"]);
        let below = command.find_subcommand("below").expect("it was added");
        assert_eq!(variables(below), ["CONDA_OCI_MAX_SIZE"]);
    }

    #[test]
    fn what_can_be_repeated_takes_a_value_a_line() {
        let package = Arg::new("package")
            .long("package")
            .action(ArgAction::Append);
        let command = from_environment(Command::new("x").arg(package));
        let matches = command.get_matches_from(["x", "--package", "zlib >=1,<2\npython"]);
        let values: Vec<&String> = matches.get_many("package").into_iter().flatten().collect();
        assert_eq!(values, ["zlib >=1,<2", "python"]);
    }
}
