#![allow(clippy::unwrap_used)]

use super::*;
use crate::conformance::sample;
use proptest::prelude::*;
use serde_json::{Value, json};

fn as_json(task: &Task) -> Value {
    serde_json::from_slice(&task.encode().unwrap()).unwrap()
}

fn refused_field(task: &Task) -> &'static str {
    match task.encode().unwrap_err() {
        TaskError::Refused { field, .. } => field,
        other => panic!("refused for another reason: {other}"),
    }
}

#[test]
fn a_plan_that_no_ledger_can_keep_is_refused() {
    let mut task = sample(1);
    task.plan = MAX_PLAN;
    task.encode().unwrap();
    task.plan += 1;
    assert_eq!(refused_field(&task), "plan");
}

#[test]
fn the_message_is_readable_json_with_hex_digests_and_about_a_kilobyte() {
    let task = sample(7);
    let message = as_json(&task);
    assert_eq!(message["version"], 1);
    assert_eq!(message["files"][0]["action"], "transfer");
    assert_eq!(message["files"][0]["sha256"], "07".repeat(32));
    assert_eq!(message["package"]["name"], "pkg7");
    assert!(task.encode().unwrap().len() < 1500);
    assert_eq!(task.stem(), "pkg7-1.0-h_0");
}

#[test]
fn a_field_from_a_later_version_is_ignored() {
    let task = sample(1);
    let mut message = as_json(&task);
    message["priority"] = json!("high");
    message["files"][0]["note"] = json!({"a": 1});
    let read = Task::decode(&serde_json::to_vec(&message).unwrap()).unwrap();
    assert_eq!(read, task);
}

#[test]
fn files_without_a_hash_are_allowed_only_where_the_message_says_so() {
    let mut task = sample(1);
    assert_eq!(as_json(&task).get("allow_unverified"), None);
    assert!(
        !Task::decode(&task.encode().unwrap())
            .unwrap()
            .allow_unverified
    );
    task.allow_unverified = true;
    assert_eq!(as_json(&task)["allow_unverified"], true);
    assert!(
        Task::decode(&task.encode().unwrap())
            .unwrap()
            .allow_unverified
    );
}

#[test]
fn a_build_is_brought_anew_only_where_the_message_says_so() {
    let mut task = sample(1);
    assert_eq!(as_json(&task).get("renew"), None, "nor does it cost a byte");
    assert!(!Task::decode(&task.encode().unwrap()).unwrap().renew);
    task.renew = true;
    assert!(Task::decode(&task.encode().unwrap()).unwrap().renew);
}

