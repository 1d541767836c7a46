//! Shopify: its webhooks, with the headers of both families. It sends again for four hours what was not answered within five
//! seconds, each time as it was, and removes a subscription after eight failures in a row.
//!
//! So what cannot be read for good is the only thing refused; a topic of no concern is thanked for. Only the body is signed.

mod product;

use axum::http::HeaderMap;

use super::{
    Delivery, Hint, Intake, PartHint, PartId, Platform, Secrets, Signature, WebhooksConfig, What,
    json::Object, orders, platform,
};
use crate::{
    eventlog::{RequestClaim, snapshots::Sighting},
    ingest::notify::field,
    model::{LogTime, ObservedAction},
    web::Problem,
};

/// A Shopify store.
#[derive(Debug)]
pub struct Shopify(Secrets);

const NAME: &str = "shopify";

/// A header of classic webhooks, and the same in the family of Events.
type Header = [&'static str; 2];
const HMAC: Header = ["x-shopify-hmac-sha256", "shopify-hmac-sha256"];
const TOPIC: Header = ["x-shopify-topic", "shopify-topic"];
const SHOP: Header = ["x-shopify-shop-domain", "shopify-shop-domain"];
const EVENT_ID: Header = ["x-shopify-event-id", "shopify-event-id"];
const WEBHOOK_ID: Header = ["x-shopify-webhook-id", "shopify-webhook-id"];

impl Shopify {
    /// With these secrets.
    pub fn new(config: &WebhooksConfig) -> Self {
        Self(config.shopify.clone())
    }
}

impl Platform for Shopify {
    fn name(&self) -> &'static str {
        NAME
    }

    fn secrets(&self) -> &Secrets {
        &self.0
    }

    fn is_signed(&self, headers: &HeaderMap) -> bool {
        HMAC.iter().any(|name| headers.contains_key(*name))
    }

    fn verify(&self, delivery: Delivery<'_>, _now: LogTime) -> bool {
        let signature = either(delivery, HMAC).and_then(Signature::from_base64);
        signature.is_some_and(|signature| self.0.verify(&[delivery.body], &[signature]))
    }

    fn sign(&self, body: &[u8], _id: &str, _now: LogTime) -> Vec<(&'static str, String)> {
        self.0.sign(&[body]).map(|signature| (HMAC[0], signature.to_base64())).into_iter().collect()
    }

    fn read(&self, delivery: Delivery<'_>, now: LogTime) -> Result<Intake, Problem> {
        let topic = either(delivery, TOPIC).ok_or_else(|| missing(TOPIC))?;
        let claim = claim(delivery, topic)?;
        let body = Object::read(delivery.body)?;
        let intake = match topic {
            "products/create" => read_product(&body, ObservedAction::Created)?,
            "products/update" => read_product(&body, ObservedAction::Updated)?,
            "products/delete" => read_deleted(&body, now)?,
            "inventory_levels/update" | "inventory_levels/connect" | "inventory_levels/disconnect" => {
                read_level(&body, now)?
            }
            "orders/create" | "orders/updated" | "orders/cancelled" => orders::hints(&body, now)?,
            "app/uninstalled" => {
                Intake::notice("the app was uninstalled from the store: it sends nothing any more")
            }
            "customers/data_request" | "customers/redact" | "shop/redact" => Intake::notice(
                "a request about personal data came; the gateway keeps none, other systems may",
            ),
            _ => Intake::default(),
        };
        Ok(Intake { claim: Some(claim), ..intake })
    }
}

/// The header under whichever of its names it came.
fn either<'a>(delivery: Delivery<'a>, header: Header) -> Option<&'a str> {
    header.iter().find_map(|name| delivery.header(name))
}

fn missing(header: Header) -> Problem {
    Problem::bad_request(header[0], "a header that Shopify always sends")
}

/// An event's id is the same on each try, and one action of a merchant may raise several topics, or the same topic for several
/// products. The body goes in as well: dropping a change costs more than telling one twice.
fn claim(delivery: Delivery<'_>, topic: &str) -> Result<RequestClaim, Problem> {
    let id = either(delivery, EVENT_ID).or_else(|| either(delivery, WEBHOOK_ID));
    let id = id.ok_or_else(|| missing(WEBHOOK_ID))?;
    let shop = either(delivery, SHOP).unwrap_or_default();
    Ok(platform::claim(NAME, &[shop, topic, id], delivery.body))
}

fn read_product(body: &Object<'_>, action: ObservedAction) -> Result<Intake, Problem> {
    let product::Product { observed, items } = product::read(body, action).ok_or_else(|| no_id("id"))?;
    let product_id = &observed.product_id;
    let learned = items.iter().map(|item| (PartId::new(NAME, item.clone()), product_id.clone())).collect();
    Ok(Intake { learned, sightings: vec![Sighting::Shown(Box::new(observed))], ..Intake::default() })
}

fn read_deleted(body: &Object<'_>, now: LogTime) -> Result<Intake, Problem> {
    let product_id = body.id("id").ok_or_else(|| no_id("id"))?;
    let mut intake = Intake::default();
    intake.hint(Hint { product_id, variation_id: None, what: What::Gone, at: now });
    Ok(intake)
}

/// A level is that of one place, and names neither variant nor product. So no figure is told, only that it changed.
fn read_level(body: &Object<'_>, now: LogTime) -> Result<Intake, Problem> {
    let item = body.id("inventory_item_id").ok_or_else(|| no_id("inventory_item_id"))?;
    let hint = PartHint {
        part: PartId::new(NAME, item),
        variation_id: None,
        what: What::Stock,
        otherwise: None,
        at: body.time("updated_at").unwrap_or(now),
    };
    Ok(Intake { parts: vec![hint], ..Intake::default() })
}

fn no_id(name: &str) -> Problem {
    Problem::invalid_event(vec![field(name, "a whole number")])
}

#[cfg(test)]
mod tests;
