//! [`Wording`]: the events that tell a change, in the names that publishers and storefronts agreed on. Decides nothing.
//!
//! Prices and stocks are JSON numbers, as storefronts' types have them, with the digits they were kept with.

use serde::Serialize;
use serde_json::value::to_raw_value;

use super::snapshot::{Shown, SnapshotKey};
use crate::model::{Data, Decimal, Event, EventType, LogTime, ObservedAction, Sale};

/// About which product, and when it happened.
pub(super) struct Wording<'a> {
    pub(super) key: &'a SnapshotKey,
    pub(super) at: LogTime,
}

/// The fields of every kind of event; each kind uses some of them.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Words<'a> {
    product_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<&'a Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<&'a Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_price: Option<&'a Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_price: Option<&'a Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_stock: Option<&'a Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_stock: Option<&'a Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discount_percentage: Option<&'a Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<LogTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<LogTime>,
    timestamp: Option<LogTime>,
}

impl Wording<'_> {
    /// The product changed, and looks like this now.
    pub(super) fn product(&self, action: ObservedAction, name: Option<&str>, shown: &Shown) -> Event {
        let words = Words {
            name,
            price: shown.price.as_ref(),
            stock: shown.stock.quantity.as_ref(),
            action: Some(action.as_str()),
            ..self.words()
        };
        self.event(EventType::ProductUpdate, &words)
    }

    /// It is not there for shoppers any more, or a variation of it is not: then its page is still there.
    pub(super) fn gone(&self) -> Event {
        let action = if self.key.variation_id.is_some() { "updated" } else { "deleted" };
        self.event(EventType::ProductUpdate, &Words { action: Some(action), ..self.words() })
    }

    /// It costs something else.
    pub(super) fn price(&self, old: &Decimal, new: &Decimal, sale: Option<&Sale>) -> Event {
        let discount = sale.filter(|sale| sale.active).and_then(|sale| sale.discount.as_ref());
        let words = Words {
            old_price: Some(old),
            new_price: Some(new),
            discount_percentage: discount,
            ..self.words()
        };
        self.event(EventType::PriceUpdate, &words)
    }

    /// There is more or less of it.
    pub(super) fn stock(&self, previous: &Decimal, current: &Decimal, name: Option<&str>) -> Event {
        let words = Words {
            product_name: name,
            current_stock: Some(current),
            previous_stock: Some(previous),
            ..self.words()
        };
        self.event(EventType::InventoryUpdate, &words)
    }

    /// A sale is planned, begins, changes or ends.
    pub(super) fn sale(&self, sale: Option<&Sale>) -> Event {
        let words = Words {
            active: Some(sale.is_some_and(|sale| sale.active)),
            discount_percentage: sale.and_then(|sale| sale.discount.as_ref()),
            starts_at: sale.and_then(|sale| sale.starts_at),
            ends_at: sale.and_then(|sale| sale.ends_at),
            ..self.words()
        };
        self.event(EventType::SaleUpdate, &words)
    }

    fn words(&self) -> Words<'_> {
        Words {
            product_id: self.key.product_id.as_str(),
            variation_id: self.key.variation_id.as_ref().map(|id| id.as_str()),
            timestamp: Some(self.at),
            ..Words::default()
        }
    }

    fn event(&self, event_type: EventType, words: &Words<'_>) -> Event {
        let data = |words: &Words<'_>| to_raw_value(words).ok().and_then(|raw| Data::new(&raw).ok());
        // Only a name can be too long. That something changed is told, whatever becomes of the words.
        let nameless = || data(&Words { name: None, product_name: None, ..*words });
        Event {
            product_id: self.key.product_id.clone(),
            event_type,
            data: data(words).or_else(nameless).unwrap_or_default(),
            timestamp: self.at.into(),
        }
    }
}
