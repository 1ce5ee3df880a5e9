//! Parsing a request's query.

use std::str::FromStr;

use axum::extract::Query;

use crate::message::Invalid;
use crate::server::problem::{Problem, ProblemKind};

/// The query parameters, in order.
pub(in crate::server) type Parameters = Query<Vec<(String, String)>>;

/// Returns the first parameter with this name.
pub(in crate::server) fn parameter<'a>(
    parameters: &'a [(String, String)],
    name: &str,
) -> Option<&'a str> {
    parameters
        .iter()
        .find(|(it, _)| it == name)
        .map(|(_, value)| value.as_str())
}

/// Parses the query parameter with this name, if there is one.
pub(in crate::server) fn optional<T: FromStr<Err = Invalid>>(
    parameters: &[(String, String)],
    name: &str,
) -> Result<Option<T>, Problem> {
    let value = parameter(parameters, name).map(str::parse).transpose();
    value.map_err(|error: Invalid| ProblemKind::QueryMalformed(error.to_string()).into())
}
