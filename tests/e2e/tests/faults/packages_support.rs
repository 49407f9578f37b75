//! Odd packages beside the usual ones: refused each with its cause, or mirrored byte for byte.

use mirror_e2e::stage::Stage;
use mirror_e2e::stored::{INFO, package_media_type};
use mirror_kit::channel::Listing;
use mirror_kit::fake_registry::sha256_digest;
use mirror_kit::package::{Format, PackageSpec};
use mirror_kit::process::Finished;

use crate::packages_raw::{bz2, conda};
use crate::support::{GOOD, assert_cause, run, stage};

/// Bytes for the file `<name>-1.0-0.<extension>`, and words of the cause of its failure if it must fail.
pub(crate) struct Odd {
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
    cause: Vec<String>,
}

impl Odd {
    pub(crate) fn new(name: &str, format: Format, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            format,
            bytes,
            cause: Vec::new(),
        }
    }

    pub(crate) fn fails(mut self, cause: &[&str]) -> Self {
        self.cause = cause.iter().map(|part| (*part).to_owned()).collect();
        self
    }

    /// The same tar in both formats: all of a `.tar.bz2`, the info of a `.conda`.
    pub(crate) fn both(name: &str, tar: &[u8]) -> [Self; 2] {
        [
            Self::new(&format!("{name}-conda"), Format::Conda, conda(tar)),
            Self::new(&format!("{name}-bz2"), Format::TarBz2, bz2(tar)),
        ]
    }

    pub(crate) fn file(&self) -> String {
        format!("{}-1.0-0.{}", self.name, self.format.extension())
    }
}

/// The usual channel with these beside, whose records fit their bytes.
async fn stage_with(odd: &[Odd]) -> Stage {
    let mut stage = stage().await;
    for Odd {
        name,
        format,
        bytes,
        ..
    } in odd
    {
        let digest = sha256_digest(bytes);
        let sha256 = digest.strip_prefix("sha256:").unwrap();
        let listing = Listing::indexed()
            .field("sha256", &format!("{sha256:?}"))
            .field("size", &bytes.len().to_string());
        let spec = PackageSpec::new(name, "1.0", "0").format(*format);
        let made = stage.channel.add(spec, listing).unwrap();
        std::fs::write(&made.path, bytes).unwrap();
    }
    stage
}

/// All of them fail at their first try, each with its cause and what to do; everything else is mirrored.
pub(crate) async fn assert_refused(odd: Vec<Odd>) {
    let stage = stage_with(&odd).await;
    let (finished, report) = run(&stage, 3).await;
    finished.assert_code(1);
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    assert_eq!(listed.len(), 1 + GOOD.len(), "{listed:?}");
    for odd in odd {
        let entry = report.entry(&odd.file());
        assert_eq!(entry["outcome"], "failed", "{entry:#}");
        assert_eq!(entry["attempts"], 1, "{entry:#}");
        assert_cause(&entry, &[&*odd.file()]);
        let cause: Vec<&str> = odd.cause.iter().map(String::as_str).collect();
        assert_cause(&entry, &cause);
        assert_eq!(stage.downloads_of(&odd.file()), 1);
        let repository = format!("{}/{}", stage.subdir("linux-64"), odd.name);
        assert_eq!(stage.view().tags(&repository), [""; 0]);
    }
    assert_no_control(&finished);
    assert!(
        !finished.stderr.contains("panicked"),
        "{}",
        finished.to_text()
    );
    assert!(stage.spooled().is_empty(), "{:?}", stage.spooled());
    stage.assert_publications_passed();
}

/// All of them are mirrored byte for byte, with nothing but the index in their info layers.
pub(crate) async fn assert_mirrored(odd: &[Odd]) -> Finished {
    let stage = stage_with(odd).await;
    let (finished, report) = run(&stage, 1).await;
    finished.assert_code(0);
    stage.assert_complete();
    for odd in odd {
        assert_eq!(report.entry(&odd.file())["outcome"], "done");
        let repository = format!("{}/{}", stage.subdir("linux-64"), odd.name);
        let layer = |media_type| {
            stage
                .view()
                .layer(&repository, "1.0-0", media_type)
                .unwrap()
                .1
        };
        assert!(
            layer(package_media_type(&odd.file())) == odd.bytes,
            "{}",
            odd.name
        );
        assert_eq!(members(&layer(INFO)), ["index.json"], "{}", odd.name);
    }
    assert_no_control(&finished);
    finished
}

fn assert_no_control(finished: &Finished) {
    let mut characters = finished.stderr.chars();
    let control = characters.find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "{}", finished.to_text());
}

fn members(gzip: &[u8]) -> Vec<String> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(gzip));
    let entries = tar.entries().unwrap();
    entries
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect()
}
