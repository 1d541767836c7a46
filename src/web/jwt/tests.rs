//! Which tokens are taken. Keys are made here; the RSA token was made once, because ring makes no RSA keys.

use proptest::prelude::*;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use serde_json::json;

use super::*;

const SECRET: &str = "a-secret-that-only-tests-know-0123456789";
const RSA_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA17vgLFnpyXgI9CPQjW4A\n\
BgnczN2bpTJ8RiGHY9hEHv+Cl46Tb3T3UVdin894p9Y2pii8u6mlH8E2NtXOm+i2\n\
UVaiKM1ZiVMkWQHdTdHL/SAn9Ixt3CertYNhEjTYsCXoDIk/aKGjozITlKqYuqUx\n\
/61SEC395XbMFyz0smAqdm3Y/YnM8P7JSx/wyQaZOuHxnaKnE9dfKYb0FfB/wc7n\n\
4ZDaCoZaPeT7w12KHskG73wnvDo/sG/S/U+ORrJCnBr/1n2A9YAXcwup8gcG8hY2\n\
gsBY8nmyVVg5UYTeQ4vUa41SUBG2JIG6NPIrj6ebsShMIObugaGRIydweULeHDf8\n\
pwIDAQAB\n\
-----END PUBLIC KEY-----\n";
/// RS256, `kid` of a key nobody named here, good until 2100.
const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Im9mLWFub3RoZXItc2hvcCJ9.eyJzdWIiOiJ1MSIsImV4cCI6NDEwMjQ0NDgwMH0.HHAcyg4xPqn49yyrqv-ZNxLpW_B2Xr8piJmCD65qDToDjFAjvJb1tPGta0mA9CzPKGt8Hv_VL_RHdk-pt1ba30plBrtUGGMwuCPEUemktLB7srF-ZAlGwouUC7NsQd0PSwS964SgiSXrtJl0adPD_xCihgBIuA5wI7pVgfwomJZNo7uv-iRAENPiHqAWLEUOgxd1sin8lOLk_c989iNMjfw08X8aL4nJ00R7zt-Y-S5D4HZmCu4RYSSn69i_lxVDCuStmeto_vTMipXDsKCEnJ0Kg0wz_f5kFQreVtZeKxggcf8uzLu1JyTOOMHAACctXUZNu_hWiJ6ufaYABMlBvA";
const RSA_1024_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDabSqX59cf35ctUWO9FMFBu/YI\n\
BphfIXTpdjWroPo7CRu4PJKf7ZqRodmTC4K5jqt5hGxzUwJ+ehZRBTu2/uYuA3A7\n\
T9zzOHRDXjloBVWyWRu9jAGtk/QU6SAZY0WKeCp+j3kxTzPGvjkGZx/Z4+ZqOoyB\n\
PzNe0O4m0Qs2qA+sPwIDAQAB\n\
-----END PUBLIC KEY-----\n";
const P384_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEOAEhGjmVC/jKZVA8j5UQuuhzNHofWuq8\n\
Yp1rM7yn5ExNYXxfgLy/7LpINoQ3g8PiUuF485GknZiOUqrRHBhfAesA48bpp9W2\n\
HKF1LFCE3ao8bnjeqJoZ3QlOpP5f+yYf\n\
-----END PUBLIC KEY-----\n";

fn now() -> LogTime {
    LogTime::parse("2026-01-01T00:00:00Z").unwrap()
}

