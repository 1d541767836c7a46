//! WooCommerce: what its webhooks send, as read in its source. It never sends a delivery again, and disables a webhook after
//! seven failures in a row.
//!
//! Only the body is signed: headers say which topic it is, and are believed as far as the body fits.

mod action;
mod product;
mod secret;

use axum::{http::HeaderMap, response::Response};

use super::{
    Delivery, Hint, Intake, PartId, Platform, Secrets, Signature, WebhooksConfig, What,
    intake::PRODUCTS_MAX,
    json::{self, Object},
    orders,
    platform::{self, acknowledged},
};
use crate::{
    eventlog::{RequestClaim, snapshots::Sighting},
    ingest::notify::field,
    model::{LogTime, ObservedAction},
    web::Problem,
};

/// A WooCommerce shop.
#[derive(Debug)]
pub struct WooCommerce(Secrets);

const NAME: &str = "woocommerce";
const SIGNATURE: &str = "x-wc-webhook-signature";
const TOPIC: &str = "x-wc-webhook-topic";
const WEBHOOK_ID: &str = "x-wc-webhook-id";
const DELIVERY_ID: &str = "x-wc-webhook-delivery-id";

/// Bytes of the form `webhook_id=N`, by which a shop tries out a new address.
const PING_BYTES_MAX: usize = 63;

impl WooCommerce {
    /// With these secrets.
    pub fn new(config: &WebhooksConfig) -> Self {
        Self(config.woocommerce.clone())
    }

    /// What goes into the HMAC for a secret as it was typed into the shop.
    pub fn key(secret: &str) -> Vec<u8> {
        secret::decode(secret).into_bytes()
    }
}

impl Platform for WooCommerce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn secrets(&self) -> &Secrets {
        &self.0
    }

    fn is_signed(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(SIGNATURE)
    }

    fn verify(&self, delivery: Delivery<'_>, _now: LogTime) -> bool {
        let signature = delivery.header(SIGNATURE).and_then(Signature::from_base64);
        signature.is_some_and(|signature| self.0.verify(&[delivery.body], &[signature]))
    }

    fn sign(&self, body: &[u8], _id: &str, _now: LogTime) -> Vec<(&'static str, String)> {
        self.0.sign(&[body]).map(|signature| (SIGNATURE, signature.to_base64())).into_iter().collect()
    }

    fn read(&self, delivery: Delivery<'_>, now: LogTime) -> Result<Intake, Problem> {
        let body = Object::read(delivery.body)?;
        // That the body names a hook is worth more than what the header says, because it is signed.
        let intake = match (action::of(&body), delivery.header(TOPIC).unwrap_or_default()) {
            (Some((hook, argument)), _) => action::read(&hook, argument, now)?,
            (None, "product.created" | "product.published") => {
                read_product(&body, ObservedAction::Created, now)?
            }
            (None, "product.updated") => read_product(&body, ObservedAction::Updated, now)?,
            (None, "product.restored") => read_product(&body, ObservedAction::Restored, now)?,
            (None, "product.deleted") => read_deleted(&body, now)?,
            (None, topic) if topic.starts_with("order.") => orders::hints(&body, now)?,
            _ => Intake::default(),
        };
        Ok(Intake { claim: Some(claim(delivery)), ..intake })
    }

    fn sends_again(&self) -> bool {
        false
    }

    fn unsigned_bytes_max(&self) -> usize {
        PING_BYTES_MAX
    }

    /// The ping, which is not signed and wants exactly 200.
    fn answer_unsigned(&self, body: &[u8]) -> Option<Response> {
        let digits = body.strip_prefix(b"webhook_id=")?;
        (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then(acknowledged)
    }
}

/// The delivery id is made of the webhook's id and the second, so that all deliveries of a second share it; the body tells
/// them apart. The body alone would not do: a product that is deleted, restored and deleted again is the same one twice.
fn claim(delivery: Delivery<'_>) -> RequestClaim {
    let names = [WEBHOOK_ID, DELIVERY_ID].map(|name| delivery.header(name).unwrap_or_default());
    platform::claim(NAME, &names, delivery.body)
}

fn read_product(body: &Object<'_>, action: ObservedAction, now: LogTime) -> Result<Intake, Problem> {
    let observed = product::observe(body, action, now).ok_or_else(no_id)?;
    let parent = observed.product_id.clone();
    let variations = body.list("variations").into_iter().filter_map(json::id).take(PRODUCTS_MAX);
    let own = observed.variation_id.clone();
    let learned = variations.chain(own).map(|variation| (PartId::new(NAME, variation), parent.clone()));
    Ok(Intake {
        learned: learned.collect(),
        sightings: vec![Sighting::Shown(Box::new(observed))],
        ..Intake::default()
    })
}

fn read_deleted(body: &Object<'_>, now: LogTime) -> Result<Intake, Problem> {
    let product_id = body.id("id").ok_or_else(no_id)?;
    let mut intake = Intake::default();
    intake.hint(Hint { product_id, variation_id: None, what: What::Gone, at: now });
    Ok(intake)
}

fn no_id() -> Problem {
    Problem::invalid_event(vec![field("id", "the whole number of a product")])
}

#[cfg(test)]
mod tests;
