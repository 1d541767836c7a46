//! The secrets of webhooks. A weak one is refused in every environment: its path is open to the internet, and whoever guesses
//! it may tell every browser anything about any product.

use super::read::{Noted, Reader, is_placeholder};
use crate::{
    ingest::webhooks::{Secrets, Standard, WebhooksConfig, WooCommerce},
    web::ApiKeys,
};

/// Secrets of one platform: the current one, the previous one, and a few to spare. A body is hashed once for each before
/// anybody knows who sent it.
const SECRETS_MAX: usize = 5;

/// Characters of a secret that somebody makes up. Those that platforms make are longer.
const LEN_MIN: usize = 24;

/// Reads all of them.
pub(super) fn webhooks(r: &mut Reader<'_>) -> Result<WebhooksConfig, Noted> {
    let woocommerce = r.get("WC_WEBHOOK_SECRET", |text| {
        let expected =
            "random secrets of 24 characters or more, best only of A-Z a-z 0-9 (try: openssl rand -hex 24)";
        secrets(text, expected, |secret| is_strong(secret, LEN_MIN).then(|| WooCommerce::key(secret)))
    });
    let shopify = r.get("SHOPIFY_WEBHOOK_SECRET", |text| {
        let expected = "the client secret of an app, or the signing secret of a store's notifications";
        secrets(text, expected, |secret| is_strong(secret, LEN_MIN).then(|| secret.as_bytes().to_vec()))
    });
    let meta = r.get("META_APP_SECRET", |text| {
        let expected = "the app secret of an app at Meta";
        secrets(text, expected, |secret| is_strong(secret, LEN_MIN).then(|| secret.as_bytes().to_vec()))
    });
    let meta_verify_tokens = r.get("META_VERIFY_TOKEN", verify_tokens);
    let standard = r.get("STANDARD_WEBHOOK_SECRET", |text| {
        let expected =
            "whsec_ and base64 of 24 to 64 random bytes (try: echo whsec_$(openssl rand -base64 32))";
        secrets(text, expected, |secret| Standard::key(secret).filter(|_| !is_placeholder(secret)))
    });
    Ok(WebhooksConfig {
        woocommerce: woocommerce?,
        shopify: shopify?,
        meta: meta?,
        meta_verify_tokens: meta_verify_tokens?,
        standard: standard?,
    })
}

/// Tokens that are shown, not signed with; guessing one only sets up a webhook whose deliveries are not believed.
fn verify_tokens(text: &str) -> Result<Option<ApiKeys>, String> {
    const LEN_MIN: usize = 16;
    let listed: Vec<&str> = text.split(',').map(str::trim).collect();
    if text.is_empty() {
        Ok(None)
    } else if listed.iter().all(|token| is_strong(token, LEN_MIN)) {
        Ok(Some(ApiKeys::new(listed)))
    } else {
        Err(format!("random tokens of {LEN_MIN} characters or more (try: openssl rand -hex 16)"))
    }
}

fn is_strong(secret: &str, len_min: usize) -> bool {
    secret.chars().count() >= len_min && !is_placeholder(secret)
}

/// A comma list of secrets; `key` makes of each what goes into the HMAC, or refuses it as weak.
fn secrets(text: &str, expected: &str, key: impl Fn(&str) -> Option<Vec<u8>>) -> Result<Secrets, String> {
    if text.is_empty() {
        return Ok(Secrets::default());
    }
    let listed: Vec<&str> = text.split(',').map(str::trim).collect();
    if listed.len() > SECRETS_MAX {
        return Err(format!("at most {SECRETS_MAX} secrets"));
    }
    let keys: Option<Vec<_>> = listed.into_iter().map(key).collect();
    keys.map(Secrets::new).ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::{BadSettings, Config, Values};

    fn read(name: &'static str, text: &str) -> Result<Config, BadSettings> {
        let text = text.to_owned();
        let env = move |asked: &str| (asked == name).then(|| text.clone());
        Config::read(&Values { flags: Default::default(), env: Box::new(env) })
    }

    /// Each weak text is refused alone and beside a good one, and never told.
    fn refuses(name: &'static str, good: &str, weak: &[&str]) {
        assert!(read(name, good).is_ok() && read(name, &format!("{good}, {good}")).is_ok(), "{name}");
        let listed = weak.iter().flat_map(|weak| [(*weak).to_owned(), format!("{good},{weak}")]);
        for text in listed.chain([format!("{good},"), ",".to_owned(), [good; 6].join(",")]) {
            let bad = read(name, &text).unwrap_err();
            assert_eq!(bad.0[0].name, name, "{text}");
            assert!(bad.0[0].given.is_none() && !bad.to_string().contains(good), "{bad}");
        }
    }

    #[test]
    fn weak_secrets_are_refused_in_development_too() {
        assert!(read("STANDARD_WEBHOOK_SECRET", "").unwrap().webhooks.standard.is_empty());
        refuses(
            "WC_WEBHOOK_SECRET",
            "4fQmZ0xXr8VtB2nLk7Wd6yHs",
            &["short", "4fQmZ0xXr8VtB2nLk7Wd6yH", &"a".repeat(40), "changeme-changeme-changeme-changeme"],
        );
        refuses(
            "SHOPIFY_WEBHOOK_SECRET",
            "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",
            &["shpss_test", "hush", &"0".repeat(64), "shpss_your-secret-here-your-secret"],
        );
        refuses("META_APP_SECRET", "614fc2afde15eee07a26b2fe3eaee9b9", &["app-secret", &"ab".repeat(16)]);
        refuses(
            "STANDARD_WEBHOOK_SECRET",
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            &["whsec_", "whsec_c2hvcnQ=", "a text that is no base64, however long", &"A".repeat(44)],
        );
    }

    #[test]
    fn a_verify_token_is_no_word_that_anybody_guesses() {
        let read = |text| read("META_VERIFY_TOKEN", text);
        assert!(read("").unwrap().webhooks.meta_verify_tokens.is_none());
        let tokens =
            read("b31f9d0c7e5a2648, old-token-q7Zk1Xw").unwrap().webhooks.meta_verify_tokens.unwrap();
        assert!(
            tokens.accept(b"b31f9d0c7e5a2648") && tokens.accept(b"old-token-q7Zk1Xw") && !tokens.accept(b"")
        );
        for bad in ["short", "b31f9d0c7e5a2648,", "changeme-changeme-changeme"] {
            assert_eq!(read(bad).unwrap_err().0[0].name, "META_VERIFY_TOKEN", "{bad}");
        }
    }

    #[test]
    fn an_empty_secret_file_is_a_mistake() {
        let path = std::env::temp_dir().join(format!("shelfcast-empty-{}", std::process::id()));
        std::fs::write(&path, "\n").unwrap();
        let bad = read("STANDARD_WEBHOOK_SECRET_FILE", path.to_str().unwrap()).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(bad.0[0].name, "STANDARD_WEBHOOK_SECRET_FILE");
    }
}
