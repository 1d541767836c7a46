//! [`ObservedProduct`]: a whole product as its shop showed it, cut down to what a shopper may see.
//!
//! An allow-list: what has no field here cannot leave the gateway, be it cost, private meta or the text of a draft. It does
//! not know what changed; whoever compares two of them finds out.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

use super::{Decimal, LogTime, ProductId};

/// A product, or one variation of it, at one moment.
///
/// Two of the same [`product_id`](Self::product_id) and [`variation_id`](Self::variation_id) can be compared field by
/// field. Equal in every field but `updated_at` and `action`: no shopper sees a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedProduct {
    /// Whose page shows it: the product itself or, for a variation, its parent.
    pub product_id: ProductId,
    /// Which variation, where the shop tells of variations one by one (WooCommerce). It has prices and stock of its own, so
    /// what was seen of its parent or of its siblings is no measure for it.
    pub variation_id: Option<ProductId>,
    /// When it was last changed, by the shop's clock. Shops deliver late and out of order: what is older than what was seen
    /// last must not take its place. `None`: the shop does not tell.
    pub updated_at: Option<LogTime>,
    /// What the shop says was done with it.
    pub action: ObservedAction,
    /// Whether shoppers may see it at all. Of a hidden product nothing but its id may be told.
    pub status: Visibility,
    /// What it is called.
    pub name: Option<Box<str>>,
    /// What it costs now; where its variants differ, the lowest.
    pub price: Option<Decimal>,
    /// What it costs without a sale; where its variants differ, that of the one that [`price`](Self::price) is of.
    pub regular_price: Option<Decimal>,
    /// What is left of it; where it has variants, of all of them together.
    pub stock: Stock,
    /// What is said about a sale. `None`: there is none, now or planned.
    pub sale: Option<Sale>,
    /// Prices and stocks of its single variants, which the fields above may hide: one goes up as another goes down. Changed
    /// beside `price` or `stock`, it is what they tell already; changed alone, the product changed.
    pub variants: ContentDigest,
    /// Everything else a shopper can see: name, texts, images, categories, options.
    pub content: ContentDigest,
}

/// What a shop says was done with a product. Its end is an event of its own and observed by nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObservedAction {
    /// It is new.
    Created,
    /// Something about it changed, or may have.
    Updated,
    /// It is back from the trash.
    Restored,
}

/// Whether shoppers may see a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Anybody can open its page.
    Public,
    /// A draft, private, archived, in the trash, or planned.
    Hidden,
}

/// How much of a product is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// How many; below zero where more was sold than there is. `None`: the shop does not count.
    pub quantity: Option<Decimal>,
    /// Whether it can be bought.
    pub availability: Availability,
}

/// Whether a product can be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Availability {
    /// Yes.
    InStock,
    /// No.
    OutOfStock,
    /// Yes, and it comes later.
    OnBackorder,
    /// The shop does not tell.
    Unknown,
}

/// What a shop says about a sale of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// Whether it is on, as the shop said when it showed the product. Later the times below decide.
    pub active: bool,
    /// When it begins, or began. `None`: it has begun, if it is on.
    pub starts_at: Option<LogTime>,
    /// When it ends. `None`: it is open.
    pub ends_at: Option<LogTime>,
    /// Percent off the regular price, with one decimal at most.
    pub discount: Option<Decimal>,
}

/// 128 bits of a digest over visible parts of a product.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentDigest(pub [u8; 16]);

/// The text is no content digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("32 hexadecimal digits")]
pub struct InvalidContentDigest;

impl ObservedAction {
    /// The name on the wire. A product that is back is `created`: storefronts know no fourth word, and for a page that
    /// does not have it, it is new.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created | Self::Restored => "created",
            Self::Updated => "updated",
        }
    }
}

impl Stock {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { quantity: None, availability: Availability::Unknown };
}

impl Sale {
    /// Percent off, rounded to one decimal. `None` where it is no discount.
    pub fn discount(regular_price: &Decimal, price: &Decimal) -> Option<Decimal> {
        let (regular, price) = (regular_price.to_f64(), price.to_f64());
        let percent = (regular - price) / regular * 100.0;
        let sensible = regular > 0.0 && price >= 0.0 && percent > 0.0;
        sensible.then(|| Decimal::parse(&format!("{percent:.1}")).ok()).flatten()
    }
}

impl ContentDigest {
    /// The digest of these parts. Lengths stand before them, so that no two lists of parts read the same.
    pub fn of<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        let full = parts.into_iter().fold(Sha256::new(), |sha, part| {
            let part = part.as_ref();
            sha.chain_update((part.len() as u64).to_le_bytes()).chain_update(part)
        });
        let mut short = [0; 16];
        short.copy_from_slice(&full.finalize()[..16]);
        Self(short)
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentDigest {
    type Err = InvalidContentDigest;

    fn from_str(text: &str) -> Result<Self, InvalidContentDigest> {
        let number = u128::from_str_radix(text, 16).map_err(|_| InvalidContentDigest)?;
        let digest = Self(number.to_be_bytes());
        // Only the one spelling: no sign, no capital, nothing left out.
        if digest.to_string() == text { Ok(digest) } else { Err(InvalidContentDigest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_its_parts_and_reads_as_it_prints() {
        let digest = ContentDigest::of(["ab", "c"]);
        assert_ne!(digest, ContentDigest::of(["a", "bc"]));
        assert_ne!(ContentDigest::of([""; 0]), ContentDigest::of([""]));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for bad in ["", "0", &"g".repeat(32), &"+".repeat(32), &"A".repeat(32), &"0".repeat(33)] {
            assert_eq!(bad.parse::<ContentDigest>(), Err(InvalidContentDigest), "{bad}");
        }
    }

    #[test]
    fn a_discount_is_percent_off_the_regular_price() {
        let decimal = |text| Decimal::parse(text).unwrap();
        let discount = |regular, price| Sale::discount(&decimal(regular), &decimal(price));
        assert_eq!(discount("20", "15"), Some(decimal("25")));
        assert_eq!(discount("29.99", "19.99"), Some(decimal("33.3")));
        assert_eq!(discount("20", "0"), Some(decimal("100")));
        for (regular, price) in [("20", "20"), ("20", "21"), ("0", "0"), ("20", "-1")] {
            assert_eq!(discount(regular, price), None);
        }
    }
}
