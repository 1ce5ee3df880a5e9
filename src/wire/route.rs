//! The paths of the HTTP API: the one place where they are matched and written.

use crate::event::ClientId;

/// A path of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::EnumIter))]
pub enum Route {
    /// One client: its stream, and publishing to it.
    Client,
    /// Publishing to the client that the header [`super::CLIENT_ID_HEADER`] names.
    Publish,
    /// Issues client IDs.
    Connect,
    /// Control requests to one client's publishers, and their stream.
    Control,
    /// Ends one client.
    Stop,
    /// Publishing to every client.
    Broadcast,
    /// The list of clients.
    Clients,
    /// Metrics for Prometheus.
    Metrics,
    /// Whether the server is up.
    Health,
    /// Whether the server can serve clients now.
    Ready,
    /// The web page that shows a client's messages.
    Viewer,
    /// A file of that page.
    ViewerFile,
}

/// Prefix of the API's paths.
pub const API: &str = "/api/v1/sse";

/// Placeholder of a client ID in a path.
const ID: &str = "{id}";
/// Placeholder of the page's build in a path.
const BUILD: &str = "{build}";
/// Placeholder of a file of the page in a path.
const FILE: &str = "{file}";

impl Route {
    /// Every route, the busiest first.
    pub const ALL: [Self; 12] = [
        Self::Client,
        Self::Publish,
        Self::Connect,
        Self::Control,
        Self::Stop,
        Self::Broadcast,
        Self::Clients,
        Self::Metrics,
        Self::Health,
        Self::Ready,
        Self::Viewer,
        Self::ViewerFile,
    ];

    /// Returns the path, with `{id}` in the place of a client ID, `{build}` and `{file}` in those of a file of the
    /// page.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Connect => "/api/v1/sse/connect",
            Self::Publish => "/api/v1/sse/debug",
            Self::Client => "/api/v1/sse/debug/{id}",
            Self::Control => "/api/v1/sse/debug/control/{id}",
            Self::Stop => "/api/v1/sse/debug/stop/{id}",
            Self::Broadcast => "/api/v1/sse/broadcast",
            Self::Clients => "/api/v1/sse/clients",
            Self::Metrics => "/metrics",
            Self::Health => "/healthz",
            Self::Ready => "/readyz",
            Self::Viewer => "/",
            Self::ViewerFile => "/viewer/{build}/{file}",
        }
    }

    /// Returns the path for one client.
    #[must_use]
    pub fn path_for(self, id: ClientId) -> String {
        self.path().replace(ID, &id.to_string())
    }

    /// Returns the path of a file of the page.
    #[must_use]
    pub fn path_for_file(build: &str, file: &str) -> String {
        let path = Self::ViewerFile.path();
        path.replace(BUILD, build).replace(FILE, file)
    }

    /// Returns the build and the name in the path of a file of the page.
    #[must_use]
    pub fn file_of(path: &str) -> Option<(&str, &str)> {
        let (stem, _) = Self::ViewerFile.path().split_once(BUILD)?;
        let (build, file) = path.strip_prefix(stem)?.split_once('/')?;
        let is_file = !build.is_empty() && !file.is_empty() && !file.contains('/');
        is_file.then_some((build, file))
    }

    /// Returns the methods that it takes, as the header `Allow` lists them.
    ///
    /// `HEAD` asks for the head of `GET`'s answer without what `GET` does (RFC 9110, 9.3.2), so it is
    /// not allowed if `GET` issues, opens or ends something.
    #[must_use]
    pub const fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Connect => &["GET"],
            Self::Client => &["GET", "POST", "PUT", "DELETE"],
            Self::Control | Self::Stop => &["GET", "POST"],
            Self::Publish | Self::Broadcast => &["POST", "PUT"],
            Self::Clients
            | Self::Metrics
            | Self::Health
            | Self::Ready
            | Self::Viewer
            | Self::ViewerFile => &["GET", "HEAD"],
        }
    }

    /// Returns the route of a path without its query, and the text in the place of the client ID, which
    /// is empty if the path names none.
    #[must_use]
    pub fn parse(path: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|route| {
            let id = match route.path().strip_suffix(ID) {
                Some(stem) => path
                    .strip_prefix(stem)
                    .filter(|id| !id.is_empty() && !id.contains('/'))?,
                None if route == Self::ViewerFile => Self::file_of(path).map(|_| "")?,
                None if path == route.path() => "",
                None => return None,
            };
            Some((route, id))
        })
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn the_list_has_every_route() {
        assert_eq!(Route::iter().count(), Route::ALL.len());
        assert!(Route::iter().all(|it| Route::ALL.contains(&it)));
    }

    #[test]
    fn a_route_is_parsed_as_it_was_written() {
        let id = ClientId::random();
        for route in Route::ALL {
            let path = route.path_for(id);
            let names_client = route.path().contains(ID);
            let expected = if names_client {
                id.to_string()
            } else {
                String::new()
            };
            assert_eq!(
                Route::parse(&path),
                Some((route, expected.as_str())),
                "{path}"
            );
            assert_eq!(Route::parse(&format!("{path}/")), None, "{path}");
        }
        let file = Route::path_for_file("0f3c", "main.js");
        assert_eq!(Route::parse(&file), Some((Route::ViewerFile, "")));
        assert_eq!(Route::file_of(&file), Some(("0f3c", "main.js")));
        for path in [
            "",
            "//",
            "/viewer",
            "/viewer/0f3c",
            "/viewer/0f3c/",
            "/viewer//main.js",
            "/viewer/0f3c/main.js/",
            "/api/v1/sse",
            "/api/v1/sse/debugger",
            "/api/v1/sse/debug/",
            "/\u{1b}[31m",
        ] {
            assert_eq!(Route::parse(path), None, "{path}");
        }
        // The word alone is in the place of an ID.
        assert_eq!(
            Route::parse("/api/v1/sse/debug/stop"),
            Some((Route::Client, "stop"))
        );
    }
}