/// Seconds since 1970, `from_now` seconds away.
fn at(from_now: i64) -> i64 {
    now().micros() / 1_000_000 + from_now
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn with_signature(message: &str, signature: &[u8]) -> String {
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn hs256(secret: &str, header: &Value, claims: &Value) -> String {
    let message = unsigned(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    with_signature(&message, hmac::sign(&key, message.as_bytes()).as_ref())
}

/// A token of our secret with these claims.
fn token(claims: &Value) -> String {
    hs256(SECRET, &json!({"alg": "HS256", "typ": "JWT"}), claims)
}

fn verify(token: &str) -> Result<u64, Unauthorized> {
    JwtKeys::from_secret(SECRET).verify(token, now()).map(|left| left.as_secs())
}

fn good() -> Value {
    json!({"sub": "u1", "exp": at(60)})
}

#[test]
fn a_good_token_tells_how_long_it_is_good() {
    assert_eq!(verify(&token(&good())), Ok(60));
    assert_eq!(verify(&token(&json!({"exp": at(7) as f64 + 0.5}))), Ok(7));
    assert_eq!(verify(&token(&json!({"exp": 1e300}))), Ok(365 * 86_400));
    assert_eq!(verify(&token(&json!({"exp": at(60), "aud": ["x"], "iss": "y", "iat": at(900)}))), Ok(60));
}

#[test]
fn a_token_that_says_no_time_or_a_bad_one_is_refused() {
    for claims in [
        json!({}),
        json!({"exp": null}),
        json!({"exp": "4102444800"}),
        json!({"exp": true}),
        json!({"exp": [at(60)]}),
        json!({"exp": at(0)}),
        json!({"exp": at(-1)}),
        json!({"exp": -1e300}),
        json!({"exp": at(600), "nbf": at(61)}),
        json!({"exp": at(600), "nbf": "0"}),
        json!({"exp": at(600), "nbf": null}),
        json!([at(60)]),
        json!("exp"),
    ] {
        assert_eq!(verify(&token(&claims)), Err(Unauthorized), "{claims}");
    }
}

#[test]
fn a_token_from_a_clock_that_runs_fast_is_taken() {
    assert_eq!(verify(&token(&json!({"exp": at(600), "nbf": at(60)}))), Ok(600));
    assert_eq!(verify(&token(&json!({"exp": at(600), "nbf": at(-5)}))), Ok(600));
}

#[test]
fn only_the_algorithm_of_the_key_counts() {
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "None"}),
        json!({"alg": ""}),
        json!({"alg": "hs256"}),
        json!({"alg": "HS384"}),
        json!({"alg": "RS256"}),
        json!({"alg": ["HS256"]}),
        json!({"typ": "JWT"}),
        json!({"alg": "HS256", "crit": ["exp"]}),
        json!({"alg": "HS256", "b64": false, "crit": ["b64"]}),
        json!(["HS256"]),
    ] {
        assert_eq!(verify(&hs256(SECRET, &header, &good())), Err(Unauthorized), "{header}");
        assert_eq!(verify(&with_signature(&unsigned(&header, &good()), b"")), Err(Unauthorized), "{header}");
    }
    let named =
        hs256(SECRET, &json!({"alg": "HS256", "kid": "whatever", "jku": "http://evil.example"}), &good());
    assert_eq!(verify(&named), Ok(60), "names of keys are not looked at");
}

/// Goal: the classic confusion. Method: the public key, which everybody knows, as the secret of an HS256 token.
#[test]
fn a_public_key_is_no_secret() {
    let keys = JwtKeys::from_public_keys(RSA_PUBLIC).unwrap();
    assert!(keys.verify(RSA_TOKEN, now()).is_ok());
    let der = SubjectPublicKeyInfoDer::from_pem_slice(RSA_PUBLIC.as_bytes()).unwrap();
    let with_both = keys.clone().and(JwtKeys::from_secret(SECRET));
    for secret in [RSA_PUBLIC, RSA_PUBLIC.trim_end(), ""] {
        let forged = hs256(secret, &json!({"alg": "HS256"}), &good());
        assert_eq!(keys.verify(&forged, now()), Err(Unauthorized));
        assert_eq!(with_both.verify(&forged, now()), Err(Unauthorized));
    }
    let message = unsigned(&json!({"alg": "HS256"}), &good());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &der);
    let forged = with_signature(&message, hmac::sign(&key, message.as_bytes()).as_ref());
    assert_eq!(with_both.verify(&forged, now()), Err(Unauthorized));
}

/// A key pair, its public key as PEM, and how it signs.
fn ed25519() -> (String, impl Fn(&str) -> Vec<u8>) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let signer = Ed25519KeyPair::from_pkcs8(&pair.serialize_der()).unwrap();
    (pair.public_key_pem(), move |message: &str| signer.sign(message.as_bytes()).as_ref().to_vec())
}

