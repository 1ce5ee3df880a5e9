//! The parts of a request that handlers read: its client, its token, its query, and its body.

pub(super) mod body;
pub(super) mod client_id;
pub(super) mod content;
pub(super) mod query;
pub(super) mod token;
