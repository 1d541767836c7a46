//! [`Snapshot`]: what was seen of a product last, and its form as text. Compares nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::sales::standing;
use crate::model::{
    Availability, ContentDigest, Decimal, LogTime, ObservedProduct, ProductId, Sale, Stock, Visibility,
};

/// What was seen of a product last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The newest time of change that its shop told.
    pub updated_at: Option<LogTime>,
    /// What it looked like.
    pub look: Look,
}

/// What a product looked like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Look {
    /// Nobody knows: it was never seen, or the snapshot went, or clients may know of something newer.
    #[default]
    Unknown,
    /// Not there for shoppers: hidden, or gone.
    Hidden,
    /// There.
    Shown(Shown),
}

/// What a shopper saw. Names and texts are in the digest: only what an event tells the old value of is kept as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What it cost.
    pub price: Option<Decimal>,
    /// What it cost without a sale.
    pub regular_price: Option<Decimal>,
    /// What was left.
    pub stock: Stock,
    /// The sale, on or planned; one that is over is none.
    pub sale: Option<Sale>,
    /// Prices and stocks of its variants.
    pub variants: ContentDigest,
    /// Everything else.
    pub content: ContentDigest,
}

/// Whose snapshot: of a product, or of one variation of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SnapshotKey {
    /// Whose page shows it.
    pub product_id: ProductId,
    /// Which variation.
    pub variation_id: Option<ProductId>,
}

impl SnapshotKey {
    /// The key of what was observed.
    pub fn of(product: &ObservedProduct) -> Self {
        Self { product_id: product.product_id.clone(), variation_id: product.variation_id.clone() }
    }

    /// Reads what [`Display`](fmt::Display) printed.
    pub fn parse(text: &str) -> Option<Self> {
        let (product, variation) =
            text.split_once('/').map_or((text, None), |(product, variation)| (product, Some(variation)));
        let variation_id = variation.map(ProductId::new).transpose().ok()?;
        Some(Self { product_id: ProductId::new(product).ok()?, variation_id })
    }
}

/// `product` or `product/variation`: no id holds a slash.
impl fmt::Display for SnapshotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.product_id)?;
        self.variation_id.iter().try_for_each(|variation| write!(f, "/{variation}"))
    }
}

impl Look {
    /// What a shopper sees of it now.
    pub(super) fn of(product: &ObservedProduct, now: LogTime) -> Self {
        match product.status {
            Visibility::Hidden => Self::Hidden,
            Visibility::Public => Self::Shown(Shown {
                price: product.price.clone(),
                regular_price: product.regular_price.clone(),
                stock: product.stock.clone(),
                sale: product.sale.as_ref().and_then(|sale| standing(sale, now)),
                variants: product.variants,
                content: product.content,
            }),
        }
    }
}

impl Snapshot {
    /// As text.
    pub fn to_text(&self) -> String {
        let kept = match &self.look {
            Look::Unknown => Kept::default(),
            Look::Hidden => Kept { hidden: true, ..Kept::default() },
            Look::Shown(shown) => Kept { shown: Some(shown.into()), ..Kept::default() },
        };
        let kept = Kept { updated_at: self.updated_at.map(LogTime::micros), ..kept };
        // Strings and numbers only: writing them cannot fail.
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// Reads text. What cannot be read, because another version wrote it, was never seen.
    pub fn from_text(text: &str) -> Self {
        serde_json::from_str::<Kept>(text).ok().and_then(Kept::read).unwrap_or_default()
    }

    /// This snapshot where clients may know of something newer: its time still tells what is outdated.
    #[must_use]
    pub fn without_look(self) -> Self {
        Self { look: Look::Unknown, ..self }
    }
}

/// The text's fields. Names are short: there are many snapshots.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    hidden: bool,
    #[serde(flatten)]
    shown: Option<KeptShown>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptShown {
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    regular_price: Option<String>,
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    quantity: Option<String>,
    #[serde(rename = "a")]
    availability: char,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    sale: Option<KeptSale>,
    #[serde(rename = "v")]
    variants: String,
    #[serde(rename = "c")]
    content: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptSale {
    #[serde(rename = "on")]
    active: bool,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    starts_at: Option<i64>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    ends_at: Option<i64>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    discount: Option<String>,
}

impl From<&Shown> for KeptShown {
    fn from(shown: &Shown) -> Self {
        let text = |number: &Option<Decimal>| number.as_ref().map(|number| number.as_str().to_owned());
        Self {
            price: text(&shown.price),
            regular_price: text(&shown.regular_price),
            quantity: text(&shown.stock.quantity),
            availability: letter(shown.stock.availability),
            sale: shown.sale.as_ref().map(|sale| KeptSale {
                active: sale.active,
                starts_at: sale.starts_at.map(LogTime::micros),
                ends_at: sale.ends_at.map(LogTime::micros),
                discount: text(&sale.discount),
            }),
            variants: shown.variants.to_string(),
            content: shown.content.to_string(),
        }
    }
}

impl Kept {
    fn read(self) -> Option<Snapshot> {
        let look = match self.shown {
            _ if self.hidden => Look::Hidden,
            Some(shown) => Look::Shown(shown.read()?),
            None => Look::Unknown,
        };
        Some(Snapshot { updated_at: self.updated_at.map(LogTime::from_micros), look })
    }
}

impl KeptShown {
    fn read(self) -> Option<Shown> {
        let sale = match self.sale {
            Some(sale) => Some(Sale {
                active: sale.active,
                starts_at: sale.starts_at.map(LogTime::from_micros),
                ends_at: sale.ends_at.map(LogTime::from_micros),
                discount: number(sale.discount)?,
            }),
            None => None,
        };
        Some(Shown {
            price: number(self.price)?,
            regular_price: number(self.regular_price)?,
            stock: Stock { quantity: number(self.quantity)?, availability: availability(self.availability)? },
            sale,
            variants: self.variants.parse().ok()?,
            content: self.content.parse().ok()?,
        })
    }
}

fn number(text: Option<String>) -> Option<Option<Decimal>> {
    text.map(|text| Decimal::parse(&text)).transpose().ok()
}

const AVAILABILITIES: [(Availability, char); 4] = [
    (Availability::InStock, 'i'),
    (Availability::OutOfStock, 'o'),
    (Availability::OnBackorder, 'b'),
    (Availability::Unknown, 'u'),
];

fn letter(availability: Availability) -> char {
    AVAILABILITIES.iter().find(|(known, _)| *known == availability).map_or('u', |(_, letter)| *letter)
}

fn availability(letter: char) -> Option<Availability> {
    AVAILABILITIES.iter().find(|(_, known)| *known == letter).map(|(availability, _)| *availability)
}