fn p256() -> (String, impl Fn(&str) -> Vec<u8>) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let random = SystemRandom::new();
    let signer =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair.serialize_der(), &random).unwrap();
    let sign = move |message: &str| signer.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec();
    (pair.public_key_pem(), sign)
}

/// Goal: every algorithm, several keys at a time. Method: one token of each key, judged by all keys and without its own.
#[test]
fn each_kind_of_public_key_takes_its_tokens_and_no_others() {
    let ((old, sign_old), (new, sign_new), (curve, sign_curve)) = (ed25519(), ed25519(), p256());
    let signed = |alg: &str, sign: &dyn Fn(&str) -> Vec<u8>| {
        let message = unsigned(&json!({"alg": alg}), &good());
        let signature = sign(&message);
        with_signature(&message, &signature)
    };
    let tokens = [
        (old, signed("EdDSA", &sign_old)),
        (new, signed("EdDSA", &sign_new)),
        (curve, signed("ES256", &sign_curve)),
        (RSA_PUBLIC.to_owned(), RSA_TOKEN.to_owned()),
    ];
    let pems = |without: Option<usize>| {
        let rest = tokens.iter().enumerate().filter(|(i, _)| Some(*i) != without);
        JwtKeys::from_public_keys(&rest.map(|(_, (pem, _))| pem.as_str()).collect::<String>()).unwrap()
    };
    for (i, (_, token)) in tokens.iter().enumerate() {
        assert!(pems(None).verify(token, now()).is_ok(), "{i}");
        assert_eq!(pems(Some(i)).verify(token, now()), Err(Unauthorized), "{i}");
    }
    assert_eq!(format!("{:?}", pems(None)), r#"["EdDSA", "EdDSA", "ES256", "RS256"]"#);
    for (alg, sign) in
        [("ES256", &sign_new as &dyn Fn(&str) -> Vec<u8>), ("EdDSA", &sign_curve), ("RS256", &sign_curve)]
    {
        assert_eq!(pems(None).verify(&signed(alg, sign), now()), Err(Unauthorized), "{alg}");
    }
}

#[test]
fn what_is_no_public_key_is_told_at_the_start() {
    let (good, _) = p256();
    let private = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let pkcs1 = good.replace("PUBLIC KEY", "RSA PUBLIC KEY");
    let cut = good.replacen("MF", "MA", 1);
    for bad in [
        "",
        "secret",
        &private,
        &pkcs1,
        RSA_1024_PUBLIC,
        P384_PUBLIC,
        &cut,
        &format!("{good}{private}"),
        &format!("{good}{P384_PUBLIC}"),
        &good.replace("-----END", ""),
    ] {
        assert!(JwtKeys::from_public_keys(bad).is_none(), "{bad}");
    }
    assert!(
        JwtKeys::from_public_keys(&good.replace('\n', "\\n")).is_some(),
        "line breaks may be written out"
    );
}

#[test]
fn a_token_of_more_than_4_kib_is_refused_unread() {
    let padded = |len: usize| token(&json!({"exp": at(60), "x": "x".repeat(len)}));
    assert_eq!(verify(&padded(2_900)), Ok(60));
    assert_eq!(verify(&padded(3_100)), Err(Unauthorized));
}

proptest! {
    /// Goal: no other spelling of a good token, and no panic. Method: one byte changed, or any text.
    #[test]
    fn a_changed_token_is_refused(at in 0_usize..100, to in "[ -~]") {
        let good = token(&good());
        let mut changed = good.clone();
        changed.replace_range(at..=at, &to);
        prop_assert_eq!(verify(&changed).is_ok(), changed == good);
    }

    #[test]
    fn no_text_makes_it_panic(text: String, dotted in "[A-Za-z0-9_-]{0,20}[.][A-Za-z0-9_-]{0,20}[.][A-Za-z0-9_-]{0,20}") {
        prop_assert!(verify(&text).is_err());
        prop_assert!(verify(&dotted).is_err());
    }
}
