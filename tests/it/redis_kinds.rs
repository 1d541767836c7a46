//! Every kind of `REDIS_URL`, on real servers: a cluster, sentinels with a failover, TLS with a password.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    sales::plan,
    support::{RedisServer, TestApp},
};

/// Waits for `done`, for so long as a server may take to come up.
async fn until(what: &str, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_cluster_keeps_the_log_and_the_channels() {
    let node = RedisServer::with(&["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"]);
    node.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    until("the cluster serves", || node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok")).await;
    let pod = TestApp::try_pod_at(&format!("redis-cluster://127.0.0.1:{}", node.port()), &[]).await.unwrap();
    let mut stream = pod.stream("products=p1").await;
    pod.price("p1", 1).await;
    assert_eq!(stream.batch().await.count(), 1);
    // The lease, the channels and the stream, all in slots of their own.
    sleep(Duration::from_secs(2)).await;
    let event = r#"{"productId":"p1","type":"price_update","data":{}}"#;
    node.command(&["PUBLISH", "product-updates", event]);
    assert_eq!(stream.batch().await.count(), 1);
    node.command(&["XADD", "product-events", "*", "event", event]);
    assert_eq!(stream.batch().await.count(), 1);
    // What products looked like, and when their sales begin.
    let mut stream = pod.stream("products=shirt").await;
    plan(&pod, 500, 600_000).await;
    assert_eq!(stream.batch().await.data["events"][0]["type"], "product_update");
    assert_eq!(stream.batch().await.data["events"][0]["data"]["active"], true);
}

#[tokio::test]
async fn sentinels_are_followed_to_the_new_primary_and_everyone_is_told() {
    let mut primary = RedisServer::start();
    let port = primary.port().to_string();
    let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]);
    let sentinel = RedisServer::sentinel(primary.port());
    until("the replica is known", || {
        replica.command(&["INFO", "replication"]).contains("master_link_status:up")
            && sentinel.command(&["SENTINEL", "REPLICAS", "main"]).contains(&replica.port().to_string())
    })
    .await;
    let url = format!("redis-sentinel://127.0.0.1:{}?sentinelServiceName=main", sentinel.port());
    let pod = TestApp::try_pod_at(&url, &[]).await.unwrap();
    let mut stream = pod.stream("products=p1&features=resync").await;
    pod.price("p1", 1).await;
    stream.batch().await;
    primary.kill();
    let (word, _) = stream.resync().await;
    assert_eq!(word.text("reason"), "log_reset");
    let begin = Instant::now();
    let event = r#"{"productId":"p1","type":"price_update","data":{}}"#;
    while pod.post(event, &[]).await.status != 202 {
        assert!(begin.elapsed() < Duration::from_secs(5));
        sleep(Duration::from_millis(100)).await;
    }
    stream.batch().await;
}

/// Goal: `rediss://` with a password works, and a certificate that nobody vouches for does not. Method: the binary,
/// because trust in certificates is read from its environment.
#[tokio::test]
async fn tls_is_spoken_to_servers_that_can_be_trusted() {
    let folder = std::env::temp_dir().join(format!("shelfcast-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = RedisServer::with_tls(&certificate, &key, "hunter2hunter2");
    let url = format!("rediss://:hunter2hunter2@localhost:{}", server.tls_port().unwrap());
    for trusted in [true, false] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shelfcast"));
        command.env_clear().env("REDIS_URL", &url).env("PORT", "0").env("HOST", "127.0.0.1");
        if trusted {
            command.env("SSL_CERT_FILE", &certificate);
        }
        let log = folder.join(format!("log-{trusted}"));
        let mut gateway =
            command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let expected = if trusted { "listening" } else { "waiting for Redis" };
        let begin = Instant::now();
        let said = loop {
            let said = fs::read_to_string(&log).unwrap();
            if said.contains(expected) || begin.elapsed() > Duration::from_secs(20) {
                break said;
            }
            sleep(Duration::from_millis(50)).await;
        };
        gateway.kill().unwrap();
        gateway.wait().unwrap();
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        let place = format!("localhost:{}", server.tls_port().unwrap());
        assert!(trusted || said.contains(&place), "it does not say where it looks: {said}");
    }
    fs::remove_dir_all(&folder).unwrap();
}
