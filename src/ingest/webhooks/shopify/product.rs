//! A Shopify product as its webhooks show it: which of its fields shoppers see. Pure.

use std::cmp::Ordering;

use crate::{
    ingest::webhooks::json::Object,
    model::{
        Availability, ContentDigest, Decimal, ObservedAction, ObservedProduct, ProductId, Sale, Stock,
        Visibility,
    },
};

/// What a shopper sees of a product beside price, stock and sale.
const VISIBLE: &[&str] = &[
    "title",
    "body_html",
    "vendor",
    "product_type",
    "handle",
    "tags",
    "options",
    "images",
    "image",
    "media",
];
/// The same of a variant.
const VISIBLE_OF_VARIANT: &[&str] =
    &["id", "title", "option1", "option2", "option3", "position", "sku", "barcode", "image_id", "taxable"];
/// Its price and stock.
const OFFER_OF_VARIANT: &[&str] =
    &["id", "price", "compare_at_price", "inventory_quantity", "inventory_policy", "inventory_management"];

/// A product that was read, and the inventory items of its variants.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) observed: ObservedProduct,
    pub(super) items: Vec<ProductId>,
}

/// What a shopper may see of it. `None`: it has no id.
pub(super) fn read(product: &Object<'_>, action: ObservedAction) -> Option<Product> {
    let variants: Vec<Object<'_>> = product.objects("variants").collect();
    let lowest = variants.iter().filter_map(Price::of).min_by(Price::compare);
    let of_variants = |names: &'static [&str]| variants.iter().flat_map(move |variant| variant.texts(names));
    let observed = ObservedProduct {
        product_id: product.id("id")?,
        variation_id: None,
        updated_at: product.time("updated_at"),
        action,
        status: visibility(product),
        name: product.name("title"),
        price: lowest.as_ref().map(|lowest| lowest.now.clone()),
        regular_price: lowest.as_ref().map(|lowest| lowest.regular.clone()),
        stock: stock(&variants),
        sale: lowest.as_ref().and_then(Price::sale),
        variants: ContentDigest::of(of_variants(OFFER_OF_VARIANT)),
        content: ContentDigest::of(product.texts(VISIBLE).chain(of_variants(VISIBLE_OF_VARIANT))),
    };
    let items = variants.iter().filter_map(|variant| variant.id("inventory_item_id")).collect();
    Some(Product { observed, items })
}

/// Whether shoppers may see it. A webhook may leave out `status`, and older versions have none: then the time of publication
/// counts. What says neither may be a draft.
fn visibility(product: &Object<'_>) -> Visibility {
    let public = match product.text("status").as_deref() {
        Some("active" | "unlisted") => true,
        Some(_) => false,
        None => product.text("published_at").is_some(),
    };
    if public { Visibility::Public } else { Visibility::Hidden }
}

/// The prices of a variant.
struct Price {
    now: Decimal,
    /// Crossed out on the page, if it is higher.
    regular: Decimal,
}

impl Price {
    fn of(variant: &Object<'_>) -> Option<Self> {
        let now = variant.decimal("price")?;
        let compared =
            variant.decimal("compare_at_price").filter(|compared| compared.to_f64() > now.to_f64());
        Some(Self { regular: compared.unwrap_or_else(|| now.clone()), now })
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.now.to_f64().total_cmp(&other.now.to_f64())
    }

    /// Shopify knows no times of a sale, only a price that was higher.
    fn sale(&self) -> Option<Sale> {
        let discount = Sale::discount(&self.regular, &self.now)?;
        Some(Sale { active: true, starts_at: None, ends_at: None, discount: Some(discount) })
    }
}

/// All variants together. One whose stock is not counted can always be bought, and makes the sum none.
fn stock(variants: &[Object<'_>]) -> Stock {
    // A webhook may leave the numbers out.
    if variants.is_empty() || !variants.iter().all(|variant| variant.has("inventory_quantity")) {
        return Stock::UNKNOWN;
    }
    let counted: Vec<Option<i64>> = variants.iter().map(counted).collect();
    let quantity = counted.iter().copied().try_fold(0_i64, |sum, count| Some(sum.saturating_add(count?)));
    let sells_on = |variant: &Object<'_>| variant.text("inventory_policy").as_deref() == Some("continue");
    let availability = if counted.iter().any(|count| count.is_none_or(|count| count > 0)) {
        Availability::InStock
    } else if variants.iter().any(sells_on) {
        Availability::OnBackorder
    } else {
        Availability::OutOfStock
    };
    Stock { quantity: quantity.map(Decimal::from), availability }
}

/// How many there are of a variant. `None`: nobody counts.
fn counted(variant: &Object<'_>) -> Option<i64> {
    let unmanaged = variant.is_null("inventory_management");
    variant.get("inventory_quantity").filter(|_| !unmanaged).and_then(|count| count.get().parse().ok())
}
