//! [`Intake`]: what a platform's delivery says, in the words of the log. Appends nothing.

use serde::Serialize;
use serde_json::value::to_raw_value;

use super::PartId;
use crate::{
    eventlog::{NewEvent, RequestClaim, snapshots::Sighting},
    model::{Data, Event, EventType, LogTime, ProductId, Timestamp},
};

/// Products that one delivery may name. Beyond that it is a change of everything.
pub(super) const PRODUCTS_MAX: usize = 10_000;

/// A verified delivery, read.
#[derive(Debug, Clone, Default)]
pub struct Intake {
    /// Names the delivery, so that the same one, delivered again, is not appended again.
    pub claim: Option<RequestClaim>,
    /// Events as they are: hints that stock changed, a backend's own events.
    pub events: Vec<NewEvent>,
    /// Whole products, and the ends of products. What changed about them is found out by the log, which remembers what they
    /// were.
    pub sightings: Vec<Sighting>,
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
    /// It is gone, be it for a while.
    Gone,
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
        self.events.len() + self.sightings.len() + self.parts.len()
    }

    /// Adds what is known only as a hint.
    pub fn hint(&mut self, hint: Hint) {
        match hint.what {
            What::Stock => self.tell(&hint, EventType::InventoryUpdate, None, None),
            What::Updated => self.tell(&hint, EventType::ProductUpdate, Some("updated"), None),
            What::Sale { active } => self.tell(&hint, EventType::SaleUpdate, None, Some(active)),
            What::Gone => {
                let Hint { product_id, variation_id, at, .. } = hint;
                self.sightings.push(Sighting::Gone { product_id, variation_id, at });
            }
        }
    }

    fn tell(
        &mut self,
        hint: &Hint,
        event_type: EventType,
        action: Option<&'static str>,
        active: Option<bool>,
    ) {
        self.events.push(NewEvent { event: hint.event(event_type, action, active), claim: None });
    }
}

impl Hint {
    /// The event that tells that the product's stock changed.
    pub fn stock_event(&self) -> Event {
        self.event(EventType::InventoryUpdate, None, None)
    }

    fn event(&self, event_type: EventType, action: Option<&'static str>, active: Option<bool>) -> Event {
        let told = Told {
            product_id: &self.product_id,
            variation_id: self.variation_id.as_ref(),
            action,
            active,
            timestamp: self.at,
        };
        Event {
            product_id: self.product_id.clone(),
            event_type,
            // Ids and times: nothing that could be too long or refuse to be written.
            data: to_raw_value(&told).ok().and_then(|raw| Data::new(&raw).ok()).unwrap_or_default(),
            timestamp: Timestamp::from(self.at),
        }
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
            let mut intake = Intake::default();
            intake.hint(hint);
            let event = &intake.events[0].event;
            format!("{} {}", event.event_type.as_str(), event.data.as_str())
        };
        let time = r#""timestamp":"2026-01-02T03:04:05.000000Z"}"#;
        for (what, text) in [
            (What::Stock, r#"inventory_update {"productId":"794","#),
            (What::Updated, r#"product_update {"productId":"794","action":"updated","#),
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
