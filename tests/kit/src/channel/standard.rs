//! The channel that has one of everything; the table is in the documentation of the parent module.

use std::path::Path;

use serde_json::json;

use super::{Channel, ChannelBuilder, Listing};
use crate::package::{Fill, Format::TarBz2, PackageSpec};

/// Makes the standard channel in this folder.
pub fn standard(dir: impl AsRef<Path>) -> anyhow::Result<Channel> {
    let builder = ChannelBuilder::new(dir);
    let builder = noarch(unrepresentable(unusual(usual(builder))));
    builder
        .base_url("linux-64", "./")
        .top_level(
            "linux-64",
            "about-this-channel",
            r#"{ "made": "for tests",  "packages": {"not": "a package"} }"#,
        )
        .top_level("linux-64", "removed", r#"["gone-1.0-0.tar.bz2"]"#)
        .top_level("noarch", "x-note", r#"["kept", 1.50e+2, "caf\u00e9"]"#)
        .build()
}

fn usual(builder: ChannelBuilder) -> ChannelBuilder {
    let zlib = PackageSpec::new("zlib", "1.3.1", "h0_1")
        .depends("libgcc >=13")
        .payload(20_000, Fill::Random)
        .link("lib/zlib/latest.bin", "zlib.bin");
    let libgcc = PackageSpec::new("libgcc", "14.2.0", "h77fa898_1")
        .depends("_libgcc_mutex 0.1 main")
        .constrains("zlib >=1.2")
        .index_field("track_features", json!("gcc_runtime"))
        .index_field("license_family", json!("BSD"))
        .payload(30_000, Fill::Random);
    let app = PackageSpec::new("app", "1.0", "h0_1")
        .depends("zlib >=1.3")
        .depends("libgcc >=13")
        .depends("epoch >=1!2.0")
        .depends("local")
        .depends("legacy 2.*")
        .depends("oldstyle")
        .depends("greeter >=1.0")
        .script("bin/app", "#!/bin/sh\nexec greeter\n");
    builder
        .package(app)
        .package(zlib.clone())
        .package(zlib.format(TarBz2))
        .package(
            PackageSpec::new("zlib", "1.2.13", "h0_0")
                .format(TarBz2)
                .payload(15_000, Fill::Random),
        )
        .package(PackageSpec::new("_libgcc_mutex", "0.1", "main").format(TarBz2))
        .package(libgcc)
}

fn unusual(builder: ChannelBuilder) -> ChannelBuilder {
    let future = PackageSpec::new("future", "1.0", "h0_0")
        .depends("zlib")
        .index_field("repodata_revision", json!(3))
        .index_field("extra_depends", json!({ "docs": ["greeter"] }))
        .payload(3_000, Fill::Random);
    let odd = Listing::indexed()
        .field("x-number", "1.50e+2")
        .field(
            "x-nested",
            r#"{ "z": [ 1.0 , {"a":-0.0} ], "big": 123456789012345678901234567890 }"#,
        )
        .field("x-text", r#""caf\u00e9 \/ \ud83c\udf75""#);
    builder
        .package(PackageSpec::new("epoch", "1!2.0", "h1_0").payload(2_000, Fill::Random))
        .package(PackageSpec::new("local", "1.0+cu118", "h1_0").payload(2_000, Fill::Random))
        .package_as(
            PackageSpec::new("legacy", "2.0", "0")
                .format(TarBz2)
                .payload(4_000, Fill::Random),
            Listing::indexed().md5_only(),
        )
        .package(
            PackageSpec::new("oldstyle", "1.0", "0")
                .format(TarBz2)
                .without_subdir_in_index()
                .without_timestamp(),
        )
        .package_as(PackageSpec::new("odd", "1.0", "0"), odd)
        .package_as(
            PackageSpec::new("yanked", "0.9", "h0_0").payload(1_000, Fill::Random),
            Listing::yanked(),
        )
        .package_as(future.clone(), Listing::revision3())
        .package_as(future.format(TarBz2), Listing::revision3())
}

fn unrepresentable(builder: ChannelBuilder) -> ChannelBuilder {
    builder
        .package(PackageSpec::new("Capital", "1.0", "0"))
        .package(PackageSpec::new("longtag", "1.0", &"b".repeat(130)))
        .package(PackageSpec::new("tilde", "1.0", "h~1_0"))
        .wheel("pleasant", "1.0")
}

fn noarch(builder: ChannelBuilder) -> ChannelBuilder {
    let greeter = PackageSpec::new("greeter", "1.0", "0")
        .noarch()
        .depends("greeter-data >=2")
        .script(
            "bin/greeter",
            "#!/bin/sh\ncat \"$(dirname \"$0\")/../share/greeter/greeting\"\n",
        );
    let data = PackageSpec::new("greeter-data", "2.0", "0")
        .noarch()
        .format(TarBz2)
        .text_file("share/greeter/greeting", "Good morning.\n")
        .payload(200_000, Fill::Compressible);
    builder
        .package(greeter.clone())
        .package(greeter.format(TarBz2))
        .package(data)
}
