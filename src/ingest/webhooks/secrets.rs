//! [`Secrets`]: what a platform signs with. Holds keys that cannot be printed; which header a signature stands in, and what
//! is signed, is each platform's own.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use subtle::{Choice, ConstantTimeEq};

/// The secrets of one platform, all with HMAC-SHA256; the current and the previous ones, so that they can be rotated.
#[derive(Clone, Default)]
pub struct Secrets(Vec<hmac::Key>);

/// What a sender claims to be the HMAC-SHA256 of its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 32]);

impl Secrets {
    /// Takes keys as they go into the HMAC.
    pub fn new<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self(keys.into_iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of the signatures is one of these secrets' over `parts`, taken as one text. Takes the same time
    /// whichever it is, or none.
    pub fn verify(&self, parts: &[&[u8]], signatures: &[Signature]) -> bool {
        let mut good = Choice::from(0);
        for key in &self.0 {
            // Once for each secret, however many signatures a sender thinks up.
            let tag = tag(key, parts);
            for Signature(claimed) in signatures {
                good |= tag.as_ref().ct_eq(claimed);
            }
        }
        good.into()
    }

    /// The signature with the first of them.
    pub fn sign(&self, parts: &[&[u8]]) -> Option<Signature> {
        let tag = tag(self.0.first()?, parts);
        tag.as_ref().try_into().ok().map(Signature)
    }
}

fn tag(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    context.sign()
}

impl Signature {
    /// Reads base64 with its padding and nothing around it.
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() || pairs.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
        bytes.try_into().ok().map(Self)
    }

    /// As base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// As hexadecimal digits.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_current_secret_is_good_and_no_other() {
        let (old, new) = (Secrets::new(["old"]), Secrets::new(["new"]));
        let both = Secrets::new(["new", "old"]);
        let body: &[&[u8]] = &[b"body"];
        for signer in [&old, &new] {
            assert!(both.verify(body, &[signer.sign(body).unwrap()]));
        }
        assert!(both.verify(body, &[Secrets::new(["other"]).sign(body).unwrap(), new.sign(body).unwrap()]));
        assert!(!old.verify(body, &[new.sign(body).unwrap()]));
        assert!(!old.verify(body, &[]));
        assert!(
            !Secrets::default().verify(body, &[old.sign(body).unwrap()]),
            "without a secret nothing is good"
        );
        assert_eq!(format!("{both:?}"), "Secrets(2)");
    }

    #[test]
    fn only_one_spelling_of_a_signature_is_read() {
        let signature = Secrets::new(["s"]).sign(&[b"b"]).unwrap();
        let (base64, hex) = (signature.to_base64(), signature.to_hex());
        assert_eq!(Signature::from_base64(&base64), Some(signature));
        assert_eq!(Signature::from_hex(&hex), Some(signature));
        let url_safe = base64.replace('+', "-").replace('/', "_");
        for bad in [base64.trim_end_matches('='), &hex, &format!(" {base64}"), &format!("{base64}=")] {
            assert_eq!(Signature::from_base64(bad), None, "{bad}");
        }
        assert!(url_safe == base64 || Signature::from_base64(&url_safe).is_none());
        for bad in
            [&hex[1..], &format!("{hex}0"), &format!("+{}", &hex[1..]), &base64, "é".repeat(32).as_str()]
        {
            assert_eq!(Signature::from_hex(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn one_flipped_bit_is_seen(body in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let secrets = Secrets::new(["a-secret-of-a-shop"]);
            let signature = secrets.sign(&[&body]).unwrap();
            let mut flipped = body.clone();
            flipped[at.index(body.len())] ^= 1 << bit;
            prop_assert!(secrets.verify(&[&body], &[signature]));
            prop_assert!(!secrets.verify(&[&flipped], &[signature]));
            let mut forged = signature;
            forged.0[at.index(32)] ^= 1 << bit;
            prop_assert!(!secrets.verify(&[&body], &[forged]));
        }

        #[test]
        fn no_text_makes_a_reader_of_signatures_panic(text in ".{0,80}") {
            let _ = (Signature::from_base64(&text), Signature::from_hex(&text));
        }
    }
}
