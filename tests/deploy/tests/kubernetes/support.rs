//! Builds overlays, and reads what comes of them.

use std::path::PathBuf;
use std::process::Command;

use k8s_openapi::api::core::v1::{ConfigMap, PodSpec};
use k8s_openapi::{Resource, api};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) const OVERLAYS: [&str; 2] = ["local", "production"];
/// The programs, as images name them before an overlay renames them.
pub(crate) const OURS: &str = "conda-oci";

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The objects of an overlay.
pub(crate) fn built(overlay: &str) -> Vec<Value> {
    let path = root().join("deploy/kubernetes/overlays").join(overlay);
    let built = Command::new("kubectl").arg("kustomize").arg(&path).output();
    let built =
        built.expect("kubectl runs (Debian: kubernetes-client, or Google's package kubectl)");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{overlay}: {said}");
    // What is deprecated today does not build tomorrow.
    assert!(said.trim().is_empty(), "{overlay}: {said}");
    serde_yaml_ng::Deserializer::from_slice(&built.stdout)
        .map(|one| serde::Deserialize::deserialize(one).expect("it is YAML"))
        .collect()
}

pub(crate) fn kind(object: &Value) -> &str {
    object["kind"].as_str().expect("it has a kind")
}

pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("it has a name")
}

/// An object in its typed form.
///
/// # Panics
/// If it is none, or a field of it is none of the type's.
pub(crate) fn typed<T: DeserializeOwned + serde::Serialize + Resource>(object: &Value) -> T {
    assert_eq!(object["apiVersion"], T::API_VERSION);
    assert_eq!(object["kind"], T::KIND);
    whole(object)
}

/// All of an object.
///
/// # Panics
/// If a field of it is none of the type's: typed forms pass over what they do not know, so it is written again and
/// compared.
pub(crate) fn whole<T: DeserializeOwned + serde::Serialize>(object: &Value) -> T {
    let typed: T = serde_json::from_value(object.clone())
        .unwrap_or_else(|error| panic!("{} {}: {error}", kind(object), name(object)));
    let again = serde_json::to_value(&typed).expect("it can be written");
    let lost = lost(object, &again, String::new());
    assert!(
        lost.is_empty(),
        "{} {}: {lost:?}",
        kind(object),
        name(object)
    );
    typed
}

/// Paths of what `before` has and `after` has not.
fn lost(before: &Value, after: &Value, path: String) -> Vec<String> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => before
            .iter()
            .flat_map(|(key, value)| {
                let path = format!("{path}.{key}");
                match after.get(key) {
                    Some(after) => lost(value, after, path),
                    None => vec![path],
                }
            })
            .collect(),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => before
            .iter()
            .zip(after)
            .enumerate()
            .flat_map(|(at, (before, after))| lost(before, after, format!("{path}[{at}]")))
            .collect(),
        // Quantities and numbers may be spelled otherwise; they are there.
        (Value::Array(_), Value::Array(_)) => vec![path],
        _ => Vec::new(),
    }
}

/// A pod that an object makes, with the object's name.
pub(crate) struct Pod {
    pub(crate) of: String,
    pub(crate) labels: std::collections::BTreeMap<String, String>,
    pub(crate) spec: PodSpec,
}

/// The pods of an overlay.
pub(crate) fn pods(objects: &[Value]) -> Vec<Pod> {
    let template = |object: &Value| match kind(object) {
        "Deployment" => {
            let typed: api::apps::v1::Deployment = typed(object);
            Some(typed.spec.unwrap().template)
        }
        "StatefulSet" => {
            let typed: api::apps::v1::StatefulSet = typed(object);
            Some(typed.spec.unwrap().template)
        }
        "CronJob" => {
            let typed: api::batch::v1::CronJob = typed(object);
            Some(typed.spec.unwrap().job_template.spec.unwrap().template)
        }
        _ => None,
    };
    let pod = |object| {
        let template = template(object)?;
        Some(Pod {
            of: format!("{} {}", kind(object), name(object)),
            labels: template.metadata.unwrap().labels.unwrap(),
            spec: template.spec.unwrap(),
        })
    };
    objects.iter().filter_map(pod).collect()
}

/// Whether it runs one of our programs.
pub(crate) fn is_ours(pod: &Pod) -> bool {
    let image = pod.spec.containers[0].image.as_deref().unwrap();
    let name = image.rsplit('/').next().unwrap();
    name.split(':').next() == Some(OURS)
}

pub(crate) fn config_maps(objects: &[Value]) -> Vec<ConfigMap> {
    let of_kind = objects.iter().filter(|one| kind(one) == "ConfigMap");
    of_kind.map(typed).collect()
}
