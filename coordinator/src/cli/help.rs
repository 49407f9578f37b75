//! The longer texts of the help.

/// The ways to call `conda-oci mirror`.
pub(super) const USAGE: &str = "\
conda-oci mirror [OPTIONS] --channel <CHANNEL> --registry <REGISTRY>
       conda-oci mirror [OPTIONS] --config <FILE>";

/// What stands below the options of `conda-oci mirror`. The manual page makes sections of its headings.
pub(super) const MIRROR: &str = "\
Examples:
  What would be mirrored, without a registry:
    conda-oci mirror --channel conda-forge --package zlib --dry-run

  One package of conda-forge into ghcr.io/myorg (ORAS_USER and ORAS_PASS hold the login):
    conda-oci mirror --channel conda-forge --package zlib --user myorg

  Two subdirs of a channel into a registry on this machine:
    conda-oci mirror -c https://prefix.dev/conda-forge -s linux-64 -s noarch \\
      --registry http://127.0.0.1:5000/ns

  The two newest versions of everything with an MIT licence, but nothing for CUDA or over 100 MB:
    conda-oci mirror -c conda-forge -p '*[license=MIT]' --latest 2 --exclude 'cuda*' \\
      --max-size 100MB --registry harbor.example/conda

  One version, or a range of them:
    conda-oci mirror -c conda-forge -p zlib@1.3.1 -p 'python >=3.12,<3.14' --user myorg

  A channel folder into a folder of OCI image layouts, no registry at all:
    conda-oci mirror -c ./my-channel --registry oci:./mirror

  All the mirrors of a file, one after another:
    conda-oci mirror --config mirrors.toml

Packages are named by a name (zlib), a glob ('py*'), a name and a version (zlib@1.3.1), or a conda
MatchSpec ('zlib >=1.2.12,<2'). Quote what the shell would read.

A configuration file has the options under their long names:
    [defaults]
    registry = \"ghcr.io/myorg\"
    [[mirror]]
    channel = \"conda-forge\"
    subdir = [\"linux-64\", \"noarch\"]
    package = [\"python >=3.12\", \"zlib\"]
    latest = 3

Run the same command again after an interruption: it goes on where it stopped.

Environment:
  ORAS_USER, ORAS_PASS     login at the registry, both or neither
  HTTPS_PROXY, HTTP_PROXY  proxies for both the channel and the registry; NO_PROXY names what is
                           reached without them
  NO_COLOR                 if not empty: no colours
  RUST_LOG                 the log's filter, such as mirror_oci=debug; over --quiet and --debug

Exit codes:
  0         all well
  1         some files failed; everything else is mirrored and published
  2         could not run, or a subdir could not be mirrored or published; a plan over --max-files
            or --max-bytes, in a dry run too
  130, 143  interrupted; the same command goes on";
