//! Which channels and streams are listened to, and what kind of message each brings. Does not read messages.

use crate::model::EventType;

/// A channel that is listened to. Its name is one of a fixed list, so it may be a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Channel(u8);

/// What a message on a channel looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The JSON of `POST /api/notify`.
    Notify,
    /// One product; the whole payload is the event's `data`.
    Product(EventType),
    /// Many products, in `productIds`; the whole payload is each event's `data`.
    Products(EventType),
}

use EventType::{InventoryUpdate, PriceUpdate, ProductUpdate};
use Shape::{Notify, Product, Products};

const CHANNELS: [(&str, Shape); 14] = [
    ("product-updates", Notify),
    ("inventory.stock_changed", Product(InventoryUpdate)),
    ("inventory.stock_updated", Product(InventoryUpdate)),
    ("pricing.price_changed", Product(PriceUpdate)),
    ("pricing.price_updated", Product(PriceUpdate)),
    ("product.updated", Product(ProductUpdate)),
    ("product.created", Product(ProductUpdate)),
    ("product.deleted", Product(ProductUpdate)),
    ("product.category_changed", Product(ProductUpdate)),
    ("product.image_added", Product(ProductUpdate)),
    ("product.image_updated", Product(ProductUpdate)),
    ("product.image_removed", Product(ProductUpdate)),
    ("category.created", Products(ProductUpdate)),
    ("category.updated", Products(ProductUpdate)),
];

impl Channel {
    /// Every channel, each at its own [`Channel::index`].
    pub fn all() -> impl Iterator<Item = Self> {
        (0_u8..).take(CHANNELS.len()).map(Self)
    }

    /// The name, without a prefix.
    pub fn name(self) -> &'static str {
        CHANNELS[self.index()].0
    }

    /// A number below the count of channels, for tables. It may change from one version to the next.
    pub fn index(self) -> usize {
        self.0.into()
    }

    /// Whether events are mirrored to this channel: what came from it is not sent there again.
    pub fn is_mirror(self) -> bool {
        self.shape() == Notify
    }

    pub(super) fn shape(self) -> Shape {
        CHANNELS[self.index()].1
    }
}

/// The names as Redis knows them: each with the deployment's prefix before it.
#[derive(Debug, Clone)]
pub struct ChannelNames {
    prefix: Box<str>,
}

impl ChannelNames {
    /// The input stream's name, without a prefix.
    pub const STREAM: &str = "product-events";

    /// Names that begin with `prefix` (`CHANNEL_PREFIX`, often empty).
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    /// What to subscribe to.
    pub fn subscriptions(&self) -> Vec<String> {
        Channel::all().map(|channel| self.full(channel.name())).collect()
    }

    /// The channel that Redis calls `full`; `None` if it is not one of ours.
    pub fn channel(&self, full: &str) -> Option<Channel> {
        let name = full.strip_prefix(&*self.prefix)?;
        Channel::all().find(|channel| channel.name() == name)
    }

    /// The input stream.
    pub fn stream(&self) -> String {
        self.full(Self::STREAM)
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}
