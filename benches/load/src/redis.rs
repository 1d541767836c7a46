//! [`Redis`]: a `redis-server` of this run, on the generator's core, and a bare loop of appends.
//!
//! The gateway is compared with the loop. It runs the gateway's own script with the gateway's own arguments, from the servers' core.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{LoadError, machine, servers::free_port};

/// What the gateway runs for an append of events that were not observed.
const APPEND: &str = concat!(
    include_str!("../../../src/eventlog/redis/epoch.lua"),
    "local what_changed, keep_seen, told_from\n",
    include_str!("../../../src/eventlog/redis/append.lua")
);

/// Appends under way at once, as many as the gateway has with 64 publishers.
const UNDER_WAY: usize = 64;

/// A server that persists nothing. It ends when it is dropped.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    /// Starts it and waits until it listens.
    pub fn start() -> Result<Self, LoadError> {
        const READY_WITHIN: Duration = Duration::from_secs(5);
        let port = free_port()?;
        let child = machine::on_core(machine::generator_core(), Path::new("redis-server"))
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| LoadError::NotStarted("redis-server", error.to_string()))?;
        let redis = Self { child, port };
        let deadline = Instant::now() + READY_WITHIN;
        while redis.connect().is_err() {
            if Instant::now() > deadline {
                return Err(LoadError::TooLate("redis-server to listen"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// For the gateway.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
    }

    /// How many events a second a loop appends that does nothing else.
    pub fn append_for(&self, time: Duration) -> Result<f64, LoadError> {
        machine::stay_on_core(machine::SERVER_CORE);
        let appended = self.connect().and_then(|stream| append(stream, time));
        machine::stay_on_core(machine::generator_core());
        Ok(appended?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn append(mut stream: TcpStream, time: Duration) -> io::Result<f64> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&command(&["SCRIPT", "LOAD", APPEND]))?;
    let mut buffer = [0; 64 * 1024];
    let length = stream.read(&mut buffer)?;
    let loaded = String::from_utf8_lossy(&buffer[..length]).into_owned();
    let hash = loaded.split("\r\n").nth(1).unwrap_or_default();
    let half = command(&arguments(hash)).repeat(UNDER_WAY / 2);
    let (start, mut answered, mut sent) = (Instant::now(), 0, 0);
    while start.elapsed() < time {
        // Half of them are under way while the other half is sent: Redis never waits.
        while sent - answered <= UNDER_WAY / 2 {
            stream.write_all(&half)?;
            sent += UNDER_WAY / 2;
        }
        let length = stream.read(&mut buffer)?;
        let answer = &buffer[..length];
        if length == 0 || answer.contains(&b'-') {
            return Err(io::Error::other(String::from_utf8_lossy(answer).into_owned()));
        }
        // An answer is one array, and nothing in it holds this sign.
        answered += answer.iter().filter(|byte| **byte == b'*').count();
    }
    Ok(answered as f64 / start.elapsed().as_secs_f64())
}

/// Of a request of one event alone, as the gateway gives them; see append.lua.
fn arguments(hash: &str) -> Vec<&str> {
    const DATA: &str =
        r#"{"productId":"product-17","oldPrice":19.9,"newPrice":14.9,"discountPercentage":25,"number":1234}"#;
    const ORIGIN: &str = "key:1 shelfcast-7d9f8c5b6d-x2x4z 7c73398316a307da -";
    let keys = [
        "{shelfcast}:log",
        "{shelfcast}:meta",
        "{shelfcast}:lease",
        "{shelfcast}:lease-meta",
        "{shelfcast}:streaks",
    ];
    let options =
        ["refwrite", "", "", "1000000", "86400000", "product-cache-invalidation", "product-updates", "", "1"];
    let request = ["", ORIGIN, "1"];
    let event = ["price_update", "product-17", DATA, "2026-01-01T00:00:00Z", ""];
    [&["EVALSHA", hash, "5"][..], &keys, &options, &request, &event].concat()
}

fn command(words: &[&str]) -> Vec<u8> {
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), words.collect::<String>()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_counts_its_words_and_their_bytes() {
        assert_eq!(command(&["GET", "a"]), b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    }
}
