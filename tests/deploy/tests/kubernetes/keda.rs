//! KEDA's objects by their schema (`keda.sh/v1alpha1`), as far as it is used: a field that is not here is refused.

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior;
use serde::Deserialize;
use serde_json::Value;

use crate::support::{built, is_ours, kind, name, pods};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScaledObject {
    scale_target_ref: Named,
    polling_interval: i32,
    cooldown_period: i64,
    min_replica_count: i32,
    max_replica_count: i32,
    advanced: Advanced,
    triggers: Vec<Trigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advanced {
    horizontal_pod_autoscaler_config: Autoscaler,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Autoscaler {
    behavior: HorizontalPodAutoscalerBehavior,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Trigger {
    #[serde(rename = "type")]
    kind: String,
    /// KEDA takes texts only.
    metadata: BTreeMap<String, String>,
    authentication_ref: Named,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TriggerAuthentication {
    secret_target_ref: Vec<SecretTarget>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretTarget {
    parameter: String,
    name: String,
    key: String,
}

/// What the RabbitMQ scaler reads.
const RABBITMQ: [&str; 12] = [
    "activationValue",
    "excludeUnacknowledged",
    "host",
    "hostFromEnv",
    "mode",
    "operation",
    "pageSize",
    "protocol",
    "queueName",
    "useRegex",
    "value",
    "vhostName",
];

fn spec<T: serde::de::DeserializeOwned>(objects: &[Value], of_kind: &str) -> (String, T) {
    let object = objects.iter().find(|object| kind(object) == of_kind);
    let object = object.unwrap();
    assert_eq!(object["apiVersion"], "keda.sh/v1alpha1");
    let spec = serde_json::from_value(object["spec"].clone());
    (name(object).to_owned(), spec.unwrap())
}

#[test]
fn workers_are_scaled_by_all_that_is_in_the_queue_and_no_transfer_is_cut_off() {
    let objects = built("production");
    let (_, scaled): (_, ScaledObject) = spec(&objects, "ScaledObject");
    let (authentication, secrets): (_, TriggerAuthentication) =
        spec(&objects, "TriggerAuthentication");
    let [trigger] = &scaled.triggers[..] else {
        panic!("one trigger")
    };
    assert_eq!(trigger.kind, "rabbitmq");
    for key in trigger.metadata.keys() {
        assert!(RABBITMQ.contains(&key.as_str()), "{key}");
    }
    // Over amqp unacknowledged messages are not seen, and the workers that have them are stopped.
    assert_eq!(trigger.metadata["protocol"], "http");
    assert_eq!(trigger.metadata["excludeUnacknowledged"], "false");
    assert_eq!(trigger.metadata["mode"], "QueueLength");
    // The default name, and the version of the messages.
    assert_eq!(trigger.metadata["queueName"], "conda-oci.v1");
    assert_eq!(trigger.authentication_ref.name, authentication);
    let [secret] = &secrets.secret_target_ref[..] else {
        panic!("one secret")
    };
    assert_eq!(
        (secret.parameter.as_str(), secret.key.as_str()),
        ("host", "url")
    );
    assert_eq!(secret.name, "conda-oci-broker-api");

    let pods = pods(&objects);
    let target = format!("Deployment {}", scaled.scale_target_ref.name);
    let worker = pods.iter().find(|pod| pod.of == target).unwrap();
    assert!(is_ours(worker));
    let grace = worker.spec.termination_grace_period_seconds.unwrap();
    assert_eq!(scaled.min_replica_count, 0);
    assert!(scaled.cooldown_period > grace);
    let down = scaled.advanced.horizontal_pod_autoscaler_config.behavior;
    let window = down
        .scale_down
        .unwrap()
        .stabilization_window_seconds
        .unwrap();
    assert!(i64::from(window) > grace && window <= 3600, "{window}");
    assert!(scaled.polling_interval > 0);

    // 2,000 writes a minute at 7 a file; a pod of 32 transfers makes 10.5 files a second for each 16 (README).
    let allowed = 2000.0 / 60.0 / 7.0;
    let args = worker.spec.containers[0].args.as_ref().unwrap();
    let slots = args.iter().find_map(|arg| arg.strip_prefix("--workers="));
    let of_one = slots.unwrap().parse::<f64>().unwrap() / 16.0 * 10.5;
    let needed = (allowed / of_one).ceil();
    let most = f64::from(scaled.max_replica_count);
    assert!(
        most >= needed + 1.0 && most <= needed + 4.0,
        "{most} of {needed}"
    );
}

#[test]
fn what_keda_scales_has_no_number_of_replicas_that_would_be_set_back() {
    let objects = built("production");
    let worker = objects
        .iter()
        .find(|object| kind(object) == "Deployment")
        .unwrap();
    assert!(worker["spec"].get("replicas").is_none());
}
