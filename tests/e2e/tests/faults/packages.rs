//! Packages as nobody should make them, whose hashes are right. Those that can be read are mirrored byte for byte;
//! those that cannot, or that take too much, are refused with a cause, and the others go on.

use mirror_e2e::mirror::Report;
use mirror_kit::channel::Listing;
use mirror_kit::package::{Fill, Format, PackageSpec};

use crate::packages_raw::{Tar, bz2, conda, zip, zst};
use crate::packages_support::{Odd, assert_mirrored, assert_refused};
use crate::support::{GOOD, assert_cause, stage};

#[tokio::test]
async fn a_package_without_an_index_of_its_own_is_refused() {
    let info = "info/index.json";
    let mut all = Vec::new();
    all.extend(Odd::both("empty", &Tar::new().end()));
    all.extend(Odd::both("noinfo", &Tar::new().file("lib/x", b"x").end()));
    let linked = Tar::new().link(info, b'2', "/etc/passwd").end();
    all.extend(Odd::both("linked", &linked));
    let mut all: Vec<Odd> = all
        .into_iter()
        .map(|odd| odd.fails(&[info, "--exclude"]))
        .collect();
    for (name, index) in [
        ("page", &b"<html>"[..]),
        ("list", b"[]"),
        ("cut", b"{\"name\":"),
    ] {
        let tar = Tar::new().file(info, index).end();
        let odd =
            Odd::both(name, &tar).map(|odd| odd.fails(&[info, "not a JSON object", "--exclude"]));
        all.extend(odd);
    }
    let members = [
        ("metadata.json", &b"{}"[..]),
        ("pkg-odd-1.0-0.tar.zst", &zst(&Tar::new().end())),
    ];
    for (name, members) in [("zipped", &members[..]), ("nothing", &[])] {
        let odd = Odd::new(name, Format::Conda, zip(members, false));
        all.push(odd.fails(&["not a readable conda package", "--exclude"]));
    }
    assert_refused(all).await;
}

#[tokio::test]
async fn names_that_leave_the_package_are_refused_in_either_format() {
    let mut all = Vec::new();
    for (number, name) in ["../evil", "info/../../evil", "/etc/evil"]
        .into_iter()
        .enumerate()
    {
        let package = format!("odd{number}");
        let tar = Tar::new().index(&package).file(name, b"x").end();
        let odd =
            Odd::both(&package, &tar).map(|odd| odd.fails(&["member named", name, "--exclude"]));
        all.extend(odd);
    }
    assert_refused(all).await;
}

#[tokio::test]
async fn what_of_a_conda_is_not_its_info_is_passed_on_unopened() {
    let info = zst(&Tar::new().index("odd").end());
    let payload = zst(&Tar::new().file("../evil", b"x").end());
    let members = [
        ("../../evil", &b"x"[..]),
        ("/etc/evil", b"x"),
        ("pkg-odd-1.0-0.tar.zst", &payload),
        ("info-odd-1.0-0.tar.zst", &info),
    ];
    let odd = Odd::new("odd", Format::Conda, zip(&members, false));
    assert_mirrored(&[odd]).await;
}

#[tokio::test]
async fn links_are_left_out_of_the_info_layer_and_passed_over_elsewhere() {
    let tar = |name: &str| {
        Tar::new()
            .link("info/passwd", b'2', "/etc/passwd")
            .link("info/up", b'2', "../../../secret")
            .link("info/again", b'1', "info/index.json")
            .link("lib/passwd", b'1', "/etc/passwd")
            .link("lib/up", b'2', "../../secret")
            .index(name)
            .end()
    };
    let odd = [
        Odd::new("tarred", Format::TarBz2, bz2(&tar("tarred"))),
        Odd::new("zipped", Format::Conda, conda(&tar("zipped"))),
    ];
    assert_mirrored(&odd).await;
}

#[tokio::test]
async fn unusual_archives_that_can_be_read_are_mirrored_as_they_are() {
    let tar = |name: &str| Tar::new().file("lib/x", &[7; 5_000]).index(name).end();
    let info = |name: &str| zst(&Tar::new().index(name).end());
    let member = "info-odd-1.0-0.tar.zst";
    let odd = [
        Odd::new("last", Format::TarBz2, bz2(&tar("last"))),
        // As parallel compressors write it.
        Odd::new(
            "streams",
            Format::TarBz2,
            tar("streams").chunks(700).flat_map(bz2).collect(),
        ),
        Odd::new(
            "garbage",
            Format::TarBz2,
            [bz2(&tar("garbage")), vec![b'?'; 999]].concat(),
        ),
        Odd::new(
            "zeros",
            Format::Conda,
            [conda(&Tar::new().index("zeros").end()), vec![0; 999]].concat(),
        ),
        Odd::new(
            "zip64",
            Format::Conda,
            zip(&[(member, &info("zip64"))], true),
        ),
        Odd::new(
            "lone",
            Format::Conda,
            zip(&[(member, &info("lone"))], false),
        ),
    ];
    assert_mirrored(&odd).await;
}

