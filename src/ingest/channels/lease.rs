//! [`Lease`]: one pod at a time appends what every pod hears. Knows who holds it, not what for.
//!
//! It is fenced: an append names the token of its holding, and the log refuses it once another pod has the lease, so a
//! holder that was paused does no harm.

use std::{sync::Arc, time::Duration};

use fred::error::{Error, ErrorKind};

use crate::{
    eventlog::LeaseToken,
    model::{LogTime, Position},
    redis::{Args, Call, Keys, Link, Script},
};

/// The lease, as one pod sees it.
#[derive(Debug)]
pub(super) struct Lease {
    link: Arc<Link>,
    script: Script,
    keys: Vec<String>,
}

/// What a pod wants of the lease.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wish {
    /// Only to know.
    Look,
    /// To have it, if nobody has.
    Take(LeaseToken),
    /// To keep it, and to say what is accounted for.
    Hold(LeaseToken, Option<LogTime>),
    /// To let another pod have it, and to say what is accounted for.
    Give(LeaseToken, Option<LogTime>),
}

/// How the lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// This pod holds it.
    pub(super) held: bool,
    /// Everything published before it is in the log, or was refused. `None`: there never was a holder.
    pub(super) covered_until: Option<LogTime>,
    /// The server's time, later than all it told before.
    pub(super) now: LogTime,
    /// Nobody holds it.
    pub(super) free: bool,
    /// The newest position in the log, if there is a log.
    pub(super) head: Option<Position>,
}

impl Lease {
    /// How long it lasts without being held: a dead holder's successor begins after that.
    const TTL: Duration = Duration::from_secs(3);
    /// How long a question may take.
    const TIMEOUT: Duration = Duration::from_secs(1);

    pub(super) fn new(link: Arc<Link>, keys: &Keys) -> Self {
        let script = Script::new(include_str!("lease.lua"));
        Self { link, script, keys: vec![keys.lease(), keys.lease_meta(), keys.meta()] }
    }

    pub(super) async fn ask(&self, wish: Wish) -> Result<View, Error> {
        let (name, mine, covered_until) = match wish {
            Wish::Look => ("look", None, None),
            Wish::Take(mine) => ("take", Some(mine), None),
            Wish::Hold(mine, covered_until) => ("hold", Some(mine), covered_until),
            Wish::Give(mine, covered_until) => ("give", Some(mine), covered_until),
        };
        let mut args = Args::default();
        args.push(name);
        args.push_any(mine.map(|token| token.0));
        args.push(Self::TTL.as_millis());
        args.push_any(covered_until.map(LogTime::micros));
        let call = Call { keys: self.keys.clone(), args };
        let answer = self.script.run(self.link.client()?, Self::TIMEOUT, &call).await?;
        View::read(&answer)
            .ok_or_else(|| Error::new(ErrorKind::Protocol, "the lease's answer cannot be read"))
    }
}

impl View {
    fn read(answer: &[String]) -> Option<Self> {
        let [held, covered_until, now, free, head] = answer else { return None };
        let time = |text: &str| text.parse().ok().map(LogTime::from_micros);
        Some(Self {
            held: !held.is_empty(),
            covered_until: time(covered_until),
            now: time(now)?,
            free: !free.is_empty(),
            head: head.parse().ok(),
        })
    }
}
