//! The inputs at Redis: Pub/Sub channels and a stream.
//!
//! Which channels there are ([`ChannelNames`]) and what their messages say ([`parse`](parse())), what this process heard
//! and the log may still lack ([`Heard`]), who appends it ([`Listener`]), the input stream ([`StreamReader`]), and what is
//! kept of messages that say nothing ([`DeadLetters`]).
//!
//! Every gateway hears every message; the one that holds the lease appends it, the others keep it until they see it in
//! the log. Nothing here knows who looks at which product.

mod dead;
mod heard;
mod lease;
mod letters;
mod listener;
mod names;
mod parse;
mod stream;

pub use dead::{Source, dead_letter};
pub use heard::{Continuity, Heard, HeardBounds, HeardMessage, Hearing, Mark, Take, Taken};
pub use letters::{DeadLetterWriter, DeadLetters};
pub use listener::Listener;
pub use names::{Channel, ChannelNames};
pub use parse::{Parsed, Unreadable, entry_claim, event_field, parse, parse_entry};
pub use stream::StreamReader;

#[cfg(test)]
mod tests;
