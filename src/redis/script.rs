//! [`Script`]: a Lua script that runs at the server as one step.

use std::{
    fmt::{Display, Write as _},
    time::Duration,
};

use bytes::Bytes;
use fred::{
    clients::Client,
    error::{Error, ErrorKind},
    interfaces::ClientLike,
    types::{CustomCommand, Value},
    util::{redis_keyslot, sha1_hash},
};

use super::once;

/// A script, called by its hash; its text is sent only to a server that does not know it.
#[derive(Debug)]
pub struct Script {
    hash: String,
    text: &'static str,
}

/// A call of a script: the keys it touches, all in the slot of the first, and its arguments.
#[derive(Debug)]
pub struct Call {
    /// At least one.
    pub keys: Vec<String>,
    /// What the script calls `ARGV`.
    pub args: Args,
}

/// Arguments in one piece of memory: a request of 20 events has more than a hundred.
#[derive(Debug, Default)]
pub struct Args {
    text: String,
    /// Where each ends in `text`.
    ends: Vec<usize>,
}

impl Args {
    /// One more.
    pub fn push(&mut self, arg: impl Display) {
        // Fails only where a `Display` does.
        let _ = write!(self.text, "{arg}");
        self.ends.push(self.text.len());
    }

    /// One more, empty if there is nothing to say.
    pub fn push_any(&mut self, arg: Option<impl Display>) {
        match arg {
            Some(arg) => self.push(arg),
            None => self.push(""),
        }
    }

    /// All of these.
    pub fn append(&mut self, more: &Self) {
        let before = self.text.len();
        self.text.push_str(&more.text);
        self.ends.extend(more.ends.iter().map(|end| before + end));
    }

    /// Bytes in all of them.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }
}

impl<T: Display> Extend<T> for Args {
    fn extend<I: IntoIterator<Item = T>>(&mut self, args: I) {
        args.into_iter().for_each(|arg| self.push(arg));
    }
}

impl<T: Display> FromIterator<T> for Args {
    fn from_iter<I: IntoIterator<Item = T>>(args: I) -> Self {
        let mut all = Self::default();
        all.extend(args);
        all
    }
}

impl Script {
    /// The script of this text.
    pub fn new(text: &'static str) -> Self {
        Self { hash: sha1_hash(text), text }
    }

    /// Runs it and returns what it returns, as texts.
    pub async fn run(&self, client: &Client, timeout: Duration, call: &Call) -> Result<Vec<String>, Error> {
        let client = client.with_options(&once(timeout));
        let (by_hash, args) = self.by_hash(call);
        match client.custom(by_hash, args).await {
            // Said before anything was executed, so sending the text is no second try.
            Err(error) if is_unknown(&error) => {
                let (by_text, args) = self.by_text(call);
                client.custom(by_text, args).await
            }
            returned => returned,
        }
    }

    /// Runs it and then, on the same connection, `confirm`. Returns what both return.
    pub async fn run_then(
        &self,
        client: &Client,
        timeout: Duration,
        call: &Call,
        confirm: (&'static str, &[&str]),
    ) -> Result<(Vec<String>, Value), Error> {
        let mut ran = both(client, timeout, self.by_hash(call), call, confirm).await?;
        if ran.0.as_ref().is_err_and(is_unknown) {
            ran = both(client, timeout, self.by_text(call), call, confirm).await?;
        }
        Ok((ran.0?.convert()?, ran.1?))
    }

    fn by_hash(&self, call: &Call) -> (CustomCommand, Vec<Bytes>) {
        (command("EVALSHA", call), call.arguments(&self.hash))
    }

    fn by_text(&self, call: &Call) -> (CustomCommand, Vec<Bytes>) {
        (command("EVAL", call), call.arguments(self.text))
    }
}

impl Call {
    /// What the command is followed by: slices of one piece of memory.
    fn arguments(&self, script: &str) -> Vec<Bytes> {
        let mut all = Args::default();
        all.push(script);
        all.push(self.keys.len());
        all.extend(&self.keys);
        all.append(&self.args);
        let text = Bytes::from(all.text);
        let begins = std::iter::once(0).chain(all.ends.iter().copied());
        begins.zip(&all.ends).map(|(begin, end)| text.slice(begin..*end)).collect()
    }
}

fn command(name: &'static str, call: &Call) -> CustomCommand {
    let slot = call.keys.first().map(|key| redis_keyslot(key.as_bytes()));
    CustomCommand::new_static(name, slot, false)
}

/// Both are written at once, so that they meet the same server.
async fn both(
    client: &Client,
    timeout: Duration,
    run: (CustomCommand, Vec<Bytes>),
    call: &Call,
    confirm: (&'static str, &[&str]),
) -> Result<(Result<Value, Error>, Result<Value, Error>), Error> {
    let pipeline = client.pipeline().with_options(&once(timeout));
    let () = pipeline.custom(run.0, run.1).await?;
    let confirm_args: Vec<_> = confirm.1.iter().map(|arg| (*arg).to_owned()).collect();
    let () = pipeline.custom(command(confirm.0, call), confirm_args).await?;
    let mut answers = pipeline.try_all::<Value>().await.into_iter();
    match (answers.next(), answers.next()) {
        (Some(ran), Some(confirmed)) => Ok((ran, confirmed)),
        _ => Err(Error::new(ErrorKind::Protocol, "fewer answers than commands")),
    }
}

fn is_unknown(error: &Error) -> bool {
    error.details().starts_with("NOSCRIPT")
}
