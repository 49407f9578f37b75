//! `conda-oci retry`: forgets that files failed, so that the next plan has them. It transfers and publishes nothing.

use std::collections::BTreeMap;

use mirror_ledger::{FailureKind, FileOutcome};
use serde::Serialize;

use super::failures::Pages;
use super::memory::Known;
use super::near::Nearest;
use super::{Mirror, Output};
use crate::summary::number;

/// What was done, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    channel: &'a str,
    registry: String,
    /// Files put back.
    put_back: u64,
    /// The command that plans them.
    next: &'a str,
    /// The runs under way, which do not.
    under_way: Vec<&'a str>,
}

/// Puts `files` back, or all where none is named.
pub(super) async fn run(
    mirror: &Mirror,
    files: &[String],
    next: &str,
    output: Output,
) -> anyhow::Result<()> {
    let Mirror { which, remembered } = mirror;
    let known = remembered.subdirs(&which.subdirs).await?;
    let put_back = match files {
        [] => all(mirror, &known).await?,
        files => some(mirror, &known, files).await?,
    };
    let owners = known.iter().filter_map(|known| known.holder.as_ref());
    let mut under_way: Vec<&str> = owners.map(|holder| holder.owner.as_str()).collect();
    under_way.dedup();
    let answer = Answer {
        channel: &which.channel.name,
        registry: which.registry.to_string(),
        put_back,
        next,
        under_way,
    };
    output.say(&answer, || text(&mirror.title(), &answer))?;
    Ok(())
}

fn text(title: &str, answer: &Answer<'_>) -> String {
    if answer.put_back == 0 {
        return format!("{title}: nothing has failed\n");
    }
    let mut text = format!(
        "{title}: {} put back; nothing is transferred yet. This does it:\n  {}\n",
        number(answer.put_back, "file"),
        answer.next
    );
    for owner in &answer.under_way {
        text.push_str(&format!(
            "The run under way ({owner}) no longer has them; the next one does.\n"
        ));
    }
    text
}

/// Everything that failed.
async fn all(mirror: &Mirror, known: &[Known]) -> anyhow::Result<u64> {
    let ledger = &*mirror.remembered.ledger;
    let mut put_back = 0;
    for Known { subdir, .. } in known {
        let mut pages = Pages::of(ledger, subdir);
        while let Some(page) = pages.next().await? {
            let files: Vec<String> = page.into_iter().map(|(file, _)| file).collect();
            if !files.is_empty() {
                put_back += ledger.forget(subdir, &files).await?;
            }
        }
    }
    Ok(put_back)
}

/// All of `files`, or none if one of them has not failed.
async fn some(mirror: &Mirror, known: &[Known], files: &[String]) -> anyhow::Result<u64> {
    let ledger = &*mirror.remembered.ledger;
    let mut failed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for written in files {
        let mut found = false;
        let mut done_in = None;
        for Known { subdir, .. } in known {
            let Some(file) = within(written, subdir) else {
                continue;
            };
            let files = [file.to_owned()];
            let recorded = ledger.get_many(subdir, &files).await?.pop().flatten();
            match recorded.map(|recorded| recorded.outcome) {
                Some(FileOutcome::Failed(failure)) if failure.kind != FailureKind::Absent => {
                    found = true;
                    failed.entry(subdir).or_default().extend(files);
                }
                Some(FileOutcome::Done { .. }) => done_in = Some(subdir),
                Some(FileOutcome::Failed(_)) | None => {}
            }
        }
        if let (false, Some(subdir)) = (found, done_in) {
            anyhow::bail!(
                "`{written}` has not failed: it is mirrored in {subdir}. Nothing is put back"
            );
        }
        anyhow::ensure!(found, strange(mirror, known, written).await?);
    }
    let mut put_back = 0;
    for (subdir, files) in failed {
        put_back += ledger.forget(subdir, &files).await?;
    }
    Ok(put_back)
}

/// The file's name in this subdir; none if it was named with another.
fn within<'a>(written: &'a str, subdir: &str) -> Option<&'a str> {
    match written.split_once('/') {
        None => Some(written),
        Some((of, file)) => (of == subdir).then_some(file),
    }
}

/// What to say of a file that has not failed.
async fn strange(mirror: &Mirror, known: &[Known], written: &str) -> anyhow::Result<String> {
    let wanted = written.rsplit('/').next().unwrap_or(written);
    let mut nearest = Nearest::to(wanted);
    let mut any = false;
    for Known { subdir, .. } in known {
        let mut pages = Pages::of(&*mirror.remembered.ledger, subdir);
        while let Some(page) = pages.next().await? {
            any |= !page.is_empty();
            for (file, _) in page {
                nearest.look_at(&file);
            }
        }
    }
    let offered: Vec<_> = nearest.names().collect();
    let rest = match (any, offered.as_slice()) {
        (false, _) => "nothing has".to_owned(),
        (true, []) => "`conda-oci failures` lists what has".to_owned(),
        (true, names) => format!("is {} meant?", names.join(" or ")),
    };
    Ok(format!(
        "`{written}` has not failed; {rest}. Nothing is put back"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_named_with_its_subdir() {
        assert_eq!(within("a.conda", "noarch"), Some("a.conda"));
        assert_eq!(within("noarch/a.conda", "noarch"), Some("a.conda"));
        assert_eq!(within("linux-64/a.conda", "noarch"), None);
    }

    #[test]
    fn what_is_put_back_is_said_with_the_command_that_plans_it() {
        let answer = Answer {
            channel: "c",
            registry: "h/ns".to_owned(),
            put_back: 2,
            next: "conda-oci mirror -c c",
            under_way: vec!["process 7"],
        };
        assert_eq!(
            text("c to h/ns", &answer),
            "c to h/ns: 2 files put back; nothing is transferred yet. This does it:\n  conda-oci mirror -c c\n\
             The run under way (process 7) no longer has them; the next one does.\n"
        );
    }
}
