//! What handlers take out of a request: the client it is about, its token, its query, and its body with what
//! the head says about it.

pub(super) mod body;
pub(super) mod client_id;
pub(super) mod content;
pub(super) mod query;
pub(super) mod token;
