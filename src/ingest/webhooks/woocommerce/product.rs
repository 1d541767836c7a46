//! A WooCommerce product as its REST API shows it: which of its fields shoppers see. Pure.

use crate::{
    ingest::webhooks::json::Object,
    model::{
        Availability, ContentDigest, LogTime, ObservedAction, ObservedProduct, ProductId, Sale, Stock,
        Visibility,
    },
};

/// What a shopper sees of a product beside price, stock and sale. Not here, and so never looked at: meta data, total sales,
/// dates, downloads, purchase notes, taxes, and `related_ids`, which are others each time.
const VISIBLE: &[&str] = &[
    "name",
    "slug",
    "permalink",
    "type",
    "featured",
    "catalog_visibility",
    "description",
    "short_description",
    "sku",
    "virtual",
    "purchasable",
    "backorders",
    "sold_individually",
    "weight",
    "dimensions",
    "shipping_class",
    "reviews_allowed",
    "average_rating",
    "rating_count",
    "upsell_ids",
    "cross_sell_ids",
    "grouped_products",
    "categories",
    "brands",
    "tags",
    "image",
    "images",
    "attributes",
    "default_attributes",
    "variations",
    "external_url",
    "button_text",
];

/// The product's own page and, if it is a variation, the variation.
pub(super) fn ids(product: &Object<'_>) -> Option<(ProductId, Option<ProductId>)> {
    let id = product.id("id")?;
    let is_variation = product.text("type").as_deref() == Some("variation");
    match product.id("parent_id").filter(|_| is_variation) {
        Some(parent) => Some((parent, Some(id))),
        None => Some((id, None)),
    }
}

/// What a shopper may see of it. `None`: it has no id, so it is no product; WooCommerce sends an error in its place when the
/// webhook's user may not read products any more.
pub(super) fn observe(product: &Object<'_>, action: ObservedAction, now: LogTime) -> Option<ObservedProduct> {
    let (product_id, variation_id) = ids(product)?;
    let public =
        product.text("status").as_deref() == Some("publish") && product.text("post_password").is_none();
    Some(ObservedProduct {
        product_id,
        variation_id,
        updated_at: product.time("date_modified_gmt"),
        action,
        status: if public { Visibility::Public } else { Visibility::Hidden },
        name: product.name("name"),
        price: product.decimal("price"),
        regular_price: product.decimal("regular_price"),
        stock: Stock { quantity: product.decimal("stock_quantity"), availability: availability(product) },
        sale: sale(product, now),
        // The range of prices of a product with variations, as the page shows it.
        variants: ContentDigest::of(product.texts(&["price_html"])),
        content: ContentDigest::of(product.texts(VISIBLE)),
    })
}

fn availability(product: &Object<'_>) -> Availability {
    match product.text("stock_status").as_deref() {
        Some("instock") => Availability::InStock,
        Some("outofstock") => Availability::OutOfStock,
        Some("onbackorder") => Availability::OnBackorder,
        _ => Availability::Unknown,
    }
}

/// `on_sale` counts, which looks at the dates; the sale price alone says nothing, because it stays when a sale has ended.
fn sale(product: &Object<'_>, now: LogTime) -> Option<Sale> {
    let active = product.is_true("on_sale");
    let (starts_at, ends_at) = (product.time("date_on_sale_from_gmt"), product.time("date_on_sale_to_gmt"));
    let sale_price = product.decimal("sale_price");
    let planned = sale_price.is_some() && starts_at.is_some_and(|start| start > now);
    let discount = product.decimal("regular_price").zip(sale_price);
    (active || planned).then(|| Sale {
        active,
        starts_at,
        ends_at,
        discount: discount.and_then(|(regular, price)| Sale::discount(&regular, &price)),
    })
}
