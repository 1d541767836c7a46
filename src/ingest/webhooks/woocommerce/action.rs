//! Webhooks on an action of WordPress (`action.woocommerce_*`): thin, only a hook's name and its first argument. They tell what
//! the product topics leave out, such as products deleted for good. Pure.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::{NAME, no_id};
use crate::{
    ingest::webhooks::{Hint, Intake, PartHint, PartId, What, intake::PRODUCTS_MAX, json, json::Object},
    model::{LogTime, ProductId},
    web::Problem,
};

/// What the first argument of a hook is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Argument {
    /// The id of a product or, with some hooks, of a variation.
    Product,
    /// The id of a variation.
    Variation,
    /// The ids of products and variations.
    Many,
}

/// The hooks that are about products.
#[rustfmt::skip]
const HOOKS: [(&str, Argument, What); 15] = [
    ("woocommerce_new_product", Argument::Product, What::Updated),
    ("woocommerce_update_product", Argument::Product, What::Updated),
    ("woocommerce_updated_product_price", Argument::Product, What::Updated),
    ("woocommerce_updated_product_stock", Argument::Product, What::Stock),
    ("woocommerce_product_set_stock_status", Argument::Product, What::Stock),
    ("woocommerce_trash_product", Argument::Product, What::Gone),
    ("woocommerce_delete_product", Argument::Product, What::Gone),
    ("woocommerce_before_delete_product", Argument::Product, What::Gone),
    ("woocommerce_new_product_variation", Argument::Variation, What::Updated),
    ("woocommerce_update_product_variation", Argument::Variation, What::Updated),
    ("woocommerce_variation_set_stock_status", Argument::Variation, What::Stock),
    ("woocommerce_trash_product_variation", Argument::Variation, What::Gone),
    ("woocommerce_delete_product_variation", Argument::Variation, What::Gone),
    ("wc_after_products_starting_sales", Argument::Many, What::Sale { active: true }),
    ("wc_after_products_ending_sales", Argument::Many, What::Sale { active: false }),
];

/// The hook and its argument, if the body is of such a webhook.
pub(super) fn of<'a>(body: &Object<'a>) -> Option<(String, &'a RawValue)> {
    Some((body.text("action")?, body.get("arg")?))
}

/// What an action says. Hooks that are not about products say nothing.
pub(super) fn read(hook: &str, argument: &RawValue, now: LogTime) -> Result<Intake, Problem> {
    let Some((_, kind, what)) = HOOKS.into_iter().find(|(known, ..)| *known == hook) else {
        return Ok(Intake::default());
    };
    let ids = match kind {
        Argument::Many => serde_json::from_str(argument.get()).unwrap_or_default(),
        Argument::Product | Argument::Variation => vec![argument],
    };
    let mut seen = HashSet::new();
    let ids = ids.into_iter().filter_map(number).filter(|id| seen.insert(id.clone()));
    // One more than can be named is as good as all of them.
    let ids: Vec<ProductId> = ids.take(PRODUCTS_MAX + 1).collect();
    if ids.is_empty() && kind != Argument::Many {
        return Err(no_id());
    }
    let parts = ids.into_iter().map(|id| hint(id, kind, what, now)).collect();
    Ok(Intake { parts, ..Intake::default() })
}

/// An id as hooks pass it: a number, or one as a text.
fn number(value: &RawValue) -> Option<ProductId> {
    json::id(value).or_else(|| {
        let text = RawValue::from_string(json::text(value)?).ok()?;
        json::id(&text)
    })
}

/// WordPress numbers products and variations in one row: whether this is a variation is known if its product came by. Without
/// that, a hook about products is about this product; one about variations is about a product that nobody knows.
fn hint(id: ProductId, kind: Argument, what: What, at: LogTime) -> PartHint {
    let own = Hint { product_id: id.clone(), variation_id: None, what, at };
    PartHint {
        part: PartId::new(NAME, id.clone()),
        variation_id: Some(id),
        what,
        otherwise: (kind != Argument::Variation).then_some(own),
        at,
    }
}
