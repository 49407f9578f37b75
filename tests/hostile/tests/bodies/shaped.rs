//! Inputs of the right shape.

use mirror_hostile::{
    challenge, location, manifest, names, patience, published, repodata, shards, task, token,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::seeds;
use crate::values::{any_value, changed};

/// The seeds of a body that are JSON, changed in places and spelled in one of two ways.
fn changed_json(body: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = seeds::of(body).into_iter();
    let seeds: Vec<Value> = seeds
        .filter_map(|(_, bytes)| serde_json::from_slice(&bytes).ok())
        .collect();
    let value = select(seeds).prop_flat_map(changed);
    (value, any::<bool>()).prop_map(|(value, pretty)| match pretty {
        true => serde_json::to_vec_pretty(&value).unwrap(),
        false => serde_json::to_vec(&value).unwrap(),
    })
}

/// An unsigned number as Go writes durations.
fn go_duration() -> impl Strategy<Value = String> {
    let part = (
        "[0-9]{1,9}(\\.[0-9]{0,9})?",
        select(vec!["h", "m", "s", "ms", "us", "µs", "ns"]),
    );
    prop::collection::vec(part.prop_map(|(number, unit)| number + unit), 1..4)
        .prop_map(|parts| parts.concat())
}

fn challenge_text() -> impl Strategy<Value = String> {
    let scheme = select(vec![
        "Basic",
        "bearer",
        "Bearer",
        "Negotiate",
        "Digest",
        "Basic abc",
        "NTLM abc==",
    ]);
    let value =
        "([a-z0-9:.-]{1,8}|\"(https?|file)://[a-z]{1,3}/t\"|\"([ -!#-\\[\\]-~]|\\\\[ -~]){0,12}\")";
    let key = select(vec!["realm", "Realm", "service", "scope", "error", "x"]);
    let equals = select(vec!["=", " = ", "= "]);
    let parameter =
        (key, equals, value).prop_map(|(key, equals, value)| format!("{key}{equals}{value}"));
    let one = (
        scheme,
        prop::collection::vec(parameter, 0..4),
        select(vec![",", ", ", " ,\t", ",,"]),
    );
    let one = one.prop_map(|(scheme, parameters, comma)| {
        let parameters = parameters.join(comma);
        format!("{scheme} {parameters}").trim_end().to_owned()
    });
    prop::collection::vec(one, 0..4)
        .prop_flat_map(|all| select(vec![", ", "\n"]).prop_map(move |by| all.join(by)))
}

proptest! {
    #[test]
    fn manifests(bytes in changed_json("manifest")) {
        manifest::check(&bytes);
    }

    #[test]
    fn tasks(bytes in changed_json("task")) {
        task::check(&bytes);
    }

    #[test]
    fn tokens(bytes in changed_json("token")) {
        token::check(&bytes);
    }

    #[test]
    fn indexes(bytes in changed_json("repodata")) {
        repodata::check(&bytes);
    }

    #[test]
    fn published_indexes(bytes in changed_json("published")) {
        published::check(&bytes);
    }

    #[test]
    fn challenges(text in challenge_text()) {
        challenge::check(text.as_bytes());
    }

    #[test]
    fn locations(
        start in select(vec!["", "/", "//", "http://", "https://", "HTTPS:", "https:\\\\", "ftp://"]),
        user in select(vec!["", "registry.example@", "me:pw@"]),
        host in select(vec!["registry.example", "127.0.0.1", "store.example", "registry.example.evil.example", "[::1]", "0x7f.1"]),
        port in select(vec!["", ":443", ":80", ":5000", ":8443", ":"]),
        rest in "(/[a-z%./\\\\]{0,12})?(\\?[a-zA-Z0-9%&=+/_.]{0,12})?(#[a-z?]{0,4})?",
    ) {
        location::check(format!("{start}{user}{host}{port}{rest}").as_bytes());
        location::check(format!("{start}{rest}").as_bytes());
    }

    #[test]
    fn pauses(
        status in 0_u8..6,
        after in select(vec!["", "0", "7", "99999999999", "-1", "1.5", "Mon, 07 Jan 2030 00:00:20 GMT", "soon"]),
        date in select(vec!["", "Mon, 07 Jan 2030 00:00:00 GMT", "never"]),
        before in select(vec!["", "{\"errors\":[{\"message\":\"", "denied: secondary rate limit "]),
        duration in go_duration(),
        end in select(vec!["", ", allowed: 2000/minute", "\"}]}", " x", "5"]),
    ) {
        let mut bytes = vec![status];
        bytes.extend(format!("{after}\n{date}\n{before}Retry-After: {duration}{end}").bytes());
        patience::check(&bytes);
    }

    #[test]
    fn file_names(
        name in "(zzz|_|)[a-zA-Z0-9._-]{1,8}",
        version in "[0-9a-z.!+=_~]{1,6}(__p__|__e__|__p|[+]p__|_)?[+=]?",
        build in "[a-z0-9_+]{1,6}",
        extension in select(vec![".conda", ".tar.bz2"]),
    ) {
        names::check(format!("{name}-{version}-{build}{extension}").as_bytes());
    }

    #[test]
    fn shards_of_anything(content in any_value(), name in "[a-z./]{0,6}", inside in any::<bool>()) {
        let content = match inside {
            true => serde_json::json!({"packages": {&*name: content}, "shards": {}}),
            false => serde_json::json!({"shards": {&*name: content}}),
        };
        shards::check(&rmp_serde::to_vec_named(&content).unwrap());
    }
}
