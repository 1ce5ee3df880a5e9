//! The address of a store and its credentials, which are never printed.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use redis::{ProtocolVersion, RedisConnectionInfo};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::tls::StoreTls;
use crate::token::Token;

/// The default port of Redis.
const PORT: u16 = 6379;

/// A store's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreAddress {
    place: Place,
    encryption: Encryption,
    user: Option<String>,
    database: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Encryption {
    /// Without TLS.
    None,
    /// With TLS; see [`StoreAddress::with_tls`].
    Asked,
    Tls(StoreTls),
}

/// Why a text is not the address of a store.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BadStoreAddress {
    /// Neither of the two forms.
    #[error(
        "a store is given as redis://[USER@]HOST[:PORT][/DATABASE], rediss://… for TLS, or redis+unix:///PATH, as in redis://127.0.0.1:6379"
    )]
    Form,
    /// The password is in the address.
    #[error(
        "the address has a password, which process lists show; give it with --store-password-file or CODECHAT_STORE_PASSWORD"
    )]
    Password,
    /// A kind of deployment or connection that is not supported.
    #[error("{0} is not supported; give the address of the primary, as in redis://HOST:6379")]
    Scheme(&'static str),
}

/// The schemes of other clients.
const FOREIGN_SCHEMES: [&str; 4] = [
    "redis+sentinel://",
    "redis+cluster://",
    "valkey+sentinel://",
    "valkey+cluster://",
];

impl FromStr for StoreAddress {
    type Err = BadStoreAddress;

    fn from_str(text: &str) -> Result<Self, BadStoreAddress> {
        if let Some(scheme) = FOREIGN_SCHEMES.iter().find(|it| text.starts_with(**it)) {
            return Err(BadStoreAddress::Scheme(scheme));
        }
        if let Some(path) = text.strip_prefix("redis+unix://") {
            return match path {
                path if path.starts_with('/') => Ok(Self {
                    place: Place::Unix(path.into()),
                    encryption: Encryption::None,
                    user: None,
                    database: 0,
                }),
                _ => Err(BadStoreAddress::Form),
            };
        }
        let (scheme, rest) = text.split_once("://").ok_or(BadStoreAddress::Form)?;
        let encryption = match scheme {
            "redis" | "valkey" => Encryption::None,
            "rediss" | "valkeys" => Encryption::Asked,
            _ => return Err(BadStoreAddress::Form),
        };
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => return Err(BadStoreAddress::Password),
            Some((user, rest)) => (Some(decode(user)?), rest),
            None => (None, rest),
        };
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = match database {
            "" => 0,
            number => number.parse().map_err(|_| BadStoreAddress::Form)?,
        };
        let (host, port) = match place.rsplit_once(':') {
            // An IPv6 address is in brackets.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
            _ => (place, Some(PORT)),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match (host, port) {
            ("", _) | (_, None) => Err(BadStoreAddress::Form),
            (host, Some(port)) => Ok(Self {
                place: Place::Tcp {
                    host: host.into(),
                    port,
                },
                encryption,
                user,
                database,
            }),
        }
    }
}

fn decode(text: &str) -> Result<String, BadStoreAddress> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| BadStoreAddress::Form)
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted() {
            "rediss"
        } else {
            "redis"
        };
        match &self.place {
            Place::Unix(path) => write!(f, "redis+unix://{}", path.display()),
            Place::Tcp { host, port } if host.contains(':') => {
                write!(f, "{scheme}://[{host}]:{port}")
            }
            Place::Tcp { host, port } => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

/// A connection to a store, before its first command.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

impl StoreAddress {
    /// Returns whether the connection leaves this machine.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        match &self.place {
            Place::Unix(_) => false,
            Place::Tcp { host, .. } => match host.parse::<std::net::IpAddr>() {
                Ok(address) => !address.is_loopback(),
                Err(_) => host != "localhost",
            },
        }
    }

    /// Returns whether the address requires TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encryption != Encryption::None
    }

    /// Returns the same address, with the TLS settings.
    #[must_use]
    pub fn with_tls(self, tls: StoreTls) -> Self {
        Self {
            encryption: Encryption::Tls(tls),
            ..self
        }
    }

    /// Opens a connection.
    pub(super) async fn dial(&self) -> io::Result<Box<dyn Socket>> {
        match &self.place {
            Place::Tcp { host, port } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await?;
                socket.set_nodelay(true)?;
                match &self.encryption {
                    Encryption::None => Ok(Box::new(socket)),
                    // Never unencrypted.
                    Encryption::Asked => Err(io::Error::other("TLS is not set up")),
                    Encryption::Tls(tls) => Ok(Box::new(tls.encrypt(host, socket).await?)),
                }
            }
            Place::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }

    /// Returns the settings of the handshake on a new connection.
    pub(super) fn introduction(&self, password: Option<&Token>) -> RedisConnectionInfo {
        let info = RedisConnectionInfo::default()
            .set_db(self.database)
            .set_protocol(ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        let info = match &self.user {
            Some(user) => info.set_username(user),
            None => info,
        };
        match password {
            Some(password) => info.set_password(password.reveal()),
            None => info,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379"),
            ("redis://h:6390/2", "redis://h:6390"),
            ("valkey://h", "redis://h:6379"),
            ("redis://team@h:1", "redis://h:1"),
            ("redis://[::1]", "redis://[::1]:6379"),
            ("redis://[::1]:7", "redis://[::1]:7"),
            (
                "redis+unix:///run/redis.sock",
                "redis+unix:///run/redis.sock",
            ),
            ("rediss://team@h/2", "rediss://h:6379"),
            ("valkeys://[::1]:7", "rediss://[::1]:7"),
        ] {
            let address: StoreAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), written, "{text}");
        }
    }

    #[test]
    fn malformed_addresses_are_refused_with_a_hint() {
        for text in [
            "",
            "redis://",
            "127.0.0.1:6379",
            "http://h",
            "redis://h:x",
            "redis://h/a",
            "redis+unix://run",
        ] {
            assert_eq!(
                text.parse::<StoreAddress>(),
                Err(BadStoreAddress::Form),
                "{text}"
            );
        }
        let with_password = "redis://team:secret@h".parse::<StoreAddress>();
        assert_eq!(with_password, Err(BadStoreAddress::Password));
        assert!(!with_password.unwrap_err().to_string().contains("secret"));
        for scheme in FOREIGN_SCHEMES {
            let address = format!("{scheme}h").parse::<StoreAddress>();
            assert_eq!(address, Err(BadStoreAddress::Scheme(scheme)));
        }
    }

    #[test]
    fn an_address_of_another_machine_is_remote() {
        for (text, is_remote) in [
            ("redis://localhost", false),
            ("redis://127.0.0.1", false),
            ("redis://[::1]", false),
            ("redis+unix:///s", false),
            ("redis://10.0.0.1", true),
            ("redis://h", true),
        ] {
            let address: StoreAddress = text.parse().unwrap();
            assert_eq!(address.is_remote(), is_remote, "{text}");
        }
    }
}
