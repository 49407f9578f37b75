//! What a person can do when this machine does not let us at a ledger's file.

use std::io;

use mirror_runtime::local::remedy;

/// The operating system's word and what to do about it, as the end of a sentence.
pub(super) fn refused(error: &io::Error) -> String {
    format!("{error}; {} (--state)", remedy(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_its_remedy_and_the_option_that_names_the_folder() {
        for (number, words) in [
            (28, "make room"),
            (30, "mount it writable"),
            (21, "move it away"),
        ] {
            let error = io::Error::from_raw_os_error(number);
            let told = refused(&error);
            for part in [&*error.to_string(), words, "--state"] {
                assert!(told.contains(part), "no {part:?} in {told:?}");
            }
        }
    }
}
