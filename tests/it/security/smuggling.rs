//! S30: requests that two parsers read differently, and so carry a second one past a proxy.

use std::time::Duration;

use shelfcast::app::App;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::support::{KEY, config, memory_log, real_clock};

const EVENT: &str = r#"{"productId":"p1","type":"price_update","data":{}}"#;
/// What an attacker hides behind the first request. Only this path answers 404 here.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

fn notify(framing: &str, body: &str) -> String {
    format!(
        "POST /api/notify HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n{body}"
    )
}

/// Every answer on one connection until it is closed, or quiet: the status lines, and whether it was closed.
async fn answers(address: std::net::SocketAddr, request: &[u8]) -> (Vec<u16>, bool) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A gateway that refused already may have closed while this is written.
    let _written = stream.write_all(request).await;
    let (mut read, mut buffer) = (Vec::new(), [0_u8; 4096]);
    let closed = loop {
        match timeout(Duration::from_millis(400), stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => break true,
            Ok(Ok(n)) => read.extend_from_slice(&buffer[..n]),
            Err(_quiet) => break false,
        }
    };
    let text = String::from_utf8_lossy(&read).into_owned();
    let status = |rest: &str| rest.split(' ').nth(1).and_then(|code| code.parse().ok());
    (text.match_indices("HTTP/1.").filter_map(|(at, _)| status(&text[at..])).collect(), closed)
}

async fn with_gateway<F: Future<Output = ()>>(test: impl FnOnce(std::net::SocketAddr) -> F) {
    let config = config(&[]);
    let app = App::build_on(&config, std::sync::Arc::new(memory_log(&config)), real_clock()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let running = app.run(listener, None, std::future::pending());
    tokio::select! { ended = running => ended.unwrap(), () = test(address) => {} }
}

/// Goal: what cannot be read in one way only is refused, or answered as the last of its connection; what stands behind it
/// is never taken for a request. Method: each form on a connection of its own, with a hidden request behind it.
#[tokio::test]
async fn a_request_with_two_readings_is_the_last_of_its_connection() {
    let length = format!("Content-Length: {}", EVENT.len());
    let chunked = "Transfer-Encoding: chunked";
    let chunks = format!("{:x}\r\n{EVENT}\r\n0\r\n\r\n", EVENT.len());
    let ambiguous = [
        // Both lengths told, in both orders, right and short.
        (notify(&format!("{length}\r\n{chunked}"), &chunks)),
        (notify(&format!("{chunked}\r\n{length}"), &chunks)),
        (notify(&format!("Content-Length: 4\r\n{chunked}"), &chunks)),
        (notify(&format!("{chunked}\r\nContent-Length: 0"), &chunks)),
        // Several lengths, or none that is one.
        (notify(&format!("{length}\r\nContent-Length: 0"), EVENT)),
        (notify(&format!("{length}, {}", EVENT.len()), EVENT)),
        (notify("Content-Length: +50", EVENT)),
        (notify("Content-Length: -1", EVENT)),
        (notify("Content-Length: 0x32", EVENT)),
        (notify("Content-Length: 5 0", EVENT)),
        (notify("Content-Length: 99999999999999999999999", EVENT)),
        (notify("Content-Length:", EVENT)),
        // Transfer codings that are spelt so that somebody overlooks them.
        (notify(&format!("{chunked}\r\nTransfer-Encoding: identity"), &chunks)),
        (notify("Transfer-Encoding: identity", &chunks)),
        (notify("Transfer-Encoding: xchunked", &chunks)),
        (notify("Transfer-Encoding: chunked, gzip", &chunks)),
        (notify("Transfer-Encoding : chunked", &chunks)),
        (notify("Transfer-Encoding: \u{b}chunked", &chunks)),
        (notify("Transfer-Encoding:\r\n chunked", &chunks)),
        (notify(chunked, &chunks).replace("HTTP/1.1", "HTTP/1.0")),
        // Folded, cut and split header lines.
        (notify(&format!("X-A: b\r\n c\r\n{length}"), EVENT)),
        (notify(&format!("X-A: b\rContent-Length: 0\r\n{length}"), EVENT)),
        (notify(&format!("X-A: b\0c\r\n{length}"), EVENT)),
        (notify(&format!("X-A\r\n{length}"), EVENT)),
        (notify(&format!("X A: b\r\n{length}"), EVENT)),
        ("GET /health/live HTTP/1.1\rHost: x\r\n\r\n".into()),
        ("GET /health/live\r\n".into()),
        ("GET /health/live HTTP/1.2\r\nHost: x\r\n\r\n".into()),
        // Sizes of chunks.
        (notify(chunked, "0x32\r\n")),
        (notify(chunked, "-1\r\n")),
        (notify(chunked, "fffffffffffffffff\r\n")),
        (notify(chunked, "10000000000000032\r\n")),
        (notify(chunked, "5\r\nabcdeX\r\n0\r\n\r\n")),
        (notify(chunked, "5\nabcde\r\n0\r\n\r\n")),
        (notify(chunked, "5;a\nb\r\nabcde\r\n0\r\n\r\n")),
        (notify(chunked, "\r\nabcde\r\n0\r\n\r\n")),
        // The same at the door of Socket.IO.
        ("POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into()),
    ];
    with_gateway(async |address| {
        for request in &ambiguous {
            let (statuses, closed) = answers(address, [request, SMUGGLED].concat().as_bytes()).await;
            assert!(closed, "the connection stays open after {request:?}: {statuses:?}");
            assert!(matches!(statuses[..], [] | [400 | 202]), "{statuses:?} to {request:?}");
        }
    })
    .await;
}

/// Goal: a body is never taken for a request, whoever refused it and why. Method: bodies that look like one, read or not,
/// and a real request behind them: one answer each, in order.
#[tokio::test]
async fn a_body_is_never_taken_for_a_request() {
    let length = SMUGGLED.len();
    let plain =
        |head: &str| format!("{head} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}");
    let live = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    with_gateway(async |address| {
        for (request, status) in [
            (notify(&format!("Content-Length: {}", EVENT.len()), EVENT), 202),
            (notify(&format!("Content-Length: {length}"), SMUGGLED), 400),
            (plain("POST /api/notify"), 401),
            (plain("GET /health/live"), 200),
            (plain("PUT /api/notify"), 405),
            (plain("GET /api/events"), 400),
            (plain("POST /socket.io/?EIO=4&transport=polling&sid=x"), 400),
            (plain("OPTIONS /api/notify"), 200),
        ] {
            let (statuses, closed) = answers(address, [&request, live].concat().as_bytes()).await;
            let in_order = statuses == [status, 200] || (closed && statuses == [status]);
            assert!(in_order, "{statuses:?} to {request:?}");
        }
        // Announced, and never sent: the request behind it belongs to the body.
        let (statuses, closed) =
            answers(address, notify("Content-Length: 300000", SMUGGLED).as_bytes()).await;
        assert_eq!((statuses, closed), (vec![413], true));
    })
    .await;
}
