//! Webhooks: shops and platforms post to the gateway themselves, each in a form of its own. One pipeline for all of them:
//!
//! ```text
//! raw body -> verify -> read -> Intake -> append -> the answer its sender expects
//!  (capped)   (Secrets)  (pure, a file a platform)
//! ```
//!
//! A platform is a file with a [`Platform`] in it, and a line in the router. It is asked what came and never does anything
//! itself: reading is pure, and only the [`Pipeline`] appends. Nothing is parsed before it is verified, and nothing is
//! answered with success before it is in the log.

mod appender;
mod intake;
mod json;
mod meta;
mod orders;
mod owed;
mod parking;
mod parts;
mod pipeline;
mod platform;
mod secrets;
mod shopify;
mod standard;
mod woocommerce;

pub use self::{
    intake::{Hint, Intake, PartHint, What},
    meta::Meta,
    parts::{MemoryParts, PartId, Parts, RedisParts},
    pipeline::Pipeline,
    platform::{Delivery, Handshake, Platform},
    secrets::{Secrets, Signature},
    shopify::Shopify,
    standard::Standard,
    woocommerce::WooCommerce,
};

use crate::web::ApiKeys;

/// Bytes of a delivery (contract section 3.3): products with long texts reach hundreds of kilobytes.
pub const DELIVERY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Who may post: what each platform signs with. Without secrets a platform is not configured, and answered so.
#[derive(Debug, Clone, Default)]
pub struct WebhooksConfig {
    /// Of WooCommerce shops.
    pub woocommerce: Secrets,
    /// Of apps in Shopify stores.
    pub shopify: Secrets,
    /// Of apps at Meta.
    pub meta: Secrets,
    /// By which Meta shows, once, that it was told of this gateway by its owner. `None`: it is not asked.
    pub meta_verify_tokens: Option<ApiKeys>,
    /// Of backends that sign by the Standard Webhooks specification.
    pub standard: Secrets,
}

#[cfg(test)]
mod tests;
