//! The pods' reports of their viewers on the board at Redis. Only translates between the two.

use async_trait::async_trait;

use crate::{
    fanout::{Bulletin, BulletinError, Notice, Report},
    redis::{Board, Posted},
};

#[derive(Debug)]
pub(super) struct RedisBulletin(pub(super) Board);

#[async_trait]
impl Bulletin for RedisBulletin {
    async fn exchange(&self, mine: &Report) -> Result<Vec<Notice>, BulletinError> {
        let posted = self.0.exchange(mine.to_json()).await.map_err(|error| BulletinError(error.into()))?;
        // What a later version may write in another way is as good as silence.
        let read = |p: Posted| Some(Notice { report: Report::parse(&p.text)?, pod: p.name, age: p.age });
        Ok(posted.into_iter().filter_map(read).collect())
    }
}
