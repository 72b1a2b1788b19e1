//! Why an upgrade was refused: the same question without the upgrade, at `/rtc/validate`.
//!
//! Asked only where the refusal does not explain itself: an answer without text, the page of a proxy, or one that is not
//! in LiveKit's words. What is not in LiveKit's words here, either, explains nothing. With the same parameters and the same token, or it would answer another question.

use std::rc::Rc;

use super::dial::{self, Dial};
use crate::io::runtime::reactor::Reactor;
use crate::limits::REFUSAL_BODY_BYTES_MAX;
use crate::signal::refusal::Refusal;
use crate::signal::url::validate_target;

/// `refusal`, explained where that can be had.
pub(super) async fn explain(refusal: Refusal, dial: &Dial, reactor: &Rc<Reactor>) -> Refusal {
    if !refusal.is_unexplained() {
        return refusal;
    }
    let target = validate_target(&dial.target);
    match dial::get(dial, &target, REFUSAL_BODY_BYTES_MAX, reactor).await {
        Some(answer) => refusal.explained_by(answer.status, &answer.body),
        None => refusal,
    }
}
