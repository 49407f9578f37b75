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

With workers elsewhere (conda-oci-worker, any number, on any machines) this command plans,
queues, follows and publishes; they transfer. Started again after any death it takes up the run:
    conda-oci mirror -c conda-forge --user myorg \\
      --queue amqp://user:password@broker --state redis://redis

Environment:
  Every option can be given as a variable: CONDA_OCI_MAX_SIZE for --max-size, and so on; those
  that can be repeated take one value a line. CONDA_OCI_QUEUE_FILE and CONDA_OCI_STATE_FILE name
  files with the addresses, which may hold a password.
  ORAS_USER, ORAS_PASS     login at the registry, both or neither; ORAS_PASS_FILE names a file with
                           the password
  ORAS_SOURCE_USER, ORAS_SOURCE_PASS
                           the same at the registry that is read from (oci://…), where that is another
  REGISTRY_AUTH_FILE       else the logins of this file, of ~/.docker/config.json and of Podman's
                           auth.json, each for its own registry (`docker login`, credential helpers)
  RATTLER_AUTH_FILE        logins at private channels, as pixi and rattler keep them; also ~/.rattler
                           and ~/.netrc
  SSL_CERT_FILE            certificates to trust instead of the system's
  HTTPS_PROXY, HTTP_PROXY  proxies for both the channel and the registry; NO_PROXY names what is
                           reached without them
  OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_* variables of OpenTelemetry: where traces and
                           metrics go by OTLP (http/protobuf); nowhere without them
  NO_COLOR                 if not empty: no colours
  RUST_LOG                 the log's filter, such as mirror_oci=debug; over --quiet and --debug

Exit codes:
  0         all well
  1         some files failed; everything else is mirrored and published
  2         could not run, or a subdir could not be mirrored or published; a plan over --max-files
            or --max-bytes, in a dry run too
  130, 143  interrupted; the same command goes on";

/// What stands below the options of `conda-oci enqueue`.
pub(super) const ENQUEUE: &str = "\
Examples:
  Queue a whole channel now, and let workers that are started later do it:
    conda-oci enqueue -c conda-forge --user myorg \\
      --queue amqp://user:password@broker --state redis://redis
    conda-oci-worker --queue … --state … --workers 32
    # what is left, and the index
    conda-oci mirror -c conda-forge --user myorg --queue … --state …

It is done when the broker has every task on disk. Nothing is published: `conda-oci publish`
does that at any time, and `conda-oci mirror` when all is done. The options are those of
`conda-oci mirror`.

Exit codes: 0 all is queued, 2 could not run, 130 and 143 interrupted";

/// What stands below the options of `conda-oci publish`.
pub(super) const PUBLISH: &str = "\
Examples:
  Make what workers have done so far available to clients:
    conda-oci publish -c conda-forge --user myorg --state redis://redis

It plans like `conda-oci mirror` with the same options, transfers nothing, and publishes the
index of what the destination holds. While a mirror runs there is no need for it: that publishes
every --publish-every.

Exit codes: 0 published or nothing new, 2 could not run or a mirror is running, 130 and 143
interrupted";

/// What stands below the options of `conda-oci status`.
pub(super) const STATUS: &str = "\
Examples:
  The run of a cluster, as it goes on:
    conda-oci status -c conda-forge --user myorg --state redis://redis \\
      --queue amqp://user:password@broker --watch

  What the last run of a mirror on this machine came to:
    conda-oci status -c conda-forge --user myorg

  For a script (docs/status.schema.json describes it):
    conda-oci status -c conda-forge --user myorg --state redis://redis --json |
      jq '.subdirs[].files'

States: planning, running, publishing; unfollowed (workers may do what is queued, and no run
waits for it: `conda-oci mirror` finishes it), stopped (the same on one machine), cancelled,
finished. The time left is reckoned from the last minute with --watch, else from all of the run.
A run on one machine keeps its ledger to itself: it shows its own progress, and what others want
to know of it is answered with its process.

Exit codes: 0 shown, 2 could not look, 130 and 143 interrupted (--watch)";

/// What stands below the options of `conda-oci failures`.
pub(super) const FAILURES: &str = "\
Examples:
  What failed in any subdir:
    conda-oci failures -c conda-forge --user myorg

  Only the names of what no later run brings by itself:
    conda-oci failures -c conda-forge --user myorg --json |
      jq -r '.failures[] | select(.kind == \"permanent\") | .file'

A later run tries failures again by itself: at once those of kind denied, local and refused, an
hour after they failed the others. `conda-oci retry` makes it at once for any.

Exit codes: 0 listed, also if there are none or many; 2 could not look";

/// The ways to call `conda-oci retry`.
pub(super) const RETRY_USAGE: &str = "\
conda-oci retry [OPTIONS] --channel <CHANNEL> --registry <REGISTRY> <FILE>...
       conda-oci retry [OPTIONS] --channel <CHANNEL> --registry <REGISTRY> --all";

/// What stands below the options of `conda-oci retry`.
pub(super) const RETRY: &str = "\
Examples:
  Everything that failed:
    conda-oci retry -c conda-forge --user myorg --all

  One file:
    conda-oci retry -c conda-forge --user myorg zlib-1.3.1-h0_1.conda

It forgets that they failed, and no more: it transfers nothing and publishes nothing. The next
`conda-oci mirror` or `conda-oci enqueue` plans them; the command for it is printed. A run that
is under way does not try them again.

Exit codes: 0 put back, or there was none (--all); 2 could not, such as for a file that has not
failed";

/// What stands below the options of `conda-oci pause`.
pub(super) const PAUSE: &str = "\
Examples:
  Give the registry a rest:
    conda-oci pause -c conda-forge --user myorg --state redis://redis

What is being transferred is brought to its end. The run waits; it holds for later runs too,
until `conda-oci resume`. No try is counted.

Exit codes: 0 paused, 2 could not";

/// What stands below the options of `conda-oci resume`.
pub(super) const RESUME: &str = "\
Examples:
  Go on:
    conda-oci resume -c conda-forge --user myorg --state redis://redis

Workers ask for the tasks of a paused mirror every 30 seconds, so it may take as long until all
are at work again.

Exit codes: 0 resumed, 2 could not";

/// What stands below the options of `conda-oci cancel`.
pub(super) const CANCEL: &str = "\
Examples:
  End a run on workers elsewhere:
    conda-oci cancel -c conda-forge --user myorg --state redis://redis

  Only one subdir of it; the others go on:
    conda-oci cancel -c conda-forge --user myorg --state redis://redis --subdir linux-64

Within seconds its coordinator ends with exit code 2, and workers give up what they transfer.
They acknowledge the tasks that are queued as these reach them. What was mirrored stays;
`conda-oci publish` publishes it, and the next `conda-oci mirror` goes on from there.

Exit codes: 0 cancelled, or nothing was under way; 2 could not";

/// What stands below the options of `conda-oci push-cache`.
pub(super) const PUSH_CACHE: &str = "\
Examples:
  The packages of ./cache/conda-forge/linux-64 that the published index does not list:
    conda-oci push-cache -c conda-forge -s linux-64 --cache-dir ./cache --user myorg

  Builds of one's own into a channel that mirrors nobody, for pixi to install from:
    conda-oci push-cache -c ours --cache-dir ./output --registry harbor.example/conda

  What it would do:
    conda-oci push-cache -c ours --cache-dir ./output --user myorg --dry-run

  Take one out of the index again (its file stays in the registry):
    conda-oci push-cache -c ours --remove tool-1.0-h0_0.conda --user myorg

A record is made of the package's own info/index.json and of its file. One whose name, version, build
or subdir is not that of the file's name and folder is refused, and so is one under whose name the
channel has another file, without --force; the others are pushed all the same.

What is added stays: a later `conda-oci mirror` into the same channel publishes it beside what the
channel lists, even if that comes to list another file of the same name. A mirror that is at work
meanwhile keeps the index to itself and publishes what was added with its next one.";

/// What stands below the options of `conda-oci pull-cache`.
pub(super) const PULL_CACHE: &str = "\
Examples:
  The newest zlib of a mirror into ./cache/conda-forge/linux-64, after a look at what that would be:
    conda-oci pull-cache -c conda-forge --registry ghcr.io/myorg -s linux-64 -p zlib \\
      --cache-dir ./cache --dry-run
    conda-oci pull-cache -c conda-forge --registry ghcr.io/myorg -s linux-64 -p zlib --cache-dir ./cache

  All that a folder of image layouts has of a channel:
    conda-oci pull-cache -c my-channel --registry oci:./mirror --cache-dir ./cache --all

Files that are there with the right bytes are not fetched again, and what fails is left out of the
index that is written beside them: the folder is a channel, for pixi, mamba and `conda-oci mirror`.

The login at the registry is found as that of `conda-oci mirror`: --username with --password-stdin,
ORAS_USER and ORAS_PASS, or what `docker login` keeps.

Exit codes: 0 all is there; 1 something is missing: an index, a layer, a download; 2 could not run.";
