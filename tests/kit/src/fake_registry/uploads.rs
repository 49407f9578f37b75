//! Upload sessions: POST, PATCH, PUT, GET and DELETE of
//! `/v2/<name>/blobs/uploads/…`. A session dies with its PUT, well or badly
//! ended, or with its DELETE. One whose PUT breaks off stays, with what came.
//! Every answer gives it a new `_state` that the next request must bring.

use axum::http::StatusCode;
use url::form_urlencoded;

use super::answer::{Answer, Builder, Refusal, error};
use super::body::RequestBody;
use super::exchange::Exchange;
use super::grammar::is_repository;
use super::options::{Location, Mount, SinglePost};
use super::store::{Incoming, Session, Store};

impl Exchange<'_> {
    /// POST without `?mount=`.
    pub(super) async fn begin_upload(&self, body: &mut RequestBody<'_>) -> Result<Answer, Refusal> {
        self.check_name_length()?;
        let Some(digest) = self.route.query("digest") else {
            body.drain().await?;
            return Ok(self.new_session());
        };
        if self.registry.options.single_post == SinglePost::Ignored {
            body.drain().await?;
            return Ok(self.new_session());
        }
        self.check_digest(digest)?;
        self.check_content_length()?;
        let mut incoming = self.registry.store.incoming();
        receive(body, &mut incoming).await?;
        self.commit(incoming, digest)
    }

    /// POST with `?mount=`.
    pub(super) fn mount(&self) -> Result<Answer, Refusal> {
        self.check_name_length()?;
        let digest = self.route.query("mount").unwrap_or_default();
        self.check_digest(digest)?;
        let store = &self.registry.store;
        let found = match (self.registry.options.mount, self.route.query("from")) {
            (Mount::Refused, _) => {
                let detail = "this registry does not mount";
                return Err(error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", detail).into());
            }
            (Mount::Never, _) | (Mount::WithSource, None) => None,
            (Mount::WithSource, Some(from)) if is_repository(from) => store.blob(from, digest),
            (Mount::WithSource, Some(_)) => None,
            (Mount::Anywhere, _) => {
                let repositories = store.repositories();
                repositories
                    .values()
                    .find_map(|r| r.blobs.get(digest).cloned())
            }
        };
        let Some(blob) = found else {
            return Ok(self.new_session());
        };
        if !self.faults.lose_blob() {
            store.put_blob(&self.route.repository, digest, blob);
        }
        Ok(self.blob_created(digest))
    }

    pub(super) async fn patch_upload(&self, body: &mut RequestBody<'_>) -> Result<Answer, Refusal> {
        self.check_content_length()?;
        let (mut session, mut incoming) = self.take_session()?;
        let offset = incoming.len();
        let largest = self.registry.options.largest_chunk.unwrap_or(u64::MAX);
        let range = self
            .headers
            .get("content-range")
            .map(|range| range.to_str().unwrap_or(""));
        let too_large = self.content_length.is_some_and(|length| length > largest);
        if too_large || !self.continues_at(offset, range) {
            let detail = format!("offset {offset}, largest chunk {largest}, range {range:?}");
            let mut answer = error(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID", detail);
            session.incoming = Some(incoming);
            let kept = self.keep(session, StatusCode::ACCEPTED);
            for name in ["location", "range"] {
                answer.headers_mut().extend(
                    kept.headers()
                        .get(name)
                        .map(|value| (axum::http::HeaderName::from_static(name), value.clone())),
                );
            }
            return Err(answer.into());
        }
        let received = receive(body, &mut incoming).await;
        session.incoming = Some(incoming);
        // What came before a broken connection stays, for GET to tell.
        let answer = self.keep(session, StatusCode::ACCEPTED);
        received.map(|()| answer)
    }

    /// Whether a `Content-Range` of `<start>-<end>` continues at `offset`.
    /// Docker's single streamed PATCH has none.
    fn continues_at(&self, offset: u64, range: Option<&str>) -> bool {
        let Some(range) = range else { return true };
        let Some((start, end)) = range.split_once('-') else {
            return false;
        };
        let (Ok(start), Ok(end)) = (start.parse::<u64>(), end.parse::<u64>()) else {
            return false;
        };
        let length = (end + 1).checked_sub(start);
        start == offset && length.is_some() && self.content_length.is_none_or(|l| Some(l) == length)
    }

    /// PUT: the rest of the bytes and the digest of all.
    pub(super) async fn finish_upload(
        &self,
        body: &mut RequestBody<'_>,
    ) -> Result<Answer, Refusal> {
        self.check_content_length()?;
        let (session, incoming) = self.take_session()?;
        let digest = self.route.query("digest").unwrap_or_default();
        self.check_digest(digest)?;
        let mut putting = Putting::begin(&self.registry.store, &self.route.reference, session);
        let incoming = putting.incoming.insert(incoming);
        receive(body, incoming).await?;
        match putting.end() {
            Some(incoming) => self.commit(incoming, digest),
            None => Err(self.unknown_upload()),
        }
    }

    /// GET: how far the session has come.
    pub(super) fn upload_status(&self) -> Result<Answer, Refusal> {
        let session = self.session(|session| session.incoming.is_some())?;
        Ok(self.keep(session, StatusCode::NO_CONTENT))
    }

    /// DELETE: also of a session whose PUT is under way, which then comes to nothing.
    pub(super) fn cancel_upload(&self) -> Result<Answer, Refusal> {
        let session = self.session(|_| true)?;
        self.check_state(&session)?;
        Ok(Builder::new(StatusCode::NO_CONTENT).empty())
    }

    fn new_session(&self) -> Answer {
        let session = Session {
            repository: self.route.repository.clone(),
            state: String::new(),
            incoming: Some(self.registry.store.incoming()),
        };
        self.keep_as(
            &self.registry.unique("upload"),
            session,
            StatusCode::ACCEPTED,
        )
    }

    fn keep(&self, session: Session, status: StatusCode) -> Answer {
        self.keep_as(&self.route.reference, session, status)
    }

    /// Stores a session under a new state and tells where to go on.
    fn keep_as(&self, id: &str, mut session: Session, status: StatusCode) -> Answer {
        // Characters that a client must not lose or escape twice.
        session.state = format!("{}+/=&é", self.registry.unique("state"));
        let state = form_urlencoded::byte_serialize(session.state.as_bytes()).collect::<String>();
        let base = match self.registry.options.location {
            Location::Absolute => self.base.clone(),
            Location::Relative => String::new(),
            Location::StorageHost => self.registry.storage_base(),
        };
        let path = format!(
            "/v2/{}/blobs/uploads/{id}?_state={state}",
            session.repository
        );
        let received = session.incoming.as_ref().map_or(0, Incoming::len);
        let last = received.saturating_sub(1);
        self.registry
            .store
            .sessions()
            .insert(id.to_owned(), session);
        Builder::new(status)
            .header("location", format!("{base}{path}"))
            .header("range", format!("0-{last}"))
            .header("docker-upload-uuid", id)
            .empty()
    }

    /// The session that the path and `_state` name, and its bytes, which the caller now owns.
    fn take_session(&self) -> Result<(Session, Incoming), Refusal> {
        let mut session = self.session(|session| session.incoming.is_some())?;
        self.check_state(&session)?;
        let incoming = session.incoming.take();
        let incoming = incoming.ok_or_else(|| self.unknown_upload())?;
        Ok((session, incoming))
    }

    /// The session that the path names, if it is `fit`; the caller now owns it.
    fn session(&self, fit: impl Fn(&Session) -> bool) -> Result<Session, Refusal> {
        let mut sessions = self.registry.store.sessions();
        let here = |session: &Session| session.repository == self.route.repository;
        let is_fit = |session: &&Session| here(session) && fit(session);
        if sessions.get(&self.route.reference).filter(is_fit).is_none() {
            return Err(self.unknown_upload());
        }
        let session = sessions.remove(&self.route.reference);
        session.ok_or_else(|| self.unknown_upload())
    }

    fn check_state(&self, session: &Session) -> Result<(), Refusal> {
        if self.route.query("_state") != Some(&session.state) {
            // Like distribution, which cancels an upload resumed at a wrong
            // state.
            let detail = "_state is not the one of the last answer";
            return Err(error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_INVALID", detail).into());
        }
        Ok(())
    }

    pub(super) fn unknown_upload(&self) -> Refusal {
        let detail = format!("no upload session {}", self.route.reference);
        error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", detail).into()
    }

    fn commit(&self, incoming: Incoming, digest: &str) -> Result<Answer, Refusal> {
        let (computed, blob) = incoming.finish();
        if computed != digest {
            let detail = format!("{} bytes hash to {computed}, not to {digest}", blob.len());
            return Err(error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", detail).into());
        }
        if !self.faults.lose_blob() {
            self.registry
                .store
                .put_blob(&self.route.repository, digest, blob);
        }
        if self.faults.commit_but_unknown() {
            return Err(self.unknown_upload());
        }
        Ok(self.blob_created(digest))
    }

    fn blob_created(&self, digest: &str) -> Answer {
        let path = format!("/v2/{}/blobs/{digest}", self.route.repository);
        Builder::new(StatusCode::CREATED)
            .header("location", self.here(&path))
            .header("docker-content-digest", digest)
            .empty()
    }

    fn check_content_length(&self) -> Result<(), Refusal> {
        if self.registry.options.require_content_length && self.content_length.is_none() {
            let detail = "Content-Length is missing";
            return Err(error(StatusCode::LENGTH_REQUIRED, "SIZE_INVALID", detail).into());
        }
        Ok(())
    }
}

/// A PUT under way. Its session can be cancelled meanwhile; dropped before its end, it leaves the session what came.
struct Putting<'a> {
    store: &'a Store,
    id: &'a str,
    incoming: Option<Incoming>,
}

impl<'a> Putting<'a> {
    fn begin(store: &'a Store, id: &'a str, session: Session) -> Self {
        store.sessions().insert(id.to_owned(), session);
        let incoming = None;
        Self {
            store,
            id,
            incoming,
        }
    }

    /// Ends the session. What came, unless it was cancelled.
    fn end(mut self) -> Option<Incoming> {
        let incoming = self.incoming.take();
        let session = self.store.sessions().remove(self.id);
        incoming.filter(|_| session.is_some())
    }
}

impl Drop for Putting<'_> {
    fn drop(&mut self) {
        if let Some(incoming) = self.incoming.take()
            && let Some(session) = self.store.sessions().get_mut(self.id)
        {
            session.incoming = Some(incoming);
        }
    }
}

async fn receive(body: &mut RequestBody<'_>, incoming: &mut Incoming) -> Result<(), Refusal> {
    while let Some(part) = body.next().await? {
        incoming.write(&part).map_err(|error_| {
            let detail = format!("the spill folder took no more: {error_}");
            Refusal::from(error(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", detail))
        })?;
    }
    Ok(())
}
