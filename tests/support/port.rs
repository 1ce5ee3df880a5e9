//! Ports that tests choose before they listen on them.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of the loopback address that is reserved for one test: the system assigns it to no socket that asks for any
/// port, and connections to it are refused until the test listens on it.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    _kept: Socket,
}

impl Port {
    pub(crate) fn keep() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // While it is bound but not listening, another socket can bind to the same port with the same option, as
        // servers do.
        socket.set_reuse_address(true).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self {
            address,
            _kept: socket,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
