//! [`RedisParts`]: what is known of parts, at the Redis that keeps the log.

use std::{fmt::Display, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{KEPT_MIN, PartId, Parts};
use crate::{
    eventlog::LogError,
    model::ProductId,
    redis::{Args, Call, Keys, Link, Script, without_args},
};

/// Parts at a Redis server.
#[derive(Debug)]
pub struct RedisParts {
    link: Arc<Link>,
    script: Script,
    keys: Vec<String>,
    kept_min: usize,
}

impl RedisParts {
    /// How long a question may take: a platform that sends again waits 5 s for its answer, and the append takes up to 2 s.
    const TIMEOUT: Duration = Duration::from_secs(1);

    /// At the server of this connection.
    pub fn new(link: Arc<Link>, keys: &Keys) -> Self {
        Self::keeping(KEPT_MIN, link, keys)
    }

    /// At least that many, at most twice as many.
    pub fn keeping(kept_min: usize, link: Arc<Link>, keys: &Keys) -> Self {
        let script = Script::new(include_str!("parts.lua"));
        Self { link, script, keys: keys.parts().into(), kept_min }
    }

    async fn ask(
        &self,
        verb: &str,
        about: impl Iterator<Item = impl Display>,
    ) -> Result<Vec<String>, LogError> {
        let mut args = Args::default();
        args.push(verb);
        args.push(self.kept_min);
        args.extend(about);
        let call = Call { keys: self.keys.clone(), args };
        let client = self.link.up().ok_or(LogError)?;
        self.script.run(client, Self::TIMEOUT, &call).await.map_err(|error| {
            tracing::debug!(
                error = without_args(error.details()),
                "what is known of parts could not be asked"
            );
            LogError
        })
    }
}

#[async_trait]
impl Parts for RedisParts {
    async fn learn(&self, known: &[(PartId, ProductId)]) -> Result<(), LogError> {
        let pairs = known.iter().flat_map(|(part, product_id)| [part.to_string(), product_id.to_string()]);
        self.ask("learn", pairs).await.map(drop)
    }

    async fn find(&self, parts: &[PartId]) -> Result<Vec<Option<ProductId>>, LogError> {
        let found = self.ask("find", parts.iter()).await?;
        Ok(found.iter().map(|id| ProductId::new(id).ok()).collect())
    }
}
