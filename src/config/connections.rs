//! How many TCP connections there may be, from how many clients there may be and how many files may be open.

use crate::fanout::HubConfig;

/// Limits on TCP connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionsConfig {
    /// In all: one for each client, and some for requests that come and go.
    pub tcp_max: usize,
    /// Of one address: more than its clients need, so that it is they who are refused, in words, and not their
    /// connections. `None`: not counted.
    pub tcp_per_address_max: Option<usize>,
}

/// Connections kept for health, metrics and publishers when every client's place is taken: a tenth, and at least some.
fn reserve(sessions_max: usize) -> usize {
    (sessions_max / 10).max(256)
}

/// Files the process has open besides: logs, Redis, the runtime.
const OTHER_FILES: usize = 64;

impl ConnectionsConfig {
    /// For that many clients.
    pub fn new(sessions_max: usize, per_address_max: Option<usize>) -> Self {
        Self {
            tcp_max: sessions_max + reserve(sessions_max),
            tcp_per_address_max: per_address_max.map(|max| max.saturating_mul(2)),
        }
    }

    /// Takes fewer clients if fewer than the needed `files` may be open; false if that was so.
    pub fn fit_into(&mut self, files: u64, hub: &mut HubConfig) -> bool {
        let room = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES);
        if self.tcp_max <= room {
            return true;
        }
        self.tcp_max = room.max(1);
        hub.sessions_max = room.saturating_sub(reserve(room)).max(1);
        false
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Values};

    fn fitted(max: &str, files: u64) -> (bool, usize, usize) {
        let max = max.to_owned();
        let env = move |name: &str| (name == "MAX_CONNECTIONS").then(|| max.clone());
        let mut config = Config::read(&Values { flags: Default::default(), env: Box::new(env) }).unwrap();
        let fits = config.connections.fit_into(files, &mut config.hub);
        (fits, config.hub.sessions_max, config.connections.tcp_max)
    }

    #[test]
    fn requests_find_a_connection_when_every_client_has_one() {
        assert_eq!(fitted("50000", 1_048_576), (true, 50_000, 55_000));
        assert_eq!(fitted("10", 1_048_576), (true, 10, 266));
    }

    #[test]
    fn no_more_clients_are_taken_than_files_may_be_open() {
        assert_eq!(fitted("50000", 20_000), (false, 17_943, 19_936));
        assert_eq!(fitted("50000", 1_024), (false, 704, 960));
        assert_eq!(fitted("50000", 10), (false, 1, 1));
    }
}
