//! [`Board`]: where each pod puts up a text that the others read until it falls silent. Does not know what it says.

use std::{sync::Arc, time::Duration};

use fred::error::Error;
use rand::distr::{Alphanumeric, SampleString};

use super::{Call, Keys, Link, Script};

/// The place of one pod at the board.
#[derive(Debug)]
pub struct Board {
    link: Arc<Link>,
    script: Script,
    keys: Vec<String>,
    name: String,
    silent_after: Duration,
}

/// What another pod put up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The pod's name, new with each process.
    pub name: String,
    /// How long ago, by the server's clock.
    pub age: Duration,
    /// What.
    pub text: String,
}

impl Board {
    /// How long an exchange may take.
    const TIMEOUT: Duration = Duration::from_secs(1);
    /// Letters in a name: two pods never choose the same.
    const NAME_LEN: usize = 12;

    /// A place under a name of its own. What a pod put up goes when it was silent for `silent_after`.
    pub fn new(link: Arc<Link>, keys: &Keys, silent_after: Duration) -> Self {
        let name = Alphanumeric.sample_string(&mut rand::rng(), Self::NAME_LEN);
        let keys = vec![keys.audience_pods(), keys.audience(&name)];
        Self { link, script: Script::new(include_str!("board.lua")), keys, name, silent_after }
    }

    /// Puts up `text` in place of this pod's last one, and returns what the others have put up. Doing it twice does
    /// no harm.
    pub async fn exchange(&self, text: String) -> Result<Vec<Posted>, Error> {
        let silent_after_ms = self.silent_after.as_millis().to_string();
        let args = [&self.name, &text, &silent_after_ms].into_iter().collect();
        let call = Call { keys: self.keys.clone(), args };
        let answer = self.script.run(self.link.client()?, Self::TIMEOUT, &call).await?;
        let (posted, _) = answer.as_chunks::<3>();
        let read = |[name, age_ms, text]: &[String; 3]| {
            let age = Duration::from_millis(age_ms.parse().ok()?);
            Some(Posted { name: name.clone(), age, text: text.clone() })
        };
        Ok(posted.iter().filter_map(read).collect())
    }
}
