//! [`Owed`]: products whose change was refused for good, because the log took nothing and their platform never sends again.
//! Pure: when it is told is the business of [`parking`](super::parking).

use std::collections::{HashMap, HashSet};

use super::{Hint, Intake, PartHint, PartId, What, intake::PRODUCTS_MAX};
use crate::model::{LogTime, ProductId};

/// What has to be told as soon as the log takes something again.
#[derive(Debug)]
pub(super) enum Owed {
    /// That these changed.
    Changes(Changes),
    /// There are too many to remember, so: that anything may have changed.
    Everything,
}

/// Names of what changed. How is not remembered: who is told refetches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changes {
    products: HashSet<ProductId>,
    /// Parts whose product is not known yet, with the product that they are otherwise.
    parts: HashMap<PartId, Option<ProductId>>,
}

impl Changes {
    /// Everything that a delivery says changed.
    pub(super) fn of(intake: &Intake) -> Self {
        let ready = intake.events.iter().map(|new| &new.event.product_id);
        let seen = intake.sightings.iter().map(|sighting| sighting.key().product_id);
        let otherwise = |hint: &PartHint| hint.otherwise.as_ref().map(|own| own.product_id.clone());
        Self {
            products: ready.cloned().chain(seen).collect(),
            parts: intake.parts.iter().map(|hint| (hint.part.clone(), otherwise(hint))).collect(),
        }
    }

    /// The same as a delivery: `product_update` for each.
    pub(super) fn intake(&self, at: LogTime) -> Intake {
        let hint = |product_id| Hint { product_id, variation_id: None, what: What::Updated, at };
        let mut intake = Intake::default();
        self.products.iter().cloned().for_each(|product_id| intake.hint(hint(product_id)));
        let part = |(part, own): (&PartId, &Option<ProductId>)| PartHint {
            part: part.clone(),
            variation_id: None,
            what: What::Updated,
            otherwise: own.clone().map(hint),
            at,
        };
        intake.parts = self.parts.iter().map(part).collect();
        intake
    }

    fn len(&self) -> usize {
        self.products.len() + self.parts.len()
    }
}

impl Default for Owed {
    fn default() -> Self {
        Self::Changes(Changes::default())
    }
}

impl Owed {
    /// Remembers; beyond [`PRODUCTS_MAX`] it is everything.
    pub(super) fn add(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::Changes(owed), Self::Changes(more)) => {
                owed.products.extend(more.products);
                owed.parts.extend(more.parts);
                if owed.len() > PRODUCTS_MAX {
                    *self = Self::Everything;
                }
            }
            (_, Self::Everything) => *self = Self::Everything,
            (Self::Everything, _) => {}
        }
    }

    /// How many; everything counts as one more than can be remembered.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Changes(changes) => changes.len(),
            Self::Everything => PRODUCTS_MAX + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> ProductId {
        ProductId::new(&number.to_string()).unwrap()
    }

    fn changes(numbers: impl IntoIterator<Item = usize>) -> Owed {
        Owed::Changes(Changes { products: numbers.into_iter().map(id).collect(), ..Changes::default() })
    }

    #[test]
    fn a_product_is_owed_once_and_too_many_are_everything() {
        let mut owed = Owed::default();
        assert_eq!(owed.len(), 0);
        owed.add(changes(0..PRODUCTS_MAX));
        owed.add(changes(0..PRODUCTS_MAX));
        assert!(matches!(&owed, Owed::Changes(_)) && owed.len() == PRODUCTS_MAX);
        owed.add(changes([PRODUCTS_MAX]));
        assert!(matches!(owed, Owed::Everything));
        owed.add(changes([1]));
        assert!(matches!(owed, Owed::Everything));
        let mut few = changes([1]);
        few.add(Owed::Everything);
        assert!(matches!(few, Owed::Everything), "what could not be told and comes back");
    }

    #[test]
    fn what_a_delivery_says_of_its_parts_is_owed_too() {
        let at = LogTime::from_micros(0);
        let own = Hint { product_id: id(7), variation_id: None, what: What::Gone, at };
        let part = |number, otherwise| PartHint {
            part: PartId::new("woocommerce", id(number)),
            variation_id: Some(id(number)),
            what: What::Stock,
            otherwise,
            at,
        };
        let mut intake = Intake { parts: vec![part(7, Some(own)), part(8, None)], ..Intake::default() };
        intake.hint(Hint { product_id: id(1), variation_id: None, what: What::Stock, at });
        let changes = Changes::of(&intake);
        let again = changes.intake(at);
        assert_eq!(Changes::of(&again), changes);
        assert_eq!(again.events[0].event.event_type.as_str(), "product_update");
        assert!(again.claim.is_none() && again.parts.len() == 2);
    }
}
