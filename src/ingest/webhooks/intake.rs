//! [`Intake`]: what a platform's delivery says, in the words of the log. Appends nothing.

use serde::Serialize;
use serde_json::value::to_raw_value;

use super::PartId;
use crate::{
    eventlog::{NewEvent, RequestClaim},
    model::{Data, Event, EventType, LogTime, ObservedProduct, ProductId, Timestamp},
};

/// Products that one delivery may name. Beyond that it is a change of everything.
pub(super) const PRODUCTS_MAX: usize = 10_000;

/// A verified delivery, read.
#[derive(Debug, Default)]
pub struct Intake {
    /// Names the delivery, so that the same one, delivered again, is not appended again.
    pub claim: Option<RequestClaim>,
    /// Events as they are: ends of products, hints that stock changed, a backend's own events.
    pub events: Vec<NewEvent>,
    /// Whole products. What changed about them is for whoever remembers what they were.
    pub observed: Vec<ObservedProduct>,
    /// Which parts belong to which products.
    pub learned: Vec<(PartId, ProductId)>,
    /// Changes of parts, whose products the delivery does not name.
    pub parts: Vec<PartHint>,
    /// Changes that name their product in a way that cannot be a product id.
    pub unnamed: u64,
    /// Something that somebody has to know, in words for the log.
    pub notice: Option<&'static str>,
}

/// A change of a product of which no more is told than that it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Whose.
    pub product_id: ProductId,
    /// Which variation of it, where that is known.
    pub variation_id: Option<ProductId>,
    /// What kind of change.
    pub what: What,
    /// When.
    pub at: LogTime,
}

/// A change of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHint {
    /// Which.
    pub part: PartId,
    /// The name under which the product's page knows it.
    pub variation_id: Option<ProductId>,
    /// What happened to it, as its product sees it.
    pub what: What,
    /// What is known without the product: it may be one itself. `None`: nothing that could be told to anybody.
    pub otherwise: Option<Hint>,
    /// When.
    pub at: LogTime,
}

/// What kind of change a hint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Its stock, or whether it can be bought.
    Stock,
    /// Anything else about it.
    Updated,
    /// It is gone.
    Deleted,
    /// A sale of it begins or ends.
    Sale {
        /// Begins.
        active: bool,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    product_id: &'a ProductId,
    #[serde(skip_serializing_if = "Option::is_none")]
    variation_id: Option<&'a ProductId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<bool>,
    timestamp: LogTime,
}

impl Intake {
    /// Nothing for shoppers, but something that somebody has to know.
    pub fn notice(words: &'static str) -> Self {
        Self { notice: Some(words), ..Self::default() }
    }

    /// Whether it says nothing that a shopper could see.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many changes it says.
    pub fn len(&self) -> usize {
        self.events.len() + self.observed.len() + self.parts.len()
    }

    /// Adds what is known only as a hint.
    pub fn hint(&mut self, hint: &Hint) {
        self.events.extend(hint.event().map(|event| NewEvent { event, claim: None }));
    }
}

impl Hint {
    /// The event. `None` is impossible: ids and times are short.
    pub fn event(&self) -> Option<Event> {
        let (event_type, action, active) = match self.what {
            What::Stock => (EventType::InventoryUpdate, None, None),
            What::Updated => (EventType::ProductUpdate, Some("updated"), None),
            What::Deleted => (EventType::ProductUpdate, Some("deleted"), None),
            What::Sale { active } => (EventType::SaleUpdate, None, Some(active)),
        };
        let told = Told {
            product_id: &self.product_id,
            variation_id: self.variation_id.as_ref(),
            action,
            active,
            timestamp: self.at,
        };
        Some(Event {
            product_id: self.product_id.clone(),
            event_type,
            data: Data::new(&to_raw_value(&told).ok()?).ok()?,
            timestamp: Timestamp::from(self.at),
        })
    }
}

impl PartHint {
    /// The hint, now that the product is known or known to be unknown.
    pub fn of(&self, product_id: Option<ProductId>) -> Option<Hint> {
        match product_id {
            Some(product_id) => Some(Hint {
                product_id,
                variation_id: self.variation_id.clone(),
                what: self.what,
                at: self.at,
            }),
            None => self.otherwise.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_says_whose_change_of_what_kind_and_nothing_else() {
        let id = |text| ProductId::new(text).unwrap();
        let hint = |what| Hint {
            product_id: id("794"),
            variation_id: None,
            what,
            at: LogTime::parse("2026-01-02T03:04:05Z").unwrap(),
        };
        let told = |hint: Hint| {
            let event = hint.event().unwrap();
            format!("{} {}", event.event_type.as_str(), event.data.as_str())
        };
        let time = r#""timestamp":"2026-01-02T03:04:05.000000Z"}"#;
        for (what, text) in [
            (What::Stock, r#"inventory_update {"productId":"794","#),
            (What::Updated, r#"product_update {"productId":"794","action":"updated","#),
            (What::Deleted, r#"product_update {"productId":"794","action":"deleted","#),
            (What::Sale { active: true }, r#"sale_update {"productId":"794","active":true,"#),
        ] {
            assert_eq!(told(hint(what)), format!("{text}{time}"));
        }
        let variation = Hint { variation_id: Some(id("801")), ..hint(What::Stock) };
        assert_eq!(
            told(variation),
            format!(r#"inventory_update {{"productId":"794","variationId":"801",{time}"#)
        );
    }
}
