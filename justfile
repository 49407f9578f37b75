# Recipes for people; `just` lists them. Each is one command that also works without just.

# List the recipes
default:
    @just --list

# Format all code
fmt:
    cargo fmt --all

# Check format and lints, as CI does
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

# Build the documentation, warnings denied
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features --locked

# Run the tests; arguments go to `cargo test`
test *arguments:
    ./tests/run {{ arguments }}

# Measure the release build beside bare loops; arguments go to the benchmark
bench *arguments:
    ./tests/bench/run {{ arguments }}

# Fuzz what comes from outside; arguments are seconds and targets (needs a nightly Rust and cargo-fuzz)
fuzz *arguments:
    ./fuzz/run {{ arguments }}

# Everything that CI runs
ci:
    ./.ci/run

# Check licences, bans and sources of all dependencies (needs cargo-deny)
deny:
    cargo deny --locked check licenses bans sources

# Check dependencies against the advisory database (needs cargo-deny and the network)
advisories:
    cargo deny --locked check advisories

# Find dependencies nobody uses (needs cargo-machete)
machete:
    cargo machete

# Make the sample channel anew
sample:
    cargo run --locked -p mirror-kit --example make-sample-channel

# Mirror the sample channel into the folder ./mirror
run:
    cargo run --locked --release --bin conda-oci -- mirror --channel ./examples/channel --registry oci:./mirror
