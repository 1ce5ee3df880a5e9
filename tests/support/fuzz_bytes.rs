//! Inputs of the fuzz targets, as they are sent and as they are shown.

/// Returns the request with an ID that the server knows.
pub(crate) fn with_id(request: &[u8], id: &str) -> Vec<u8> {
    const PLACE: &[u8] = b"{id}";
    let mut rest = request;
    let mut whole = Vec::new();
    while let Some(at) = rest.windows(PLACE.len()).position(|it| it == PLACE) {
        whole.extend_from_slice(&rest[..at]);
        whole.extend_from_slice(id.as_bytes());
        rest = &rest[at + PLACE.len()..];
    }
    whole.extend_from_slice(rest);
    whole
}

/// Returns bytes as a failing test shows them.
pub(crate) fn shown(input: &[u8]) -> String {
    input.escape_ascii().to_string()
}
