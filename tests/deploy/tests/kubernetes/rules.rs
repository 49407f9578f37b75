//! The rules each object keeps.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, Namespace, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::support::{OVERLAYS, Pod, built, config_maps, is_ours, kind, name, pods, typed};

/// Bytes of a quantity, or of a size as our programs read it.
fn bytes(text: &str) -> u64 {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let scale = match &text[end..] {
        "" => 1,
        "Mi" | "MiB" => 1 << 20,
        "Gi" | "GiB" => 1 << 30,
        "GB" | "G" => 1_000_000_000,
        unit => panic!("{unit}"),
    };
    text[..end].parse::<u64>().unwrap() * scale
}

fn flag<'c>(container: &'c Container, flag: &str) -> &'c str {
    let args = container.args.as_ref().unwrap();
    let prefix = format!("--{flag}=");
    let found = args.iter().find_map(|arg| arg.strip_prefix(&prefix));
    found.unwrap_or_else(|| panic!("{prefix} in {args:?}"))
}

fn seconds(span: &str) -> i64 {
    span.strip_suffix('s').unwrap().parse().unwrap()
}

#[test]
fn every_object_is_of_a_known_type_and_has_no_field_that_the_type_lacks() {
    for overlay in OVERLAYS {
        for object in built(overlay) {
            match kind(&object) {
                "Deployment" => drop(typed::<apps::Deployment>(&object)),
                "StatefulSet" => drop(typed::<apps::StatefulSet>(&object)),
                "CronJob" => drop(typed::<batch::CronJob>(&object)),
                "Service" => drop(typed::<Service>(&object)),
                "Namespace" => drop(typed::<Namespace>(&object)),
                "NetworkPolicy" => drop(typed::<NetworkPolicy>(&object)),
                "PodDisruptionBudget" => drop(typed::<PodDisruptionBudget>(&object)),
                "ConfigMap" => drop(config_maps(std::slice::from_ref(&object))),
                "Secret" => drop(typed::<Secret>(&object)),
                "ServiceAccount" => {
                    let account: ServiceAccount = typed(&object);
                    assert_eq!(account.automount_service_account_token, Some(false));
                }
                // Their schema is in `keda.rs`.
                "ScaledObject" | "TriggerAuthentication" => {}
                other => panic!("{overlay}: {other} {}", name(&object)),
            }
        }
    }
}

fn assert_confined(pod: &Pod) {
    let of = &pod.of;
    let spec = &pod.spec;
    assert_eq!(spec.automount_service_account_token, Some(false), "{of}");
    assert!(
        spec.host_network.is_none() && spec.host_pid.is_none(),
        "{of}"
    );
    let of_pod = spec.security_context.as_ref().unwrap();
    assert_eq!(of_pod.run_as_non_root, Some(true), "{of}");
    assert!(of_pod.run_as_user.is_some_and(|user| user > 0), "{of}");
    let seccomp = of_pod.seccomp_profile.as_ref().unwrap();
    assert_eq!(seccomp.type_, "RuntimeDefault", "{of}");
    for container in &spec.containers {
        let context = container.security_context.as_ref().unwrap();
        assert_eq!(context.allow_privilege_escalation, Some(false), "{of}");
        assert_eq!(context.read_only_root_filesystem, Some(true), "{of}");
        assert_eq!(context.privileged, None, "{of}");
        let capabilities = context.capabilities.as_ref().unwrap();
        assert_eq!(capabilities.drop, Some(vec!["ALL".to_owned()]), "{of}");
        assert_eq!(capabilities.add, None, "{of}");
        let resources = container.resources.as_ref().unwrap();
        let requests = resources.requests.as_ref().unwrap();
        assert!(
            requests.contains_key("cpu") && requests.contains_key("memory"),
            "{of}"
        );
        assert!(
            resources.limits.as_ref().unwrap().contains_key("memory"),
            "{of}"
        );
        assert!(container.readiness_probe.is_some(), "{of}");
        let image = container.image.as_deref().unwrap();
        let tag = image.rsplit_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest"), "{of}: {image}");
    }
}

#[test]
fn every_pod_is_confined() {
    for overlay in OVERLAYS {
        let pods = pods(&built(overlay));
        assert!(pods.len() >= 2);
        pods.iter().for_each(assert_confined);
    }
}

#[test]
fn our_pods_have_one_volume_to_write_to_whose_limit_follows_the_spool() {
    for overlay in OVERLAYS {
        for pod in pods(&built(overlay)).iter().filter(|pod| is_ours(pod)) {
            let volumes = pod.spec.volumes.as_ref().unwrap();
            let empty: Vec<_> = volumes
                .iter()
                .filter_map(|volume| Some((&volume.name, volume.empty_dir.as_ref()?)))
                .collect();
            let [(volume, empty)] = empty[..] else {
                panic!("{}: one emptyDir", pod.of)
            };
            let Quantity(limit) = empty.size_limit.as_ref().unwrap();
            let container = &pod.spec.containers[0];
            let (limit, budget) = (bytes(limit), bytes(flag(container, "spool-size")));
            assert!(
                limit > budget && limit < budget + budget / 4,
                "{}: {limit} for {budget}",
                pod.of
            );
            let mounts = container.volume_mounts.as_ref().unwrap();
            let writable: Vec<_> = mounts
                .iter()
                .filter(|mount| mount.read_only != Some(true))
                .collect();
            let [mount] = writable[..] else {
                panic!("{}: one mount to write to", pod.of)
            };
            assert_eq!(mount.name, *volume);
            let limits = &container.resources.as_ref().unwrap().limits;
            let Quantity(storage) = &limits.as_ref().unwrap()["ephemeral-storage"];
            assert!(
                bytes(storage) > limit,
                "{}: evicted before its spool is full",
                pod.of
            );
        }
    }
}

