//! A configuration file with two mirrors, and runs of it.

use std::collections::BTreeSet;

use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::process::{Home, Run};

use crate::support::{files, four_packages};

/// The versions of `zlib` in the channel.
pub(crate) const ZLIBS: [&str; 2] = ["zlib-1.2.13-h0_0.conda", "zlib-1.3.1-h0_0.conda"];
/// Another package that begins with `z`.
pub(crate) const ZSTD: &str = "zstd-1.5.6-h0_0.conda";

/// `conda-oci mirror --config` of a file with this text, in another folder than the working directory.
pub(crate) fn run_of(home: &Home, text: &str) -> Run {
    let folder = home.path().join("etc");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("mirrors.toml"), text).unwrap();
    Run::in_home(home).args(["mirror", "--config", "etc/mirrors.toml"])
}

/// The channel of a stage as `first` and as `second`; the second has a server of its own, which lives as long as the stage.
pub(crate) struct Two {
    pub(crate) stage: Stage,
    pub(crate) second: FakeChannel,
}

impl Two {
    pub(crate) async fn new() -> Self {
        let stage = Stage::registry(four_packages).await;
        let second = FakeChannel::start_at(&stage.channel.dir, "second").await;
        let second = second.unwrap();
        Self { stage, second }
    }

    /// The mirrors `first` (of `zlib`) and `second` (of `z*`, without `zlib`), with this above.
    fn text(&self, above: &str) -> String {
        let (first, second) = (self.stage.source.url(), self.second.url());
        let registry = format!("{}/{NAMESPACE}", self.stage.fake().url());
        format!(
            "[defaults]\nregistry = '{registry}'\nsubdir = 'linux-64'\n{above}\n\
             [[mirror]]\nname = 'one'\nas = 'first'\nchannel = '{first}'\npackage = 'zlib'\n\
             [[mirror]]\nchannel = '{second}'\npackage = ['z*']\nexclude = ['zlib']\n"
        )
    }

    pub(crate) fn run(&self, above: &str) -> Run {
        run_of(&self.stage.home, &self.text(above))
    }

    pub(crate) fn indexed(&self, channel: &str) -> BTreeSet<String> {
        self.stage
            .view()
            .index_files(&format!("{NAMESPACE}/{channel}/linux-64"))
    }

    pub(crate) fn assert_both_mirrored(&self) {
        assert_eq!(self.indexed("first"), files(&ZLIBS));
        assert_eq!(self.indexed("second"), files(&[ZSTD]));
    }
}