#[test]
fn an_unknown_version_is_an_error_whatever_else_the_message_holds() {
    let error = Task::decode(br#"{"version": 2, "shape": "other"}"#).unwrap_err();
    assert_eq!(error, TaskError::UnknownVersion { found: 2, known: 1 });
}

#[test]
fn the_version_before_is_read_and_no_other() {
    let written_by = |version: u64| {
        let mut message = as_json(&sample(1));
        message["version"] = json!(version);
        serde_json::to_vec(&message).unwrap()
    };
    let read_by = |known: u64, version: u64| Task::decode_by(known, &written_by(version));
    for (known, version) in [(1, 1), (2, 2), (2, 1), (7, 6)] {
        assert_eq!(read_by(known, version).unwrap(), sample(1));
    }
    for (known, version) in [(1, 0), (1, 2), (3, 1), (2, 3)] {
        let error = read_by(known, version).unwrap_err();
        let found = version;
        assert_eq!(error, TaskError::UnknownVersion { found, known });
    }
}

#[test]
fn a_message_without_version_or_with_a_short_digest_is_malformed() {
    let mut short = as_json(&sample(1));
    short["files"][0]["sha256"] = json!("ab");
    let short = serde_json::to_vec(&short).unwrap();
    for message in [&b"{}"[..], b"[", &short] {
        let error = Task::decode(message).unwrap_err();
        assert!(matches!(error, TaskError::Malformed { .. }), "{error}");
    }
}

#[test]
fn a_message_over_the_limit_is_neither_written_nor_read() {
    let mut task = sample(1);
    let file = task.files[0].clone();
    task.files = vec![file; 1000];
    assert!(matches!(task.encode(), Err(TaskError::TooLarge { .. })));
    let blanks = vec![b' '; MAX_MESSAGE + 1];
    assert!(matches!(
        Task::decode(&blanks),
        Err(TaskError::TooLarge { .. })
    ));
}

#[test]
fn credentials_do_not_travel() {
    for source in [
        "https://me:pw@host.test/chan/linux-64/",
        "https://host.test/t/tk-123/chan/linux-64/",
        "https://host.test/chan/linux-64/?sig=secret",
        "oci://me:secret@host.test/chan/linux-64/",
        "oci+http://host.test/chan/linux-64/?sig=secret",
    ] {
        let mut task = sample(1);
        task.source = source.parse().unwrap();
        assert_eq!(refused_field(&task), "source");
        assert!(!task.encode().unwrap_err().to_string().contains("secret"));
    }
    let mut task = sample(1);
    task.registry = "https://me:pw@host.test/ns".to_owned();
    assert_eq!(refused_field(&task), "registry");
}

#[test]
fn a_local_folder_called_t_is_no_token() {
    let mut task = sample(1);
    for source in [
        "oci://ghcr.io/org/chan/linux-64/",
        "oci+file:///data/t/chan/linux-64/",
    ] {
        task.source = source.parse().unwrap();
        assert_eq!(Task::decode(&task.encode().unwrap()).unwrap(), task);
    }
    task.source = "file:///data/t/chan/linux-64/".parse().unwrap();
    assert_eq!(Task::decode(&task.encode().unwrap()).unwrap(), task);
}

#[test]
fn names_that_leave_their_folder_are_refused_on_both_sides() {
    type Spoil = fn(&mut Task);
    let spoils: [(&str, Spoil); 6] = [
        ("files", |task| task.files[0].file = "../x.conda".to_owned()),
        ("channel", |task| task.channel = "a/../b".to_owned()),
        ("subdir", |task| task.subdir = "..".to_owned()),
        ("package", |task| task.package.build = "0/0".to_owned()),
        ("source", |task| {
            task.source = "https://host.test/chan".parse().unwrap();
        }),
        ("source", |task| task.source = "oci:chan/".parse().unwrap()),
    ];
    for (field, spoil) in spoils {
        let mut task = sample(1);
        spoil(&mut task);
        assert_eq!(refused_field(&task), field);
        let written = Written {
            version: VERSION,
            task: &task,
        };
        let error = Task::decode(&serde_json::to_vec(&written).unwrap()).unwrap_err();
        assert!(matches!(error, TaskError::Refused { field: f, .. } if f == field));
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(
        name in "[a-z_][a-z0-9_.-]{0,30}",
        version in "[0-9!][0-9a-z!+._]{0,20}",
        build in "[a-z0-9_]{1,30}",
        plan in 0..=MAX_PLAN, probe: bool, attempt: u32,
        sha256: Option<[u8; 32]>, md5: Option<[u8; 16]>, size: Option<u64>, keep: bool,
        known_sha256: Option<[u8; 32]>,
    ) {
        let mut task = sample(1);
        task.package = BuildName { name, version, build };
        (task.plan, task.probe, task.attempt) = (plan, probe, attempt);
        let action = if keep { Action::Keep } else { Action::Transfer };
        let file = format!("{}.conda", task.stem());
        task.files.push(TaskFile { file, action, sha256, md5, size, known_sha256 });
        prop_assert_eq!(Task::decode(&task.encode().unwrap()).unwrap(), task);
    }

    #[test]
    fn no_message_makes_the_reader_panic(message: Vec<u8>) {
        let _ = Task::decode(&message);
    }
}
