//! The channels that a folder of image layouts holds.

use std::fs;
use std::io;
use std::path::Path;

use mirror_channel::subdir;

use crate::layout;

/// Path components that a channel may have below the folder: a namespace or two, and `CHANNEL/label/LABEL`.
const DEPTH: usize = 5;
/// Folders that are looked into. A channel has some thirty beside those of its subdirs, which are not.
const LOOKS: usize = 10_000;

/// The channels below `root`, each as the path from there; an empty path is `root` itself. A channel is where a known
/// subdir has an index. Links are not followed.
///
/// # Errors
/// When `root` cannot be read.
pub fn channels(root: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut left = vec![(root.to_owned(), String::new(), 0)];
    let mut looks = 0;
    while let Some((folder, name, depth)) = left.pop() {
        looks += 1;
        if looks > LOOKS {
            break;
        }
        if is_channel(&folder) {
            found.push(name.clone());
        }
        let entries = match fs::read_dir(&folder) {
            Err(error) if depth == 0 => return Err(error),
            Err(_) => continue,
            Ok(entries) => entries,
        };
        for entry in entries.flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let Some(component) = entry.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            let below = layout::is_component(&component) && !subdir::is_known(&component);
            if is_folder && below && depth < DEPTH {
                let path = match name.is_empty() {
                    true => component,
                    false => format!("{name}/{component}"),
                };
                left.push((entry.path(), path, depth + 1));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_channel(folder: &Path) -> bool {
    let has_index = |subdir: &&str| {
        folder
            .join(subdir)
            .join("repodata.json/oci-layout")
            .is_file()
    };
    subdir::known().iter().any(has_index)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_channel_is_where_a_subdir_has_an_index() {
        let dir = tempfile::tempdir().unwrap();
        assert!(channels(&dir.path().join("none")).is_err());
        assert!(channels(dir.path()).unwrap().is_empty());
        let add = |channel: &str, file: &str| {
            let repository = dir.path().join(channel).join("linux-64").join(file);
            fs::create_dir_all(&repository).unwrap();
            fs::write(repository.join("oci-layout"), "{}").unwrap();
        };
        add("packages-only", "zlib");
        add("main", "repodata.json");
        add("main/label/dev", "repodata.json");
        assert_eq!(channels(dir.path()).unwrap(), ["main", "main/label/dev"]);
        let label = dir.path().join("main/label/dev");
        assert_eq!(channels(&label).unwrap(), [""]);
    }
}
