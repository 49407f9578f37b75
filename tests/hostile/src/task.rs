//! A task as it comes from a queue that others may write to.
//!
//! - What is read can be written, and is read the same.
//! - The address of each file is one segment below the source's folder, and says the file's very name.
//! - No secret is in it; names that become paths stay in their folders.

use std::path::{Component, Path};

use mirror_queue::task::MAX_MESSAGE;
use mirror_queue::{Task, TaskError};

/// `data` is the message.
pub fn check(data: &[u8]) {
    let Ok(task) = Task::decode(data) else {
        return;
    };
    assert!(data.len() <= MAX_MESSAGE);
    match task.encode() {
        Ok(message) => assert_eq!(Task::decode(&message).as_ref().ok(), Some(&task)),
        // Written by us it may be longer: each default is written out.
        Err(error) => assert!(matches!(error, TaskError::TooLarge { .. }), "{error}"),
    }
    let source = task.source.path();
    for file in &task.files {
        let url = task.url(&file.file);
        let rest = url.path().strip_prefix(source).expect("below the source");
        assert!(!rest.is_empty() && !rest.contains('/'), "{url}");
        assert_eq!(unescaped(rest).as_deref(), Some(&*file.file), "{url}");
        assert_eq!(
            (url.scheme(), url.host_str(), url.port()),
            (
                task.source.scheme(),
                task.source.host_str(),
                task.source.port()
            )
        );
        inside(&file.file);
    }
    if task.source.scheme() != "file" && task.source.scheme() != "oci+file" {
        assert!(task.source.username().is_empty() && task.source.password().is_none());
        assert_eq!(task.source.query(), None);
    }
    inside(&task.stem());
    inside(&task.subdir);
    inside(&task.channel);
}

fn inside(path: &str) {
    let mut parts = Path::new(path).components();
    assert!(
        parts.all(|part| matches!(part, Component::Normal(_))),
        "{path:?}"
    );
    assert!(!path.is_empty() && !path.contains('\\'), "{path:?}");
}

fn unescaped(segment: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let (two, behind) = behind.split_at_checked(2)?;
            bytes.extend(hex::decode(two).ok()?);
            rest = behind;
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}
