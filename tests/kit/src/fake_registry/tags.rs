//! GET of `/v2/<name>/tags/list`, in pages by `n` and `last` with a `Link` to
//! the next.

use axum::http::StatusCode;
use serde_json::json;
use url::form_urlencoded::Serializer;

use super::answer::{Answer, Builder, Refusal, error};
use super::exchange::Exchange;

impl Exchange<'_> {
    pub(super) fn tags(&self) -> Result<Answer, Refusal> {
        let name = &self.route.repository;
        let repositories = self.registry.store.repositories();
        let repository = repositories
            .get(name)
            .filter(|repository| repository.published);
        let repository = repository
            .ok_or_else(|| Refusal::from(error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", name)))?;
        let largest = self.registry.options.tags_page.unwrap_or(usize::MAX);
        let page = match self.route.query("n") {
            None => largest,
            Some(n) => match n.parse::<usize>() {
                Ok(n) => n.min(largest),
                Err(_) => {
                    return Err(
                        error(StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", n).into(),
                    );
                }
            },
        };
        let last = self.route.query("last").unwrap_or_default();
        let later: Vec<&String> = repository
            .tags
            .keys()
            .filter(|tag| last.is_empty() || tag.as_str() > last)
            .collect();
        let tags = &later[..later.len().min(page)];
        let mut answer = Builder::new(StatusCode::OK).header("content-type", "application/json");
        if let (true, Some(last)) = (tags.len() < later.len(), tags.last()) {
            let query = Serializer::new(String::new())
                .append_pair("last", last)
                .append_pair("n", &page.to_string())
                .finish();
            let link = format!("</v2/{name}/tags/list?{query}>; rel=\"next\"");
            answer = answer.header("link", link);
        }
        Ok(answer.body(json!({"name": name, "tags": tags}).to_string()))
    }
}
