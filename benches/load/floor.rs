//! The floor: the least that any server pays for a publish on a kept connection. An epoll loop reads a request, in as
//! many parts as it arrives, and writes an answer. It looks for nothing but the request's end, and keeps nothing.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use memchr::memmem;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, EventData, EventFlags},
};

use crate::process::{Machine, Server};

/// An answer as long as codechat's.
const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 98\r\n\
    date: Sat, 28 Nov 2026 12:00:00 GMT\r\n\r\n\
    {\"id\":\"1-1795867200000\",\"accepted\":1,\"subscribers\":0,\"level\":null,\"cancel\":false,\"operation\":null}";
const CONNECTED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 51\r\n\r\n\
    {\"clientId\":\"3f2b8c1e-5d47-4a9b-8e60-1c2d3e4f5a6b\"}";
/// The event of the listening socket.
const LISTENER: u64 = u64::MAX;

/// A connection, and what was read of its current request.
struct Connection {
    socket: TcpStream,
    request: Vec<u8>,
}

/// Starts it in a process of its own.
pub(crate) fn start(machine: &Machine) -> anyhow::Result<Server> {
    let mut command = machine.command(&std::env::current_exe()?);
    command.arg("--floor");
    Server::listening(command)
}

/// Serves until it is killed.
pub(crate) fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    eprintln!("listening on http://{};", listener.local_addr()?);
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        &listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut connections = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            if event.data.u64() == LISTENER {
                let socket = listener.accept()?.0;
                socket.set_nonblocking(true)?;
                socket.set_nodelay(true)?;
                let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
                let data = EventData::new_u64(connections.len() as u64);
                epoll::add(&epoll, &socket, data, flags)?;
                let request = Vec::new();
                connections.push(Some(Connection { socket, request }));
                continue;
            }
            let connection = &mut connections[usize::try_from(event.data.u64())?];
            if let Some(open) = connection
                && !open.answer(&mut buffer)?
            {
                *connection = None;
            }
        }
    }
}

impl Connection {
    /// Reads once, and answers the request if it is complete. Returns false if the connection has ended.
    fn answer(&mut self, buffer: &mut [u8]) -> anyhow::Result<bool> {
        let read = match self.socket.read(buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(_) => 0,
        };
        self.request.extend_from_slice(&buffer[..read]);
        if let Some(head) = memmem::find(&self.request, b"\r\n\r\n")
            && self.request.len() >= head + 4 + body_length(&self.request[..head])
        {
            let is_publish = self.request.starts_with(b"POST");
            let answer = if is_publish { ACCEPTED } else { CONNECTED };
            self.socket.write_all(answer)?;
            self.request.clear();
        }
        Ok(read > 0)
    }
}

/// Returns the length of the body; the name of its header is written in large or in small letters.
fn body_length(head: &[u8]) -> usize {
    const END_OF_NAME: &[u8] = b"ength: ";
    let at = memmem::find(head, END_OF_NAME).map_or(head.len(), |at| at + END_OF_NAME.len());
    let digits = head[at..].iter().take_while(|it| it.is_ascii_digit());
    digits.fold(0, |number, digit| 10 * number + usize::from(digit - b'0'))
}
