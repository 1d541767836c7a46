//! A real `redis-server`, started by the test on a free port and ended with it. Keeps nothing but what a test asks for.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use shelfcast::{
    eventlog::redis::{RedisLogConfig, RedisStore, SharedLog},
    redis::{Keys, RedisConfig},
    tasks::Tasks,
    telemetry::Metrics,
};

/// A running server.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    tls_port: Option<u16>,
    folder: PathBuf,
    /// What comes before all other arguments.
    kind: Vec<String>,
    args: Vec<String>,
    child: Option<Child>,
}

impl RedisServer {
    /// A server that persists nothing.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server with these options besides.
    pub fn with(args: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("shelfcast-redis-{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut server =
            Self { port: free_port(), tls_port: None, folder, kind: Vec::new(), args, child: None };
        server.restart();
        server
    }

    /// A server that speaks TLS with this certificate, to those who know the password.
    pub fn with_tls(certificate: &Path, key: &Path, password: &str) -> Self {
        let mut server = Self::start();
        let port = free_port();
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let tls =
            ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &certificate];
        server.args.extend(tls.map(str::to_owned));
        server.args.extend(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"].map(str::to_owned));
        server.args.extend(
            ["--user", "default", "on", &format!(">{password}"), "~*", "&*", "+@all"].map(str::to_owned),
        );
        server.tls_port = Some(port);
        server.restart();
        server
    }

    /// A sentinel that alone watches the server on this port, under the name `main`.
    pub fn sentinel(primary_port: u16) -> Self {
        let mut server = Self::start();
        let config = server.folder.join("sentinel.conf");
        let lines = format!(
            "sentinel monitor main 127.0.0.1 {primary_port} 1\nsentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 3000\n"
        );
        fs::write(&config, lines).unwrap();
        server.kind = vec![config.display().to_string(), "--sentinel".to_owned()];
        server.restart();
        server
    }

    /// Starts it again, on the same port and folder.
    pub fn restart(&mut self) {
        self.kill();
        let child = Command::new("redis-server")
            .args(&self.kind)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"])
            .arg(&self.folder)
            .args(if self.kind.is_empty() { &["--save", ""][..] } else { &[] })
            .args(&self.args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed (make setup)");
        self.child = Some(child);
        for _ in 0..250 {
            if self
                .try_command(&["PING"])
                .is_ok_and(|answer| answer.starts_with("+PONG") || answer.starts_with("-NOAUTH"))
            {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("redis-server did not start on port {}", self.port);
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends a signal, such as `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends one command and returns the answer as it comes.
    pub fn command(&self, words: &[&str]) -> String {
        self.try_command(words).unwrap()
    }

    /// Listens to these channels.
    pub fn subscribe(&self, channels: &[&str]) -> Subscription {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut subscription = Subscription(BufReader::new(stream));
        for channel in channels {
            subscription.0.get_mut().write_all(&encode(&["SUBSCRIBE", channel])).unwrap();
            assert_eq!(subscription.read_array().unwrap()[0], "subscribe");
        }
        subscription
    }

    fn try_command(&self, words: &[&str]) -> std::io::Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(&encode(words))?;
        let mut answer = vec![0; 64 * 1024];
        let length = stream.read(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    }

    /// A log here, as one pod holds it.
    pub async fn log(&self, config: RedisLogConfig) -> Arc<SharedLog<RedisStore>> {
        Arc::new(SharedLog::new(self.store(config).await, Arc::new(Metrics::new().unwrap())))
    }

    /// What one pod asks of it.
    pub async fn store(&self, config: RedisLogConfig) -> RedisStore {
        let redis = RedisConfig::new(&self.url(), Keys::new("shelfcast", "")).unwrap();
        let store = RedisStore::new(&redis, config, &Tasks::new()).unwrap();
        store.check().await.unwrap().unwrap();
        store
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A connection that listens to channels.
#[derive(Debug)]
pub struct Subscription(BufReader<TcpStream>);

impl Subscription {
    /// The next message: its channel and its payload.
    pub fn next(&mut self) -> (String, String) {
        let [_, channel, payload] = self.read_array().expect("a message comes").try_into().unwrap();
        (channel, payload)
    }

    /// No message comes for two seconds.
    pub fn is_quiet(&mut self) -> bool {
        self.read_array().is_err()
    }

    /// An array of strings; a number in it is a string here, too.
    fn read_array(&mut self) -> std::io::Result<Vec<String>> {
        let count: usize = self.read_line()?[1..].parse().unwrap();
        (0..count)
            .map(|_| {
                let head = self.read_line()?;
                match head.strip_prefix('$') {
                    Some(length) => {
                        let mut text = vec![0; length.parse::<usize>().unwrap() + 2];
                        self.0.read_exact(&mut text)?;
                        Ok(String::from_utf8_lossy(&text).trim_end_matches("\r\n").to_owned())
                    }
                    None => Ok(head),
                }
            })
            .collect()
    }

    fn read_line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

fn encode(words: &[&str]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    request.into_bytes()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
