//! Which files rattler asked for and got.

use std::sync::{Mutex, PoisonError};

use axum::http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

/// File names answered with success, in the order of the answers.
#[derive(Default)]
pub(super) struct Record {
    served: Mutex<Vec<String>>,
}

impl Record {
    pub(super) fn clear(&self) {
        self.served
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub(super) fn served(&self) -> Vec<String> {
        self.served
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait::async_trait]
impl Middleware for Record {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let asked = request.method() == reqwest::Method::GET;
        let file = request
            .url()
            .path_segments()
            .and_then(|mut s| s.next_back())
            .map(str::to_owned);
        let response = next.run(request, extensions).await?;
        if let (true, true, Some(file)) = (asked, response.status().is_success(), file) {
            self.served
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(file);
        }
        Ok(response)
    }
}