#[tokio::test]
async fn an_index_of_another_package_is_said_and_the_file_is_mirrored_under_its_name() {
    let odd = [
        Odd::new(
            "named",
            Format::Conda,
            conda(&Tar::new().index("other").end()),
        ),
        Odd::new(
            "right",
            Format::Conda,
            conda(&Tar::new().index("right").end()),
        ),
    ];
    let finished = assert_mirrored(&odd).await;
    let mut lines = finished
        .stderr
        .lines()
        .filter(|line| line.contains("info/index.json"));
    let line = lines.next().unwrap();
    for part in [
        "WARN",
        "linux-64/named-1.0-0.conda",
        "other-1.0-0",
        "named-1.0-0,",
    ] {
        assert!(line.contains(part), "no {part:?} in {line:?}");
    }
    assert_eq!(lines.next(), None);
}

#[tokio::test]
async fn a_million_files_and_gigabytes_in_info_are_refused() {
    let zeros = vec![0; 4 << 20];
    // Frames and streams may stand behind each other, so that each is compressed once.
    let repeated = |name: &str, first: &[u8], again: &[u8], times| {
        let info = [zst(first), zst(again).repeat(times)].concat();
        let conda = zip(&[("info-odd-1.0-0.tar.zst", &info)], false);
        let tar_bz2 = [bz2(first), bz2(again).repeat(times)].concat();
        [
            Odd::new(&format!("{name}-conda"), Format::Conda, conda),
            Odd::new(&format!("{name}-bz2"), Format::TarBz2, tar_bz2),
        ]
    };
    let many = (0..10_000).fold(Tar::new(), |tar, _| tar.file("info/x", b""));
    let first = Tar::new().index("many").open_ended();
    let files = repeated("many", &first, &many.open_ended(), 100);
    let mut all: Vec<Odd> = files
        .into_iter()
        .map(|odd| odd.fails(&["the number of files in info/ is more than 100000"]))
        .collect();
    let huge = Tar::new().index("huge").claiming("info/huge", 3 << 30, b"");
    let huge = repeated("huge", &huge.open_ended(), &zeros, 768);
    all.extend(huge.map(|odd| odd.fails(&["134217728", "--max-info-size", "--retry-failed"])));
    let index = Tar::new()
        .claiming("info/index.json", 3 << 30, b"")
        .open_ended();
    let [_, index] = repeated("index", &index, &zeros, 768);
    all.push(index.fails(&["the size of info/index.json is more than 4194304"]));
    assert!(all.iter().all(|odd| odd.bytes.len() < 1 << 20));
    assert_refused(all).await;
}

#[tokio::test]
async fn the_bounds_are_the_users_to_set_and_the_message_names_the_option() {
    let package = |name: &str| PackageSpec::new(name, "1.0", "0");
    let info = package("info").info_file("info/large", &[b' '; 300_000]);
    let whole = package("whole").payload(300_000, Fill::Compressible);
    let cases = [
        (info.clone(), "--max-info-size"),
        (info.format(Format::TarBz2), "--max-info-size"),
        (whole.format(Format::TarBz2), "--max-unpacked-size"),
    ];
    for (spec, option) in cases {
        let mut stage = stage().await;
        let file = spec.file_name();
        stage.channel.add(spec, Listing::indexed()).unwrap();
        let report = Report::in_home(&stage.home);
        let run = stage.run().args([option, "100kB", "--report"]);
        let finished = run.arg(report.path()).run().await;
        finished.assert_code(1);
        let entry = report.entry(&file);
        assert_cause(
            &entry,
            &[&file, "is more than 100000 bytes", option, "--retry-failed"],
        );
        for good in GOOD {
            assert_eq!(report.entry(good)["outcome"], "done");
        }
        let run = stage.run().args([option, "1MB", "--retry-failed"]);
        run.run().await.assert_code(0);
        stage.assert_complete();
    }
}
