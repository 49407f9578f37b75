//! A configuration that cannot be meant is refused before anything is asked of anyone, with the line and without
//! what must not be shown.

use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::process::{Finished, Home, Run};
use tempfile::TempDir;

use crate::support::{mirror_offline, nobody_listens};

const MIRROR: &str = "[[mirror]]\nchannel = './x'\nregistry = 'oci:out'\n";

fn written(home: &Home, text: &str) -> Run {
    std::fs::write(home.path().join("mirrors.toml"), text).unwrap();
    mirror_offline(home).args(["--config", "mirrors.toml"])
}

fn assert_says(finished: &Finished, says: &[&str]) {
    assert_eq!(finished.stdout, "", "{}", finished.to_text());
    for part in says {
        assert!(
            finished.stderr.contains(part),
            "no {part:?}: {}",
            finished.to_text()
        );
    }
}

/// Refused, and nothing is in the home but the file.
async fn refused(text: &str, arguments: &[&str], says: &[&str]) {
    let home = Home::new();
    let finished = written(&home, text).args(arguments).run().await;
    finished.assert_code(2);
    assert_says(&finished, says);
    assert_eq!(
        std::fs::read_dir(home.path()).unwrap().count(),
        1,
        "{}",
        finished.to_text()
    );
}

#[tokio::test]
async fn what_the_file_gets_wrong_is_named_with_its_line() {
    for (wrong, says) in [
        (
            "packages = ['y']",
            &[
                "line 4",
                "packages",
                "mirrors.toml",
                "did you mean `package`?",
            ][..],
        ),
        ("max-size = 'big'", &["line 4", "500MB"]),
        ("publish-every = '6'", &["line 4", "s, m, h or d"]),
        ("workers = 0", &["line 4", "`workers`", "above 0"]),
        ("latest = 'two'", &["line 4", "a whole number above 0"]),
        (
            "read-timeout = 60",
            &["line 4", "`read-timeout`", "a span such as"],
        ),
        (
            "newer-than = 07:32:00",
            &["line 4", "2026-01-31", "time of day"],
        ),
        ("package = []", &["line 4", "`package`", "empty list"]),
        ("state = '~/x'", &["`state`", "begins with ~", "whole path"]),
        ("spool = '~/x'", &["`spool`", "begins with ~"]),
        ("report = '~/x'", &["`report`", "begins with ~"]),
        (
            "undistributable = '~/x'",
            &["`undistributable`", "begins with ~"],
        ),
        (
            "name = 'a'\n[[mirror]]\nchannel = 'y'\nname = 'a'",
            &["two mirrors", "`a`"],
        ),
        ("newer-than = 7", &["line 4", "a date, or an age"]),
        ("package = [1]", &["line 4", "a text, or a list of texts"]),
        ("latest = ", &["line 4"]),
        ("channel = 'again'", &["line 4", "duplicate"]),
        ("[[mirrors]]", &["line 4", "mirrors"]),
        ("[[mirror]]", &["number 2", "no channel"]),
        ("user = 'me'", &["number 1", "keep one"]),
        ("dry-run = true", &["line 4", "--dry-run", "command line"]),
    ] {
        refused(&format!("{MIRROR}{wrong}\n"), &[], says).await;
    }
    refused("", &[], &["no [[mirror]]", "channel", "registry"]).await;
    refused(
        &format!("[defaults]\nchannel = 'x'\n{MIRROR}"),
        &[],
        &["[defaults]"],
    )
    .await;
}

#[tokio::test]
async fn what_only_the_run_can_tell_is_refused_before_any_mirror_begins_and_names_the_mirror() {
    let wrong = |line: &str| {
        format!(
            "{MIRROR}[[mirror]]\nname = 'two'\n{}{line}\n",
            &MIRROR[11..]
        )
    };
    for (line, says) in [
        (
            "package = 'zlib >='",
            &["mirror `two`", "`package`", "zlib >="][..],
        ),
        ("exclude = 'py[ab'", &["mirror `two`", "`exclude`", "py[ab"]),
        (
            "newer-than = 'soon'",
            &["mirror `two`", "`newer-than`", "30d"],
        ),
        ("formats = 'zip'", &["mirror `two`", "`formats`", "zip"]),
        (
            "subdir = 'linux-46'",
            &["mirror `two`", "`subdir`", "linux-46", "linux-64"],
        ),
        ("as = 'Foo'", &["mirror `two`", "`Foo`", "`as = \"NAME\"`"]),
    ] {
        refused(&wrong(line), &[], says).await;
    }
    let nowhere = "[[mirror]]\nchannel = './x'\n";
    refused(
        nowhere,
        &[],
        &["mirror `./x`", "no destination", "`registry`"],
    )
    .await;
    let tilde = "[[mirror]]\nchannel = './x'\nregistry = 'oci:~/x'\n";
    refused(tilde, &[], &["mirror `./x`", "`registry`", "begins with ~"]).await;
    let single = "[mirror]\nchannel = './x'\nregistry = 'oci:out'\n";
    refused(single, &[], &["write [[mirror]]"]).await;
    // What stands beside the file is not the file's.
    for (option, value) in [
        ("--package", "py[ab"),
        ("--formats", "zip"),
        ("--registry", "./x"),
    ] {
        let home = Home::new();
        let finished = written(&home, MIRROR).args([option, value]).run().await;
        finished.assert_code(2);
        assert_says(&finished, &[option, value]);
        assert!(
            !finished.stderr.contains("mirrors.toml"),
            "{}",
            finished.to_text()
        );
    }
}