#[test]
fn our_pods_are_probed_and_get_the_time_they_need_to_stop() {
    for overlay in OVERLAYS {
        for pod in pods(&built(overlay)).iter().filter(|pod| is_ours(pod)) {
            let container = &pod.spec.containers[0];
            let path = |probe: &Option<k8s_openapi::api::core::v1::Probe>| {
                let action = probe.as_ref()?.http_get.as_ref()?;
                action.path.clone()
            };
            assert_eq!(path(&container.liveness_probe).as_deref(), Some("/healthz"));
            assert_eq!(path(&container.readiness_probe).as_deref(), Some("/readyz"));
            assert_eq!(path(&container.startup_probe).as_deref(), Some("/healthz"));
            let port = container.ports.as_ref().unwrap()[0].container_port;
            assert_eq!(flag(container, "listen"), format!("0.0.0.0:{port}"));
            let grace = pod.spec.termination_grace_period_seconds.unwrap();
            if pod.of.starts_with("Deployment") {
                assert!(grace > seconds(flag(container, "grace")), "{}", pod.of);
                let spread = pod.spec.topology_spread_constraints.as_ref().unwrap();
                assert_eq!(spread[0].topology_key, "kubernetes.io/hostname");
            }
        }
    }
}

#[test]
fn a_mirror_never_runs_beside_itself_and_failed_files_are_no_reason_to_begin_anew() {
    for overlay in OVERLAYS {
        let objects = built(overlay);
        let jobs: Vec<batch::CronJob> = objects
            .iter()
            .filter(|object| kind(object) == "CronJob")
            .map(typed)
            .collect();
        assert!(!jobs.is_empty());
        for job in jobs {
            let spec = job.spec.unwrap();
            assert_eq!(spec.concurrency_policy.as_deref(), Some("Forbid"));
            let job = spec.job_template.spec.unwrap();
            assert_eq!(job.active_deadline_seconds, None, "a first fill takes days");
            let rules = job.pod_failure_policy.unwrap().rules;
            let codes = rules.iter().find_map(|rule| {
                let codes = rule.on_exit_codes.as_ref()?;
                (rule.action == "FailJob").then(|| codes.values.clone())
            });
            assert_eq!(codes, Some(vec![1]));
        }
    }
}

#[test]
fn secrets_of_production_are_referred_to_and_none_is_written_down() {
    let objects = built("production");
    assert!(objects.iter().all(|object| kind(object) != "Secret"));
    let names: BTreeSet<String> = pods(&objects)
        .iter()
        .flat_map(|pod| pod.spec.volumes.clone().unwrap())
        .filter_map(|volume| volume.projected?.sources)
        .flatten()
        .filter_map(|source| source.secret)
        .map(|secret| secret.name)
        .collect();
    let wanted = ["conda-oci-queue", "conda-oci-registry", "conda-oci-state"];
    assert_eq!(names, wanted.map(str::to_owned).into());
}

#[test]
fn every_pod_of_ours_is_under_a_policy_and_the_workers_under_a_budget_for_disruptions() {
    for overlay in OVERLAYS {
        let objects = built(overlay);
        let policies: Vec<NetworkPolicy> = objects
            .iter()
            .filter(|object| kind(object) == "NetworkPolicy")
            .map(typed)
            .collect();
        let budgets: Vec<PodDisruptionBudget> = objects
            .iter()
            .filter(|object| kind(object) == "PodDisruptionBudget")
            .map(typed)
            .collect();
        for pod in pods(&objects).iter().filter(|pod| is_ours(pod)) {
            let covers = |labels: &Option<std::collections::BTreeMap<String, String>>| {
                let labels = labels.as_ref();
                labels.is_some_and(|all| all.iter().all(|(k, v)| pod.labels.get(k) == Some(v)))
            };
            let both = ["Ingress".to_owned(), "Egress".to_owned()];
            let covered = policies.iter().any(|policy| {
                let spec = policy.spec.as_ref().unwrap();
                spec.policy_types.as_deref() == Some(&both)
                    && covers(&spec.pod_selector.clone().unwrap_or_default().match_labels)
            });
            assert!(covered, "{overlay}: {}", pod.of);
            if pod.of.starts_with("Deployment") {
                let budget = budgets.iter().any(|budget| {
                    let selector = budget.spec.as_ref().unwrap().selector.as_ref();
                    covers(&selector.unwrap().match_labels)
                });
                assert!(budget, "{overlay}: {}", pod.of);
            }
        }
    }
}
