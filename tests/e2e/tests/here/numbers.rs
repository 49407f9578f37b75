//! Numbers, sizes and spans past all bounds. What else is refused on the command line is in `cli`.

use mirror_kit::process::{Home, Run};

use crate::support::assert_says;

#[tokio::test]
async fn numbers_that_cannot_be_meant_are_refused_by_name_and_leave_nothing() {
    for (option, value) in [
        ("--workers", "0"),
        ("--workers", "99999999999999999999999"),
        ("--workers", "many"),
        ("--attempts", "0"),
        ("--attempts", "4294967296"),
        ("--max-writes-per-minute", "0"),
        ("--max-writes-per-minute", "-5"),
        ("--spool-size", "-1"),
        ("--spool-size", ""),
        ("--spool-size", "99999999999999999999GB"),
        ("--publish-every", ""),
        ("--publish-every", "-1h"),
        ("--publish-every", "99999999999999999999d"),
        ("--read-timeout", "soon"),
    ] {
        let home = Home::new();
        let given = format!("{option}={value}");
        let run = Run::in_home(&home).args(["mirror", "-c", "./x", "--registry", "oci:m", &given]);
        let finished = run.run().await;
        finished.assert_code(2);
        assert_says(&finished, &[option]);
        let left = std::fs::read_dir(home.path()).unwrap().count();
        assert_eq!(left, 0, "{given} left something behind");
    }
}
