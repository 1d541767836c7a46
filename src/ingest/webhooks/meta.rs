//! Meta: WhatsApp and Facebook. They send no products, only messages; an order in one is a hint that its products have less
//! stock. Everything else is thanked for and not looked at.
//!
//! It sends again for days what was not answered with 200, bundled anew, so a message is known by its own id.

use axum::{
    http::{
        HeaderMap, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::IntoResponse,
};

use super::{
    Delivery, Hint, Intake, Platform, Secrets, Signature, WebhooksConfig, What, json::Object,
    platform::Handshake,
};
use crate::{
    eventlog::{ClaimKey, NewEvent},
    model::{LogTime, ProductId},
    web::{ApiKeys, Problem},
};

/// An app at Meta, for WhatsApp, Facebook pages, or both.
#[derive(Debug)]
pub struct Meta {
    secrets: Secrets,
    tokens: Option<ApiKeys>,
}

const NAME: &str = "meta";
const SIGNATURE: &str = "x-hub-signature-256";

/// Characters of a challenge. It is sent back as it came, so it must be no more than a word.
const CHALLENGE_LEN_MAX: usize = 256;

impl Meta {
    /// With these secrets and tokens.
    pub fn new(config: &WebhooksConfig) -> Self {
        Self { secrets: config.meta.clone(), tokens: config.meta_verify_tokens.clone() }
    }
}

impl Platform for Meta {
    fn name(&self) -> &'static str {
        NAME
    }

    fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    fn is_signed(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(SIGNATURE)
    }

    fn verify(&self, delivery: Delivery<'_>, _now: LogTime) -> bool {
        let signature = delivery.header(SIGNATURE).and_then(|text| text.strip_prefix("sha256="));
        let signature = signature.and_then(Signature::from_hex);
        signature.is_some_and(|signature| self.secrets.verify(&[delivery.body], &[signature]))
    }

    fn sign(&self, body: &[u8], _id: &str, _now: LogTime) -> Vec<(&'static str, String)> {
        let signature = self.secrets.sign(&[body]);
        signature.map(|signature| (SIGNATURE, format!("sha256={}", signature.to_hex()))).into_iter().collect()
    }

    fn read(&self, delivery: Delivery<'_>, now: LogTime) -> Result<Intake, Problem> {
        let body = Object::read(delivery.body)?;
        let mut intake = Intake::default();
        for entry in body.objects("entry") {
            for change in entry.objects("changes") {
                let value = change.get("value").and_then(Object::of).unwrap_or_default();
                value.objects("messages").for_each(|message| read_message(&message, now, &mut intake));
            }
        }
        Ok(intake)
    }

    /// `hub.challenge`, if whoever asks knows the token.
    fn handshake(&self, uri: &Uri) -> Handshake {
        let Some(tokens) = &self.tokens else { return Handshake::NotConfigured };
        let query = uri.query().unwrap_or_default();
        let get = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let (token, challenge) = (get("hub.verify_token"), get("hub.challenge"));
        let plain = (1..=CHALLENGE_LEN_MAX).contains(&challenge.len())
            && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !tokens.accept(token.as_bytes()) || get("hub.mode") != "subscribe" || !plain {
            return Handshake::Refused;
        }
        let headers = [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (CACHE_CONTROL, "no-store"),
        ];
        Handshake::Granted((headers, challenge).into_response())
    }
}

/// One hint for each product of an order. The shop names its products in the catalogue itself; a name that is no product id
/// is nobody's here.
fn read_message(message: &Object<'_>, now: LogTime, intake: &mut Intake) {
    let Some(order) = message.get("order").and_then(Object::of) else { return };
    let sent = message.text("timestamp").and_then(|secs| secs.parse::<i64>().ok());
    let at = sent.map_or(now, |secs| LogTime::from_micros(secs.saturating_mul(1_000_000)));
    let message_id = message.text("id").unwrap_or_default();
    for item in order.objects("product_items") {
        let retailer_id = item.text("product_retailer_id").unwrap_or_default();
        let Ok(product_id) = ProductId::new(&retailer_id) else {
            intake.unnamed += 1;
            continue;
        };
        let claim = ClaimKey::delivery(NAME, &[message_id.as_bytes(), retailer_id.as_bytes()]);
        let event = Hint { product_id, variation_id: None, what: What::Stock, at }.stock_event();
        intake.events.push(NewEvent { event, claim: Some(claim) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(secret: &str) -> Meta {
        Meta { secrets: Secrets::new([secret]), tokens: Some(ApiKeys::new(["token-of-this-test"])) }
    }

    fn verify(app: &Meta, signature: &str, body: &str) -> bool {
        let headers = HeaderMap::from_iter([(SIGNATURE.parse().unwrap(), signature.parse().unwrap())]);
        app.verify(Delivery { headers: &headers, body: body.as_bytes() }, LogTime::from_micros(0))
    }

    #[test]
    fn the_vector_verifies_and_nothing_near_it() {
        let app = app("app-secret");
        let body = r#"{"object":"whatsapp_business_account","entry":[]}"#;
        let good = "sha256=d3e4f9da0ce6c71ab3dba55929b8eeeee2455349e534924ead19f98d143e904f";
        assert!(verify(&app, good, body));
        let base64 = Signature::from_hex(&good[7..]).unwrap().to_base64();
        for bad in ["", "sha256=", &good[7..], &good.replace("sha256", "sha1"), &format!("sha256={base64}")] {
            assert!(!verify(&app, bad, body), "{bad}");
        }
        assert!(!verify(&app, good, &body.replace("[]", "[ ]")));
    }

    /// Goal: letters come escaped, and the bytes are what is signed. Method: the same text, escaped and not.
    #[test]
    fn an_escaped_body_verifies_as_it_came_and_not_as_it_reads() {
        let app = app("app-secret");
        let (escaped, plain) = (r#"{"text":"\u00e4\u00f6\u00fc \ud83d\ude00"}"#, r#"{"text":"äöü 😀"}"#);
        let signature = format!("sha256={}", app.secrets.sign(&[escaped.as_bytes()]).unwrap().to_hex());
        assert!(verify(&app, &signature, escaped) && !verify(&app, &signature, plain));
    }

    #[test]
    fn the_handshake_is_for_those_who_know_the_token() {
        let ask =
            |query: &str| app("s").handshake(&format!("/api/webhooks/whatsapp?{query}").parse().unwrap());
        let good = "hub.mode=subscribe&hub.verify_token=token-of-this-test&hub.challenge=1158201444";
        assert!(matches!(ask(good), Handshake::Granted(_)));
        for query in [
            "",
            &good.replace("subscribe", "unsubscribe"),
            &good.replace("token-of-this-test", "another"),
            &good.replace("=1158201444", "="),
            &good.replace("1158201444", "%3Cscript%3E"),
            &good.replace("1158201444", &"1".repeat(257)),
        ] {
            assert!(matches!(ask(query), Handshake::Refused), "{query}");
        }
        let unset = Meta { secrets: Secrets::new(["s"]), tokens: None };
        assert!(matches!(unset.handshake(&"/".parse().unwrap()), Handshake::NotConfigured));
    }
}
