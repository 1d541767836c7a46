//! Orders: each of their products may have less stock now, or more again. Of who bought what nothing is kept or told.

use std::collections::HashSet;

use super::{Hint, Intake, What, intake::PRODUCTS_MAX, json::Object};
use crate::{ingest::notify::field, model::LogTime, web::Problem};

/// One hint for each product in an order's lines, as WooCommerce and Shopify both write them. Lines without a product, such as
/// fees and products since deleted, are passed over.
pub(super) fn hints(order: &Object<'_>, now: LogTime) -> Result<Intake, Problem> {
    if order.id("id").is_none() {
        return Err(Problem::invalid_event(vec![field("id", "the whole number of an order")]));
    }
    let at = order.time("updated_at").or_else(|| order.time("date_modified_gmt")).unwrap_or(now);
    let (mut intake, mut seen) = (Intake::default(), HashSet::new());
    for product_id in
        order.objects("line_items").filter_map(|line| line.id("product_id")).take(PRODUCTS_MAX + 1)
    {
        if seen.insert(product_id.clone()) {
            intake.hint(Hint { product_id, variation_id: None, what: What::Stock, at });
        }
    }
    Ok(intake)
}
