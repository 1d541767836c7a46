//! [`Intake`]: what a platform's delivery says, in the words of the log. Appends nothing.

use crate::{
    eventlog::{NewEvent, RequestClaim},
    model::ObservedProduct,
};

/// A verified delivery, read.
#[derive(Debug, Default)]
pub struct Intake {
    /// Names the delivery, so that the same one, delivered again, is not appended again.
    pub claim: Option<RequestClaim>,
    /// Events as they are: ends of products, hints that stock changed, a backend's own events.
    pub events: Vec<NewEvent>,
    /// Whole products. What changed about them is for whoever remembers what they were.
    pub observed: Vec<ObservedProduct>,
}

impl Intake {
    /// Whether it says nothing that a shopper could see.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.observed.is_empty()
    }
}
