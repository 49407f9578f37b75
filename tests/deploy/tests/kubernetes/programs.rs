//! What manifests tell our programs, told to the programs: flags, variables, files, entry points.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Container;
use mirror_kit::process::{Run, worker_binary};
use serde_json::Value;

use crate::support::{OVERLAYS, Pod, built, config_maps, is_ours, pods, root};

/// The variables a container gets from its manifest and its maps, and of secrets only the names.
fn variables(container: &Container, objects: &[Value]) -> BTreeMap<String, Option<String>> {
    let maps = config_maps(objects);
    let from_maps = container.env_from.iter().flatten().flat_map(|source| {
        let name = &source.config_map_ref.as_ref().unwrap().name;
        let map = maps
            .iter()
            .find(|map| map.metadata.name.as_ref() == Some(name));
        let map = map.unwrap_or_else(|| panic!("{name} is nowhere"));
        map.data.clone().unwrap_or_default()
    });
    let from_maps = from_maps.map(|(name, value)| (name, Some(value)));
    let own = container.env.iter().flatten();
    let own = own.map(|variable| (variable.name.clone(), variable.value.clone()));
    from_maps.chain(own).collect()
}

fn ours(objects: &[Value]) -> Vec<Pod> {
    pods(objects).into_iter().filter(is_ours).collect()
}

#[test]
fn every_variable_is_one_that_the_programs_know() {
    let documented = std::fs::read_to_string(root().join("docs/CONFIGURATION.md")).unwrap();
    // Each stands in a cell of a table; a test of the programs sees that the tables are right.
    let known: BTreeSet<&str> = documented.split('`').collect();
    for overlay in OVERLAYS {
        let objects = built(overlay);
        for pod in ours(&objects) {
            for name in variables(&pod.spec.containers[0], &objects).keys() {
                assert!(
                    known.contains(name.as_str()),
                    "{overlay}, {}: {name}",
                    pod.of
                );
            }
        }
    }
}

/// The programs read their whole command line and environment before they look for the address of the broker, which
/// lies in a file that is not here: that is all they may have to say.
#[tokio::test]
async fn every_flag_and_value_is_taken_by_the_programs() {
    for overlay in OVERLAYS {
        let objects = built(overlay);
        for pod in ours(&objects) {
            let container = &pod.spec.containers[0];
            let folder = tempfile::tempdir().unwrap();
            for map in config_maps(&objects) {
                for (file, text) in map.data.unwrap_or_default() {
                    if file.ends_with(".toml") {
                        std::fs::write(folder.path().join(file), text).unwrap();
                    }
                }
            }
            std::fs::write(folder.path().join("registry-password"), "secret").unwrap();
            let here = |text: &str| {
                let folder = folder.path().display().to_string();
                text.replace("/etc/conda-oci", &folder)
                    .replace("/run/secrets/conda-oci", &folder)
                    .replace("/var/lib/conda-oci", &folder)
                    .replace("0.0.0.0:8080", "127.0.0.1:0")
            };
            let command = container.command.as_ref().unwrap();
            let mut run = match command.as_slice() {
                [program] if program == "conda-oci-worker" => Run::new().program(worker_binary()),
                [program] if program == "conda-oci" => Run::new(),
                other => panic!("{other:?}"),
            };
            run = run.args(container.args.iter().flatten().map(|arg| here(arg)));
            for (name, value) in variables(container, &objects) {
                // Nobody is to wait for a collector that is not there.
                if !name.starts_with("OTEL_") {
                    run = run.env(name, here(value.as_deref().unwrap_or("someone")));
                }
            }
            let ended = run.run().await;
            let said = &ended.assert_code(2).stderr;
            assert!(
                said.contains("_FILE: cannot read") && said.contains("No such file"),
                "{overlay}, {}: {said}",
                pod.of
            );
        }
    }
}

#[test]
fn every_program_that_a_manifest_starts_is_in_the_image() {
    let image = std::fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let installed = image
        .lines()
        .find(|line| line.contains("install -D --target-directory=/out"))
        .expect("the programs are put into the image");
    assert!(image.contains("COPY --from=build /out /usr/local/bin"));
    assert!(image.contains("USER 10001:10001"));
    for overlay in OVERLAYS {
        for pod in ours(&built(overlay)) {
            let program = &pod.spec.containers[0].command.as_ref().unwrap()[0];
            let path = format!("target/release/{program}");
            assert!(installed.split(' ').any(|word| word == path), "{program}");
            let user = pod.spec.security_context.unwrap().run_as_user;
            assert_eq!(user, Some(10001));
        }
    }
}
