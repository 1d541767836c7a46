//! [`Decimal`]: a price or a quantity, exact, as it stands in JSON. Does not calculate: `19.90` of money is no float.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A decimal number in its shortest spelling, so that equal numbers are equal texts: `19.90` is kept as `19.9`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal(Box<str>);

/// The text is no plain decimal number, or a longer one than anything costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a decimal number such as 19.90, without exponent, at most 32 characters")]
pub struct InvalidDecimal;

impl Decimal {
    /// The longest text that is read: beyond any price and any stock, in any currency.
    pub const LEN_MAX: usize = 32;

    /// Reads `19.90`, `-3`, `.5` or `007`; no exponent, no separator of thousands, no sign but `-`.
    pub fn parse(text: &str) -> Result<Self, InvalidDecimal> {
        let (minus, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if text.len() > Self::LEN_MAX
            || !plain(whole)
            || !plain(fraction)
            || (whole.len() + fraction.len()) == 0
        {
            return Err(InvalidDecimal);
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        Ok(match (whole, fraction) {
            ("", "") => Self("0".into()),
            (whole, "") => Self(format!("{minus}{whole}").into()),
            ("", fraction) => Self(format!("{minus}0.{fraction}").into()),
            (whole, fraction) => Self(format!("{minus}{whole}.{fraction}").into()),
        })
    }

    /// The number as JSON and everybody else spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest float, for what need not be exact, such as percentages.
    pub fn to_f64(&self) -> f64 {
        // The spelling is one that every float reader takes.
        self.0.parse().unwrap_or_default()
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self(number.to_string().into())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As a JSON number with exactly these digits.
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_numbers_are_equal_texts() {
        for (text, kept) in [
            ("19.90", "19.9"),
            ("19.00", "19"),
            ("0019", "19"),
            (".5", "0.5"),
            ("5.", "5"),
            ("0", "0"),
            ("-0.0", "0"),
            ("-3", "-3"),
            ("-.50", "-0.5"),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_is_no_plain_number_is_refused() {
        for text in
            ["", "-", ".", "-.", "1e5", "+1", "1,5", " 1", "1.2.3", "NaN", "--1", "१", &"1".repeat(33)]
        {
            assert_eq!(Decimal::parse(text), Err(InvalidDecimal), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_is_a_json_number_and_reads_as_itself(text in "-?[0-9]{0,12}\\.?[0-9]{0,12}") {
            if let Ok(decimal) = Decimal::parse(&text) {
                prop_assert_eq!(Decimal::parse(decimal.as_str()), Ok(decimal.clone()));
                let json = serde_json::to_string(&decimal).unwrap();
                prop_assert_eq!(json.as_str(), decimal.as_str());
                prop_assert!(serde_json::from_str::<serde_json::Number>(&json).is_ok());
            }
        }
    }
}
