//! Follows redirects, and remembers where they led: the HTTP library's errors name the first address only.

use std::cell::RefCell;

use reqwest::redirect::Policy;
use url::Url;

/// Redirects of one request that are followed.
const MAX_HOPS: usize = 5;

tokio::task_local! {
    static LED_TO: RefCell<Option<Url>>;
}

/// Follows a few redirects and notes each for [`noting`].
pub(super) fn policy() -> Policy {
    Policy::custom(|attempt| {
        if attempt.previous().len() > MAX_HOPS {
            return attempt.error("too many redirects");
        }
        // Requests outside of `noting` have nobody to tell.
        let _ = LED_TO.try_with(|led_to| *led_to.borrow_mut() = Some(attempt.url().clone()));
        attempt.follow()
    })
}

/// Polls `sending`, one request, to its end. Gives its result and the address that the last redirect led to, if any.
pub(super) async fn noting<T>(sending: impl Future<Output = T>) -> (T, Option<Url>) {
    let both = async {
        let sent = sending.await;
        (sent, LED_TO.with(RefCell::take))
    };
    LED_TO.scope(RefCell::default(), both).await
}
