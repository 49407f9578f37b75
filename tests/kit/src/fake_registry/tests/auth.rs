use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use super::super::{Anonymous, Auth, Bearer, FakeRegistry, Kind, Location, Options, sha256_digest};
use super::{blob_url, client, location, push, uploads, with_digest};

fn with_auth(auth: Auth) -> FakeRegistry {
    FakeRegistry::start_with(Options {
        auth,
        ..Options::default()
    })
}

fn challenge(response: &Response) -> &str {
    response.headers()["www-authenticate"].to_str().unwrap()
}

fn ask(registry: &FakeRegistry, scope: &str) -> RequestBuilder {
    let query = [("service", "fake-registry"), ("scope", scope)];
    client()
        .get(format!("{}/token", registry.url()))
        .query(&query)
}

async fn token(registry: &FakeRegistry, scope: &str) -> String {
    let response = ask(registry, scope)
        .basic_auth("me", Some("pw"))
        .send()
        .await
        .unwrap();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["token"], body["access_token"]);
    body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_allows_its_own_repositories_and_actions_only() {
    let registry = with_auth(Auth::bearer("me", "pw"));
    let digest = registry.put_blob("a", "x");
    registry.put_blob("b", "x");
    let ping = client()
        .get(format!("{}/v2/", registry.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(ping.status(), 401);
    let expected = format!(
        r#"Bearer realm="{}/token",service="fake-registry""#,
        registry.url()
    );
    assert_eq!(challenge(&ping), expected);

    let pull = token(&registry, "repository:a:pull").await;
    let get = |repository: &str| {
        client()
            .get(blob_url(&registry, repository, &digest))
            .bearer_auth(&pull)
            .send()
    };
    assert_eq!(get("a").await.unwrap().status(), 200);
    let other = get("b").await.unwrap();
    assert_eq!(other.status(), 401);
    assert!(challenge(&other).contains(r#"scope="repository:b:pull",error="insufficient_scope""#));
    let write = client()
        .post(uploads(&registry, "a"))
        .bearer_auth(&pull)
        .send()
        .await
        .unwrap();
    assert_eq!(write.status(), 401);
    assert!(challenge(&write).contains(r#"scope="repository:a:pull,push""#));
    let both = token(&registry, "repository:a:pull,push").await;
    let write = client()
        .post(uploads(&registry, "a"))
        .bearer_auth(&both)
        .send()
        .await
        .unwrap();
    assert_eq!(write.status(), 202);
    assert_eq!(registry.log().count(Kind::Token), 2);
}

#[tokio::test]
async fn a_mount_needs_pull_on_its_source() {
    let registry = with_auth(Auth::bearer("me", "pw"));
    let digest = registry.put_blob("a", "x");
    let url = format!("{}?mount={digest}&from=a", uploads(&registry, "b"));
    let one = token(&registry, "repository:b:pull,push").await;
    let refused = client().post(&url).bearer_auth(one).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(challenge(&refused).contains(r#"scope="repository:b:pull,push repository:a:pull""#));
    let two = token(&registry, "repository:b:pull,push repository:a:pull").await;
    let mounted = client().post(&url).bearer_auth(two).send().await.unwrap();
    assert_eq!(mounted.status(), 201);
}

#[tokio::test]
async fn tokens_lapse_after_their_uses_and_when_the_test_says_so() {
    let bearer = Bearer {
        uses: Some(1),
        anonymous: Anonymous::PullPush,
        ..Bearer::default()
    };
    let registry = with_auth(Auth::Bearer(bearer));
    let anonymous = || async {
        let response = ask(&registry, "repository:a:pull,push")
            .send()
            .await
            .unwrap();
        response.json::<Value>().await.unwrap()["token"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let token = anonymous().await;
    let post = || {
        client()
            .post(uploads(&registry, "a"))
            .bearer_auth(&token)
            .send()
    };
    assert_eq!(post().await.unwrap().status(), 202);
    let lapsed = post().await.unwrap();
    assert!(challenge(&lapsed).contains(r#"error="invalid_token""#));
    let token = anonymous().await;
    registry.expire_tokens();
    let post = client()
        .post(uploads(&registry, "a"))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(post.status(), 401);
}

#[tokio::test]
async fn the_token_endpoint_refuses_who_may_not() {
    let bearer = Bearer {
        user: Some(("me".to_owned(), "pw".to_owned())),
        refuse_unknown_repositories: true,
        ..Bearer::default()
    };
    let registry = with_auth(Auth::Bearer(bearer));
    let wrong = ask(&registry, "repository:a:pull")
        .basic_auth("me", Some("no"))
        .send()
        .await;
    assert_eq!(wrong.unwrap().status(), 401);
    assert_eq!(
        ask(&registry, "repository:a:pull")
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
    registry.put_blob("a", "x");
    assert_eq!(
        ask(&registry, "repository:a:pull")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let push = ask(&registry, "repository:b:pull,push")
        .basic_auth("me", Some("pw"))
        .send()
        .await;
    assert_eq!(push.unwrap().status(), 200);
}

#[tokio::test]
async fn basic_credentials_are_asked_for_each_request() {
    let registry = with_auth(Auth::basic("me", "pw"));
    let url = uploads(&registry, "a");
    let none = client().post(&url).send().await.unwrap();
    assert_eq!(none.status(), 401);
    assert_eq!(challenge(&none), r#"Basic realm="fake-registry""#);
    let wrong = client()
        .post(&url)
        .basic_auth("me", Some("no"))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 401);
    let right = client()
        .post(&url)
        .basic_auth("me", Some("pw"))
        .send()
        .await
        .unwrap();
    assert_eq!(right.status(), 202);
}

#[tokio::test]
async fn the_storage_host_wants_no_credentials_and_the_log_tells_who_sent_some() {
    let options = Options {
        auth: Auth::basic("me", "pw"),
        location: Location::StorageHost,
        redirect_blobs: true,
        ..Options::default()
    };
    let registry = FakeRegistry::start_with(options);
    let post = client()
        .post(uploads(&registry, "a"))
        .basic_auth("me", Some("pw"));
    let session = location(&post.send().await.unwrap());
    let digest = sha256_digest(b"x");
    let put = client()
        .put(with_digest(session, &digest))
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), 201);
    let get = client()
        .get(blob_url(&registry, "a", &digest))
        .basic_auth("me", Some("pw"));
    let redirect = get.send().await.unwrap();
    assert_eq!(redirect.status(), 307);
    let get = client().get(location(&redirect)).send().await.unwrap();
    assert_eq!(get.text().await.unwrap(), "x");
    let foreign = registry
        .log()
        .select(|entry| entry.host.starts_with("localhost:"));
    assert_eq!(foreign.len(), 2);
    assert!(foreign.iter().all(|entry| !entry.authorized));
    assert_eq!(registry.log().select(|entry| entry.authorized).len(), 2);
}

#[tokio::test]
async fn an_open_registry_asks_for_nothing() {
    let registry = FakeRegistry::start();
    assert_eq!(push(&client(), &registry, "a", b"x").await.status(), 201);
    assert_eq!(
        ask(&registry, "repository:a:pull")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}
