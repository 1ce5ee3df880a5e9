//! What handlers read from a request: its client, its token, its query, and its body.

pub(super) mod body;
pub(super) mod client_id;
pub(super) mod content;
pub(super) mod query;
pub(super) mod token;
