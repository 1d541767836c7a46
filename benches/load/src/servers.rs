//! [`Server`]: a server that is measured, as a child process on one core and a free port. It ends when it is dropped.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{LoadError, dice::Dice, machine, wire::event::API_KEY, wire::http::Head};

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The gateway.
    Shelfcast,
    /// The cheapest correct server imaginable (`crate::reference`).
    Reference,
    /// Plain Socket.IO on Node (`node/server.js`).
    Node,
}

impl Kind {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 3] = [Self::Shelfcast, Self::Reference, Self::Node];

    /// As it is named on the command line and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shelfcast => "shelfcast",
            Self::Reference => "reference",
            Self::Node => "node",
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The gateway's binary.
    pub shelfcast: PathBuf,
    /// This one, which is the reference writer, too.
    pub own: PathBuf,
}

/// What Node runs.
pub fn node_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/node"))
}

/// A server that answers.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub fn start(kind: Kind, programs: &Programs, redis: Option<&str>) -> Result<Self, LoadError> {
        const READY_WITHIN: Duration = Duration::from_secs(15);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let child = command(kind, programs, address.port(), redis)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| LoadError::NotStarted(kind.name(), error.to_string()))?;
        let mut server = Self { child, address };
        let deadline = Instant::now() + READY_WITHIN;
        while !server.is_ready().unwrap_or_default() {
            if let Some(status) = server.child.try_wait()? {
                return Err(LoadError::NotStarted(kind.name(), status.to_string()));
            }
            if Instant::now() > deadline {
                return Err(LoadError::TooLate("a server to be ready"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn is_ready(&self) -> io::Result<bool> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = [0; 1_024];
        let length = stream.read(&mut answer)?;
        Ok(Head::read(&answer[..length]).is_some_and(|head| head.status() == 200))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn command(kind: Kind, programs: &Programs, port: u16, redis: Option<&str>) -> Command {
    let port = port.to_string();
    match kind {
        Kind::Shelfcast => {
            let mut command = machine::on_core(machine::SERVER_CORE, &programs.shelfcast);
            // Nothing of the machine's own settings.
            command.env_clear().envs([
                ("HOST", "127.0.0.1"),
                ("INTERNAL_API_KEY", API_KEY),
                ("LOG_LEVEL", "warn"),
            ]);
            command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("PORT", port);
            command.envs(redis.map(|url| ("REDIS_URL", url)));
            command
        }
        Kind::Reference => {
            let mut command = machine::on_core(machine::SERVER_CORE, &programs.own);
            command.args(["reference", "--port", &port]);
            command
        }
        Kind::Node => {
            let mut command = machine::on_core(machine::SERVER_CORE, Path::new("node"));
            command.arg(node_folder().join("server.js")).arg(port).env("NODE_ENV", "production");
            command
        }
    }
}

/// A free port below the range that outgoing connections take theirs from, so that no client connects to itself on it.
pub fn free_port() -> io::Result<u16> {
    const FIRST: u16 = 20_000;
    const COUNT: f64 = 12_000.0;
    const TRIES: usize = 100;
    let mut dice = Dice::new(u64::from(std::process::id()));
    let mut ports = std::iter::repeat_with(|| FIRST + (dice.share() * COUNT) as u16).take(TRIES);
    let free = ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.ok_or_else(|| io::ErrorKind::AddrInUse.into())
}
