//! Passwords and tokens of tests: each password begins with `hunter2`, and none of them may be said.

use mirror_kit::process::Finished;

/// How they are known: passwords in the clear and in base64 at any of its three offsets, tokens of the fake registry.
pub const SECRETS: [&str; 5] = [
    "hunter2",
    "aHVudGVyM",
    "odW50ZXIy",
    "h1bnRlcj",
    "fake-token",
];

/// # Panics
/// If one of them is in what was said.
#[track_caller]
pub fn assert_no_secret(finished: &Finished) {
    for text in [&finished.stdout, &finished.stderr] {
        for secret in SECRETS {
            let shown = text.lines().find(|line| line.contains(secret));
            assert_eq!(shown, None, "{secret} was shown");
        }
    }
}
