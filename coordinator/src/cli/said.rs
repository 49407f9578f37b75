//! Where an option was given, for the words of its errors.

/// Who gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    OnCommandLine,
    InFile,
}

impl Said {
    /// An option, as it is written there.
    pub(crate) fn key(self, name: &str) -> String {
        match self {
            Self::OnCommandLine => format!("--{name}"),
            Self::InFile => format!("`{name}`"),
        }
    }

    /// An option and what it takes, as something to write there.
    pub(crate) fn with(self, name: &str, value: &str) -> String {
        match self {
            Self::OnCommandLine => format!("--{name} {value}"),
            Self::InFile => format!("`{name} = \"{value}\"`"),
        }
    }
}
