//! The sample channel that lies in the repository: a tea table of small real packages, all of our own making.

use std::path::Path;

use super::{Channel, ChannelBuilder};
use crate::package::{Fill, Format::TarBz2, PackageSpec};

/// 2026-10-01 00:00 UTC; every package is dated some hours after it.
const FIRST_OF_OCTOBER: u64 = 1_790_812_800_000;
const HOUR: u64 = 3_600_000;

/// Makes the sample channel in this folder: everything in it is mirrored, nothing is odd enough to be left out.
pub fn sample(dir: impl AsRef<Path>) -> anyhow::Result<Channel> {
    let builder = ChannelBuilder::new(dir).one_record_a_line();
    noarch(linux(builder)).build()
}

fn dated(name: &str, version: &str, build: &str, hour: u64) -> PackageSpec {
    PackageSpec::new(name, version, build).timestamp(FIRST_OF_OCTOBER + hour * HOUR)
}

fn linux(builder: ChannelBuilder) -> ChannelBuilder {
    let libsteam = dated("libsteam", "3.1.0", "h2f1c_0", 5)
        .summary("Pressure and vapour, for everything that whistles")
        .depends("_tea_mutex 1.0 brewed")
        .payload(24_000, Fill::Random)
        .link("lib/libsteam/latest.bin", "libsteam.bin");
    let libsteam_before = dated("libsteam", "3.0.2", "h2f1c_1", 1)
        .summary("Pressure and vapour, for everything that whistles")
        .depends("_tea_mutex 1.0 brewed")
        .format(TarBz2)
        .payload(22_000, Fill::Random);
    let whistle = |version: &str, build: &str, hour| {
        dated("whistle", version, build, hour)
            .summary("Tells that the water boils")
            .depends("libsteam >=3.0,<4.0a0")
            .script("bin/whistle", "#!/bin/sh\necho 'fweeeeee'\n")
            .payload(9_000, Fill::Random)
    };
    let samovar = dated("samovar", "1!4.0", "h9d0_0", 9)
        .summary("Hot water for a whole afternoon; renumbered once, hence the epoch")
        .depends("libsteam >=3.1")
        .payload(18_000, Fill::Random);
    let infuser = dated("infuser", "2.5+loose", "h3aa_0", 11)
        .summary("Holds leaves; the local version is for loose ones")
        .constrains("samovar >=1!3.0")
        .payload(7_000, Fill::Random);
    let honey = dated("honey", "1.0", "0", 2)
        .summary("A format that keeps for ever")
        .format(TarBz2)
        .without_subdir_in_index()
        .payload(40_000, Fill::Compressible);
    let mutex = dated("_tea_mutex", "1.0", "brewed", 0)
        .summary("One kind of tea at a time")
        .format(TarBz2);
    let afternoon = dated("afternoon", "1.0", "h0_0", 20)
        .summary("Everything on the table")
        .depends("whistle >=1.0")
        .depends("samovar >=1!4.0")
        .depends("infuser 2.5.*")
        .depends("honey")
        .depends("teapot >=2.0")
        .script(
            "bin/afternoon",
            "#!/bin/sh\nwhistle && teapot && echo 'Tea is served.'\n",
        );
    builder
        .package(mutex)
        .package(libsteam_before)
        .package(libsteam.clone())
        .package(libsteam.format(TarBz2))
        .package(whistle("0.9.3", "h51ab_2", 4))
        .package(whistle("1.0.0", "h51ab_0", 7))
        .package(samovar)
        .package(infuser)
        .package(honey)
        .package(afternoon)
}

fn noarch(builder: ChannelBuilder) -> ChannelBuilder {
    let leaves = dated("tea-leaves", "2026.10", "0", 3)
        .noarch()
        .summary("This autumn's harvest, as data")
        .text_file(
            "share/tea-leaves/varieties",
            "assam\ndarjeeling\nkeemun\nsencha\n",
        )
        .payload(30_000, Fill::Compressible);
    let kettle = |version: &str, build: &str, hour| {
        dated("kettle", version, build, hour)
            .noarch()
            .summary("Says how hot the water should be")
            .script(
                "bin/kettle",
                "#!/bin/sh\necho 'Black tea: 95 degrees. Green tea: 75 degrees.'\n",
            )
    };
    let teapot = dated("teapot", "2.0.1", "0", 10)
        .noarch()
        .summary("Short and stout; prints a variety to try")
        .depends("kettle >=1.2")
        .depends("tea-leaves")
        .script(
            "bin/teapot",
            "#!/bin/sh\nhead -n 1 \"$(dirname \"$0\")/../share/tea-leaves/varieties\"\n",
        );
    let biscuit = dated("biscuit", "0.4", "0", 6)
        .noarch()
        .summary("Dunks once")
        .format(TarBz2)
        .payload(5_000, Fill::Compressible);
    builder
        .package(leaves)
        .package(kettle("1.1.0", "0", 1).format(TarBz2))
        .package(kettle("1.2.0", "0", 8))
        .package(kettle("1.2.0", "0", 8).format(TarBz2))
        .package(teapot)
        .package(biscuit)
}
