//! The handlers: a file for each route.

pub(super) mod clients;
pub(super) mod connect;
pub(super) mod control;
pub(super) mod publish;
pub(super) mod stop;
pub(super) mod subscribe;
