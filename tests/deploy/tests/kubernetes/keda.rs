//! KEDA's objects by types that are made from its published schema (`kcr_keda_sh`), and what they come to.

use kcr_keda_sh::v1alpha1::scaledobjects::ScaledObject;
use kcr_keda_sh::v1alpha1::triggerauthentications::TriggerAuthentication;
use serde_json::Value;

use crate::support::{built, is_ours, kind, name, pods, whole};

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

/// The object of a kind.
fn of_keda<T: serde::de::DeserializeOwned + serde::Serialize>(
    objects: &[Value],
    of_kind: &str,
) -> (String, T) {
    let object = objects.iter().find(|object| kind(object) == of_kind);
    let object = object.unwrap();
    assert_eq!(object["apiVersion"], "keda.sh/v1alpha1");
    (name(object).to_owned(), whole(object))
}

#[test]
fn workers_are_scaled_by_all_that_is_in_the_queue_and_no_transfer_is_cut_off() {
    let objects = built("production");
    let (_, scaled): (_, ScaledObject) = of_keda(&objects, "ScaledObject");
    let scaled = scaled.spec;
    let (authentication, secrets): (_, TriggerAuthentication) =
        of_keda(&objects, "TriggerAuthentication");
    let [trigger] = &scaled.triggers[..] else {
        panic!("one trigger")
    };
    assert_eq!(trigger.r#type, "rabbitmq");
    for key in trigger.metadata.keys() {
        assert!(RABBITMQ.contains(&key.as_str()), "{key}");
    }
    // Over amqp unacknowledged messages are not seen, and the workers that have them are stopped.
    assert_eq!(trigger.metadata["protocol"], "http");
    assert_eq!(trigger.metadata["excludeUnacknowledged"], "false");
    assert_eq!(trigger.metadata["mode"], "QueueLength");
    // The default name, and the version of the messages.
    assert_eq!(trigger.metadata["queueName"], "conda-oci.v1");
    let login = trigger.authentication_ref.as_ref().unwrap();
    assert_eq!(login.name, authentication);
    let secrets = secrets.spec.secret_target_ref.unwrap();
    let [secret] = &secrets[..] else {
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
    assert_eq!(scaled.min_replica_count, Some(0));
    assert!(i64::from(scaled.cooldown_period.unwrap()) > grace);
    let autoscaler = scaled.advanced.unwrap().horizontal_pod_autoscaler_config;
    let down = autoscaler.unwrap().behavior.unwrap().scale_down.unwrap();
    let window = down.stabilization_window_seconds.unwrap();
    assert!(i64::from(window) > grace && window <= 3600, "{window}");
    assert!(scaled.polling_interval.unwrap() > 0);

    // 2,000 writes a minute at 7 a file; a pod of 32 transfers makes 10 files a second for each 16 (README).
    let allowed = 2000.0 / 60.0 / 7.0;
    let args = worker.spec.containers[0].args.as_ref().unwrap();
    let slots = args.iter().find_map(|arg| arg.strip_prefix("--workers="));
    let of_one = slots.unwrap().parse::<f64>().unwrap() / 16.0 * 10.0;
    let needed = (allowed / of_one).ceil();
    let most = f64::from(scaled.max_replica_count.unwrap());
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
