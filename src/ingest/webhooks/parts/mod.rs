//! [`Parts`]: to which product a part belongs that its platform numbers on its own, such as an inventory item or a variation.
//!
//! Platforms tell of parts without naming the product. It is learned from whole products as they come by and never guessed:
//! a part that nobody has told of is unknown.

mod memory;
mod redis;

use std::fmt;

use async_trait::async_trait;

pub use self::{memory::MemoryParts, redis::RedisParts};
use crate::{eventlog::LogError, model::ProductId};

/// A part: its platform, and its number there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartId {
    platform: &'static str,
    number: ProductId,
}

impl PartId {
    /// The part with this number on this platform.
    pub fn new(platform: &'static str, number: ProductId) -> Self {
        Self { platform, number }
    }

    /// Where it has its number.
    pub fn platform(&self) -> &'static str {
        self.platform
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.platform, self.number)
    }
}

/// What is known of parts. It is kept where the log is, so that pods learn for each other.
///
/// Bounded: at least the [`KEPT_MIN`] parts that were learned or asked about last are known, and at most twice as many. What
/// is forgotten is learned anew when its product comes by.
#[async_trait]
pub trait Parts: fmt::Debug + Send + Sync + 'static {
    /// Learns. Doing it twice does no harm. May be dropped at any await.
    async fn learn(&self, known: &[(PartId, ProductId)]) -> Result<(), LogError>;

    /// The product of each of these parts, if it is known. Cancel safe.
    async fn find(&self, parts: &[PartId]) -> Result<Vec<Option<ProductId>>, LogError>;
}

/// Parts that are known at least: more variants than nearly every shop has. Each takes about 100 bytes.
const KEPT_MIN: usize = 250_000;
