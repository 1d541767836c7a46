//! What settings may be, and that every bad one is told at once.

use std::collections::HashMap;

use super::*;

fn read(env: &[(&'static str, &str)]) -> Result<Config, BadSettings> {
    let env: HashMap<_, _> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Config::read(&Values { flags: HashMap::new(), env: Box::new(move |name| env.get(name).cloned()) })
}

fn bad_names(env: &[(&'static str, &str)]) -> Vec<String> {
    read(env).unwrap_err().0.into_iter().map(|bad| bad.name).collect()
}

#[test]
fn nothing_at_all_is_enough_for_development() {
    let config = read(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:3003");
    assert_eq!(config.origins.allowed, ["http://localhost:3009"]);
    assert_eq!(config.batch.window, Duration::from_millis(300));
    assert!(config.console && config.origins.allow_localhost);
    let key = config.generated_key.expect("a key is made up");
    assert!(key.len() >= 32 && config.api_keys.accept(key.as_bytes()));
}

#[test]
fn every_bad_value_is_told_at_once_and_no_secret_with_it() {
    let bad = read(&[
        ("PORT", "http"),
        ("BATCH_WINDOW_MS", "-1"),
        ("BATCH_EDGE", "both"),
        ("LOG_LEVEL", "loud loud"),
        ("APP_ENV", "production"),
        ("INTERNAL_API_KEY", "hunter2"),
        ("ALLOWED_ORIGINS", "shop.example"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, nginx"),
    ])
    .unwrap_err();
    let names: Vec<_> = bad.0.iter().map(|b| b.name.as_str()).collect();
    let expected = [
        "PORT",
        "INTERNAL_API_KEY",
        "ALLOWED_ORIGINS",
        "TRUSTED_PROXIES",
        "BATCH_WINDOW_MS",
        "BATCH_EDGE",
        "LOG_LEVEL",
    ];
    assert_eq!(names, expected);
    assert!(!bad.to_string().contains("hunter2"));
}

#[test]
fn production_wants_long_random_keys() {
    let production = |key: &str| read(&[("APP_ENV", "production"), ("INTERNAL_API_KEY", key)]);
    assert!(production("").is_err());
    assert!(production("short").is_err());
    assert!(production("change-me-change-me-change-me-change-me").is_err());
    assert!(production("00000000000000000000000000000000000").is_err());
    let (old, new) = ("b7e1c0f5a2d94386b7e1c0f5a2d94386", "f0c2a9d17b3e4856f0c2a9d17b3e4856");
    let config = production(&format!("{old}, {new}")).unwrap();
    assert!(config.api_keys.accept(old.as_bytes()) && config.api_keys.accept(new.as_bytes()));
    assert!(!config.console && !config.origins.allow_localhost && config.generated_key.is_none());
    assert!(production(&format!("{old},short")).is_err(), "every key counts");
}

#[test]
fn the_original_names_of_settings_are_read_too() {
    assert_eq!(read(&[("WEBSOCKET_PORT", "1")]).unwrap().listen.port(), 1);
    assert_eq!(read(&[("WEBSOCKET_PORT", "1"), ("PORT", "2")]).unwrap().listen.port(), 2);
    assert_eq!(bad_names(&[("NODE_ENV", "production")]), ["INTERNAL_API_KEY"]);
}

#[test]
fn a_flag_wins_over_the_environment() {
    let values = Values {
        flags: HashMap::from([("PORT", "5".to_owned())]),
        env: Box::new(|name| (name == "PORT").then(|| "6".to_owned())),
    };
    assert_eq!(Config::read(&values).unwrap().listen.port(), 5);
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let path = std::env::temp_dir().join(format!("shelfcast-key-{}", std::process::id()));
    std::fs::write(&path, "a-key-from-a-file\n").unwrap();
    let config = read(&[("INTERNAL_API_KEY_FILE", path.to_str().unwrap())]).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(config.api_keys.accept(b"a-key-from-a-file"));
    assert_eq!(bad_names(&[("INTERNAL_API_KEY_FILE", "/nowhere/key")]), ["INTERNAL_API_KEY_FILE"]);
}

#[test]
fn urls_become_the_origins_browsers_send() {
    let config = read(&[("FRONTEND_URL", "https://Shop.example:443/en/, http://shop.example:8080")]).unwrap();
    assert_eq!(config.origins.allowed, ["https://shop.example", "http://shop.example:8080"]);
    let config = read(&[("ALLOWED_ORIGINS", "https://a.example")]).unwrap();
    assert_eq!(config.origins.allowed, ["https://a.example"]);
}

#[test]
fn a_redis_url_is_checked_and_never_told() {
    assert!(read(&[]).unwrap().redis.is_none());
    for url in [
        "redis://h",
        "rediss://u:p@h:1/2",
        "redis-cluster://h:1?node=i:2",
        "redis-sentinel://h?sentinelServiceName=m",
    ] {
        assert!(read(&[("REDIS_URL", url)]).unwrap().redis.is_some(), "{url}");
    }
    for url in ["localhost:6379", "http://h", "redis://", "redis-sentinel://h"] {
        assert_eq!(bad_names(&[("REDIS_URL", url)]), ["REDIS_URL"], "{url}");
    }
    let bad = read(&[("REDIS_URL", "redis:/hunter2@h")]).unwrap_err().to_string();
    assert!(!bad.contains("hunter2"), "{bad}");
    let good = read(&[("REDIS_URL", "redis://:hunter2@h")]).unwrap();
    assert!(!format!("{good:?}").contains("hunter2"));
    assert_eq!(bad_names(&[("REDIS_URL", "redis://h"), ("REDIS_PREFIX", "{a}")]), ["REDIS_PREFIX"]);
    assert_eq!(bad_names(&[("DURABILITY", "disk")]), ["DURABILITY"]);
}

#[test]
fn a_budget_is_a_whole_number_of_refetches() {
    let budget = |text: &str| Ok(read(&[("ORIGIN_RPS_BUDGET", text)])?.hub.origin_rps_budget.map(u32::from));
    assert_eq!(budget(""), Ok::<_, BadSettings>(None));
    assert_eq!((budget("1"), budget("1000000")), (Ok(Some(1)), Ok(Some(1_000_000))));
    for bad in ["0", "1000001", "-1", "2.5", "many"] {
        assert_eq!(bad_names(&[("ORIGIN_RPS_BUDGET", bad)]), ["ORIGIN_RPS_BUDGET"]);
    }
}

#[test]
fn production_wants_a_long_random_jwt_secret() {
    let production = |secret: &str| {
        let key = "b7e1c0f5a2d94386b7e1c0f5a2d94386";
        read(&[("APP_ENV", "production"), ("INTERNAL_API_KEY", key), ("JWT_SECRET", secret)])
    };
    assert!(production("").unwrap().jwt.is_empty());
    assert!(!production("f0c2a9d17b3e4856f0c2a9d17b3e4856").unwrap().jwt.is_empty());
    for bad in ["short", "your-secret-your-secret-your-secret-your-secret"] {
        let told = production(bad).unwrap_err();
        assert_eq!(told.0[0].name, "JWT_SECRET");
        assert!(!told.to_string().contains(bad));
    }
    assert!(!read(&[("JWT_SECRET", "short")]).unwrap().jwt.is_empty(), "in development any will do");
}

#[test]
fn a_required_token_needs_a_key_to_judge_it() {
    assert!(!read(&[]).unwrap().require_auth);
    assert_eq!(bad_names(&[("REQUIRE_AUTH", "true")]), ["REQUIRE_AUTH"]);
    assert!(read(&[("REQUIRE_AUTH", "true"), ("JWT_SECRET", "s")]).unwrap().require_auth);
    assert_eq!(bad_names(&[("REQUIRE_AUTH", "true"), ("JWT_PUBLIC_KEY", "no key")]), ["JWT_PUBLIC_KEY"]);
}
