//! HEAD, GET (also in parts) and DELETE of `/v2/<name>/blobs/<digest>`.

use axum::http::{Method, StatusCode};

use super::answer::{Answer, Builder, Refusal, error};
use super::exchange::Exchange;

impl Exchange<'_> {
    pub(super) async fn blob(&self) -> Result<Answer, Refusal> {
        let (repository, digest) = (&self.route.repository, &self.route.reference);
        let blob = self.registry.store.blob(repository, digest);
        let blob = blob.ok_or_else(|| self.unknown_blob())?;
        let options = &self.registry.options;
        let get = self.method == Method::GET;
        if options.redirect_blobs && get && !self.on_storage_host() {
            let base = self.registry.storage_base();
            let location = format!("{base}/v2/{repository}/blobs/{digest}");
            return Ok(Builder::new(StatusCode::TEMPORARY_REDIRECT)
                .header("location", location)
                .empty());
        }
        let range = match self
            .headers
            .get("range")
            .map(|range| range.to_str().unwrap_or(""))
        {
            Some(range) if get => Some(parse_range(range, blob.len()).ok_or_else(|| {
                let mut answer = error(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID", range);
                let whole = format!("bytes */{}", blob.len());
                let whole = whole.parse().expect("numbers are visible ASCII");
                answer.headers_mut().insert("content-range", whole);
                answer
            })?),
            _ => None,
        };
        let status = if range.is_some() {
            StatusCode::PARTIAL_CONTENT
        } else {
            StatusCode::OK
        };
        let (from, len) = range.unwrap_or((0, blob.len()));
        let mut answer = Builder::new(status)
            .header("content-type", "application/octet-stream")
            .header("docker-content-digest", digest)
            .header("etag", format!("\"{digest}\""))
            .header("accept-ranges", "bytes");
        if let Some(value) = &options.blob_cache_control {
            answer = answer.header("cache-control", value);
        }
        if range.is_some() {
            let last = (from + len).saturating_sub(1);
            answer = answer.header(
                "content-range",
                format!("bytes {from}-{last}/{}", blob.len()),
            );
        }
        if !get {
            return Ok(answer.head_of(blob.len()));
        }
        let body = blob
            .body(from, len)
            .await
            .map_err(|e| Refusal::from(error(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", e)))?;
        Ok(answer.header("content-length", len.to_string()).body(body))
    }

    pub(super) fn delete_blob(&self) -> Result<Answer, Refusal> {
        self.check_delete()?;
        let mut repositories = self.registry.store.repositories();
        let repository = repositories.get_mut(&self.route.repository);
        repository
            .and_then(|repository| repository.blobs.remove(&self.route.reference))
            .ok_or_else(|| self.unknown_blob())?;
        Ok(Builder::new(StatusCode::ACCEPTED).empty())
    }

    pub(super) fn check_delete(&self) -> Result<(), Refusal> {
        if self.registry.options.delete {
            return Ok(());
        }
        let detail = "deletion is off";
        Err(error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", detail).into())
    }

    fn unknown_blob(&self) -> Refusal {
        error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", &self.route.reference).into()
    }
}

/// First byte and length of `bytes=a-b`, `bytes=a-` or `bytes=-n`.
fn parse_range(range: &str, len: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, end) = match (first, last) {
        ("", suffix) => (len.saturating_sub(suffix.parse().ok()?), len),
        (first, "") => (first.parse().ok()?, len),
        (first, last) => (
            first.parse().ok()?,
            len.min(last.parse::<u64>().ok()?.checked_add(1)?),
        ),
    };
    (first < end).then(|| (first, end - first))
}

#[cfg(test)]
mod tests {
    use super::parse_range;

    #[test]
    fn ranges_stay_inside_the_blob() {
        assert_eq!(parse_range("bytes=0-0", 10), Some((0, 1)));
        assert_eq!(parse_range("bytes=4-", 10), Some((4, 6)));
        assert_eq!(parse_range("bytes=-3", 10), Some((7, 3)));
        assert_eq!(parse_range("bytes=8-99", 10), Some((8, 2)));
        assert_eq!(parse_range("bytes=10-", 10), None);
        assert_eq!(parse_range("bytes=5-4", 10), None);
        assert_eq!(parse_range("items=0-1", 10), None);
    }
}
