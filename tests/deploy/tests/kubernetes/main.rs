//! The manifests of `deploy/kubernetes`, as `kubectl kustomize` builds them: each object parses into its typed form without
//! a field left over, and keeps the rules of the house. `kubectl` is needed; no cluster is.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod keda;
mod programs;
mod rules;
mod support;
