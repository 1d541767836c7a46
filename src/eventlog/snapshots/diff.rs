//! [`diff`]: what changed between what was seen last and what is seen now, as the events that tell it. Pure.

use super::{
    snapshot::{Look, Shown, Snapshot, SnapshotKey},
    streak::Last,
    wording::Wording,
};
use crate::model::{Event, LogTime, ObservedAction, ObservedProduct};

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Something newer was seen before: nothing is told, nothing is kept.
    Outdated,
    /// Nothing that a shopper can see. The snapshot may know a newer time of change: with it what comes late is
    /// recognised.
    None(Snapshot),
    /// What these events tell; at least one.
    Changed(Snapshot, Vec<Event>),
}

/// How far ahead of this clock a shop's time may be, in seconds. One that is further ahead is not believed: everything the
/// shop told once its clock was put right would count as outdated.
const AHEAD_SECS_MAX: i64 = 300;

/// Compares. `now`: wall time.
///
/// - Older by the shop's own time than what was seen last: [`Difference::Outdated`]. Times may be of whole seconds, so the
///   same time is not older.
/// - Where nobody knows what it looked like: a `product_update` with the new values, never nothing. The same where it looks as
///   it did, but something was said of it since.
/// - Of a hidden product nothing is told but its id.
pub fn diff(last: &Last, product: &ObservedProduct, now: LogTime) -> Difference {
    let Last { snapshot: last, stands } = last;
    let updated_at = product.updated_at.filter(|at| *at <= now.plus_secs(AHEAD_SECS_MAX));
    if updated_at.zip(last.updated_at).is_some_and(|(this, newest)| this < newest) {
        return Difference::Outdated;
    }
    let next = Snapshot { updated_at: updated_at.or(last.updated_at), look: Look::of(product, now) };
    let key = SnapshotKey::of(product);
    let wording = Wording { key: &key, at: updated_at.unwrap_or(now) };
    // A variation that is new or back is a change of the product whose page shows it.
    let action = if product.variation_id.is_some() { ObservedAction::Updated } else { product.action };
    let changes = match (&last.look, &next.look) {
        (Look::Hidden, Look::Hidden) => Some(Vec::new()),
        // One that is back was gone in between, whatever the snapshot says.
        (Look::Shown(last), Look::Shown(now)) if product.action != ObservedAction::Restored => {
            Some(changes(&wording, product, action, last, now))
        }
        _ => None,
    };
    let events = match (changes, &next.look) {
        (Some(changes), _) if !changes.is_empty() => changes,
        (Some(_), _) if *stands => return Difference::None(next),
        (_, Look::Shown(now)) => vec![wording.product(action, product.name.as_deref(), now)],
        (_, Look::Hidden | Look::Unknown) => vec![wording.gone()],
    };
    Difference::Changed(next, events)
}

/// What is told of a product, or a variation, that is gone since `at`.
pub(super) fn gone(last: &Snapshot, key: &SnapshotKey, at: LogTime) -> Difference {
    let next = Snapshot { updated_at: last.updated_at, look: Look::Hidden };
    Difference::Changed(next, vec![Wording { key, at }.gone()])
}

/// One event for each kind of change. An event that is about an old and a new value is told only where both are known;
/// else, and for all that has no event of its own, the product changed.
fn changes(
    wording: &Wording<'_>,
    product: &ObservedProduct,
    action: ObservedAction,
    last: &Shown,
    now: &Shown,
) -> Vec<Event> {
    let (sale, price, stock) = (last.sale != now.sale, last.price != now.price, last.stock != now.stock);
    let mut events = Vec::new();
    if sale {
        events.push(wording.sale(now.sale.as_ref()));
    }
    let prices = last.price.as_ref().zip(now.price.as_ref()).filter(|_| price);
    if let Some((old, new)) = prices {
        events.push(wording.price(old, new, now.sale.as_ref()));
    }
    let quantities = last.stock.quantity.as_ref().zip(now.stock.quantity.as_ref());
    let quantities = quantities.filter(|(old, new)| old != new);
    if let Some((old, new)) = quantities {
        events.push(wording.stock(old, new, product.name.as_deref()));
    }
    let rest = last.content != now.content
        || price && prices.is_none()
        || stock && quantities.is_none()
        || last.variants != now.variants && !price && !stock
        || last.regular_price != now.regular_price && !price && !sale;
    if rest {
        events.push(wording.product(action, product.name.as_deref(), now));
    }
    events
}
