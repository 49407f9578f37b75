use serde_json::{Value, json};

use super::super::{FakeRegistry, Options};
use super::{client, code, manifest_of};

#[tokio::test]
async fn tags_come_in_pages_with_a_link_to_the_next() {
    let registry = FakeRegistry::start_with(Options {
        tags_page: Some(2),
        ..Options::default()
    });
    let unknown = client()
        .get(format!("{}/v2/a/tags/list", registry.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(code(unknown).await, (404, "NAME_UNKNOWN".to_owned()));
    for tag in ["b", "a", "e", "d", "c"] {
        registry.put_manifest("a", tag, &manifest_of(b"l"));
    }
    for (query, pages) in [
        ("", vec![vec!["a", "b"], vec!["c", "d"], vec!["e"]]),
        ("?n=1&last=c", vec![vec!["d"], vec!["e"]]),
    ] {
        let mut url = format!("{}/v2/a/tags/list{query}", registry.url());
        for (i, page) in pages.iter().enumerate() {
            let response = client().get(&url).send().await.unwrap();
            let link = response
                .headers()
                .get("link")
                .map(|l| l.to_str().unwrap().to_owned());
            let body: Value = response.json().await.unwrap();
            assert_eq!(body, json!({"name": "a", "tags": page}));
            match link {
                Some(link) => {
                    let path = link
                        .strip_prefix('<')
                        .unwrap()
                        .strip_suffix(">; rel=\"next\"")
                        .unwrap();
                    url = format!("{}{path}", registry.url());
                }
                None => assert_eq!(i, pages.len() - 1),
            }
        }
    }
}
