//! The login that is given outright, of every command that reads from a registry or pushes to one.

use clap::Args;
use mirror_oci::registry::{LoginError, Logins};

/// Options that a configuration file cannot give.
#[derive(Debug, Default, Args)]
pub(crate) struct LoginArgs {
    /// User at the registry; the password comes with --password-stdin. Goes before every other login
    #[arg(long, value_name = "NAME", help_heading = "Login")]
    username: Option<String>,

    /// Read the password of --username from standard input, its first line
    #[arg(long, help_heading = "Login")]
    password_stdin: bool,
}

impl LoginArgs {
    /// With the environment's and the files' logins after it. Reads standard input if that has the password.
    ///
    /// # Errors
    /// When half a login is given, or one that cannot be read.
    pub(super) fn logins(&self) -> Result<Logins, LoginError> {
        Logins::of_process(self.username.as_deref(), self.password_stdin)
    }
}
