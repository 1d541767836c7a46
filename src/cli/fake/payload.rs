//! What the fake platforms send: deliveries in the shape of the real ones, of a product whose price and stock change each time.

use serde_json::{Value, json};

use crate::model::LogTime;

/// One delivery.
#[derive(Debug)]
pub(super) struct Payload {
    /// The topic in the platform's own words.
    pub(super) topic: &'static str,
    pub(super) body: String,
}

/// What a delivery is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// The product's number at its platform.
    pub(super) product: u64,
    /// Which delivery this is, from 0.
    pub(super) n: u64,
    pub(super) now: LogTime,
}

impl Change {
    fn price(self) -> String {
        format!("{}.{:02}", 15 + self.n % 10, 99 - self.n % 50)
    }

    fn stock(self) -> u64 {
        40 - self.n % 40
    }

    /// The time as platforms write it, to the second and without a zone.
    fn time(self) -> String {
        self.now.to_string().chars().take(19).collect()
    }
}

/// Compact, with escaped slashes, as PHP and Ruby write JSON.
fn escaped(body: &Value) -> String {
    body.to_string().replace('/', "\\/")
}

/// WooCommerce: the product, updated.
pub(super) fn woocommerce(change: Change) -> Payload {
    let Change { product, .. } = change;
    let price = change.price();
    let body = json!({
        "id": product, "name": "Linen Shirt", "slug": "linen-shirt",
        "permalink": "https://shop.example/product/linen-shirt/",
        "date_modified": change.time(), "date_modified_gmt": change.time(),
        "type": "simple", "status": "publish", "catalog_visibility": "visible",
        "description": "<p>Woven in one piece, washed twice.</p>\n", "sku": "LS-100",
        "price": price, "regular_price": price, "sale_price": "",
        "date_on_sale_from_gmt": null, "date_on_sale_to_gmt": null, "on_sale": false, "purchasable": true,
        "total_sales": 100 + change.n, "manage_stock": true, "stock_quantity": change.stock(),
        "stock_status": "instock", "backorders": "no", "parent_id": 0,
        "categories": [{"id": 15, "name": "Shirts", "slug": "shirts"}],
        "images": [{"id": 901, "src": "https://shop.example/wp-content/uploads/linen-shirt.jpg", "alt": ""}],
        "attributes": [], "variations": [],
        "meta_data": [{"id": 5512, "key": "_purchase_cost", "value": "9.80"}],
    });
    Payload { topic: "product.updated", body: escaped(&body) }
}

/// Shopify: the product, updated, and every other time the level of its inventory item.
pub(super) fn shopify(change: Change) -> Payload {
    let Change { product, n, .. } = change;
    let (variant, item) = (product.wrapping_add(1), product.wrapping_add(2));
    let updated_at = format!("{}Z", change.time());
    if n % 2 == 1 {
        let body = json!({
            "inventory_item_id": item, "location_id": 53_716_844_710_u64, "available": null, "updated_at": updated_at,
            "admin_graphql_api_id": format!("gid://shopify/InventoryLevel/1?inventory_item_id={item}"),
        });
        return Payload { topic: "inventory_levels/update", body: escaped(&body) };
    }
    let body = json!({
        "id": product, "title": "Example T-Shirt", "body_html": "<p>An example tee.</p>", "vendor": "Acme",
        "handle": "example-t-shirt", "status": "active", "published_at": "2025-10-02T08:00:00-04:00",
        "updated_at": updated_at, "tags": "example, summer",
        "variants": [{
            "id": variant, "product_id": product, "title": "Default Title", "price": change.price(),
            "compare_at_price": null, "position": 1, "inventory_policy": "deny", "inventory_item_id": item,
            "inventory_quantity": change.stock(),
        }],
        "options": [{"name": "Title", "values": ["Default Title"]}], "images": [], "image": null,
        "admin_graphql_api_id": format!("gid://shopify/Product/{product}"),
    });
    Payload { topic: "products/update", body: escaped(&body) }
}

/// WhatsApp: an order of the product.
pub(super) fn meta(change: Change) -> Payload {
    let secs = change.now.micros() / 1_000_000;
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [{
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
            "contacts": [{"profile": {"name": "A customer"}, "wa_id": "16505551234"}],
            "messages": [{
                "from": "16505551234", "id": format!("wamid.{secs}.{}", change.n), "timestamp": secs.to_string(),
                "type": "order", "order": {"catalog_id": "194836987003835", "text": "", "product_items": [{
                    "product_retailer_id": change.product.to_string(), "quantity": 1, "item_price": 19.9, "currency": "EUR",
                }]},
            }],
        },
    }]}]});
    Payload { topic: "messages", body: escaped(&body) }
}