#[tokio::test]
async fn a_file_and_a_channel_are_not_given_together() {
    for beside in [["--channel", "x"], ["--as", "x"], ["--report", "r.json"]] {
        refused(MIRROR, &beside, &["--config", beside[0]]).await;
    }
    let home = Home::new();
    let only = mirror_offline(&home)
        .args(["-c", "x", "--only", "y"])
        .run()
        .await;
    only.assert_code(2);
    assert_says(&only, &["--only"]);
}

#[tokio::test]
async fn a_report_for_all_mirrors_at_once_is_refused() {
    // The last one would be left of them.
    let text = format!("[defaults]\nreport = 'r.json'\n{MIRROR}{MIRROR}");
    refused(&text, &[], &["report", "[defaults]"]).await;
}

#[tokio::test]
async fn a_file_that_is_not_there_or_no_text_is_named() {
    let home = Home::new();
    let missing = mirror_offline(&home)
        .args(["--config", "mirrors.toml"])
        .run()
        .await;
    missing.assert_code(2);
    assert_says(&missing, &["mirrors.toml", "--config", "No such file"]);
    std::fs::write(home.path().join("mirrors.toml"), b"\xff\xfe").unwrap();
    let binary = mirror_offline(&home)
        .args(["--config", "mirrors.toml"])
        .run()
        .await;
    binary.assert_code(2);
    assert_says(&binary, &["mirrors.toml", "UTF-8"]);
    let endless = mirror_offline(&home)
        .args(["--config", "/dev/zero"])
        .run()
        .await;
    endless.assert_code(2);
    assert_says(&endless, &["/dev/zero", "more than 4194304 bytes"]);
}

#[tokio::test]
async fn no_password_of_the_file_is_ever_shown() {
    let folder = TempDir::new().unwrap();
    let empty = FakeChannel::start(folder.path()).await.unwrap();
    let place = empty.base().trim_start_matches("http://").to_owned();
    let login = format!("http://me:hunter2@{place}/x");
    let token = format!("http://{place}/t/hunter2/x");
    let nobody = nobody_listens().replace("http://", "http://me:hunter2@");
    let mirror = |channel: &str, more: &str| {
        format!(
            "[[mirror]]\nchannel = '{channel}'\nregistry = 'oci:out'\nsubdir = 'linux-64'\n{more}\n"
        )
    };
    let cases = [
        mirror(&login, ""),
        mirror(&token, ""),
        mirror(&login, "workers = 'https://me:hunter2@host'"),
        mirror(&login, "package = 'zlib >='"),
        mirror(&login, "allow-shrink = 'https://h/x?token=hunter2'"),
        mirror(&login, "max-size = '5hunter2'"),
        mirror(&login, "registry = 'ghcr.io/me:hunter2@x'").replace("registry = 'oci:out'\n", ""),
        mirror(&login, "user = 'me:hunter2@x'").replace("registry = 'oci:out'\n", ""),
        mirror(&login, "'me:hunter2@x' = 1"),
        mirror(&format!("{login}?hunter2"), ""),
        mirror(&format!("ftp{}", &login[4..]), ""),
        mirror("x", "channel-base = 'https://me:hunter2@[host'"),
        mirror(&login, "undistributable = 'https://me:hunter2@[host/list'"),
        mirror(&login, "").replace("oci:out", "https://me:hunter2@host/x"),
        "[[mirror]]\nchannel = 'https://me:hunter2@host/x\n".to_owned(),
        "[[mirror]]\nchannel = https://me:hunter2@host/x\n".to_owned(),
        "[[mirror]]\nregistry = { url = 'https://me:hunter2@host/x' }\n".to_owned(),
        format!("{}{}", mirror(&login, ""), mirror(&token, "")),
    ];
    let shows = |finished: &Finished| {
        let texts = [&finished.stderr, &finished.stdout];
        texts.into_iter().any(|text| text.contains("hunter2"))
    };
    let home = Home::new();
    let unreachable = written(&home, &mirror(&nobody, "")).run().await;
    unreachable.assert_code(2);
    assert!(!shows(&unreachable), "{}", unreachable.to_text());
    for text in cases {
        let home = Home::new();
        for more in [
            &["--debug"][..],
            &["--log-format", "json"],
            &["--only", "nothing-such"],
            &["--only", "t/hunter2/x"],
        ] {
            let finished = written(&home, &text).args(more).run().await;
            finished.assert_code(2);
            assert!(!shows(&finished), "{text}\n{}", finished.to_text());
        }
    }
}
