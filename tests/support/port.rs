//! Ports that tests choose before anybody listens on them.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of the loopback address that is kept for one test: the system gives it to nobody who asks for
/// any port, and who connects to it is refused until the test has somebody listen on it.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    _kept: Socket,
}

impl Port {
    pub(crate) fn keep() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Bound but not listening, it lets another socket bind to the same port that allows so too, as
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
