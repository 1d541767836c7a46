//! An answer that leaves HTTP, as its client sees it.

use std::sync::atomic::AtomicBool;

use axum::{Router, body::Body, extract::ConnectInfo, response::Response, routing::get};

use super::*;

/// Says hello when it begins, and what the test says after that.
struct Endlessly {
    begun: Mutex<Option<Connection>>,
    ended: AtomicBool,
}

/// So that the test sees when it is dropped.
struct OneAnswer(Arc<Endlessly>);

impl Endless for OneAnswer {
    fn begin(&self, head: Vec<u8>, connection: &Connection) {
        let hello = Bytes::from([&head[..], b"5\r\nhello\r\n"].concat());
        assert_eq!(connection.send(&hello, Instant::now()), Sent::Taken);
        *self.0.begun.lock() = Some(connection.clone());
    }
}

impl Drop for OneAnswer {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

/// A server of one route that never ends and one that does, and a client of it.
async fn server() -> (Arc<Endlessly>, TcpStream, Stops) {
    let endlessly = Arc::new(Endlessly { begun: Mutex::default(), ended: AtomicBool::new(false) });
    let answer = {
        let endlessly = Arc::clone(&endlessly);
        async move |ConnectInfo(connection): ConnectInfo<Connection>| {
            assert!(connection.may_detach());
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert("x-made-by", "a test".parse().unwrap());
            response.extensions_mut().insert(Detach::new(Arc::new(OneAnswer(endlessly))));
            response
        }
    };
    let router = Router::new().route("/endless", get(answer)).route("/", get(async || "short"));
    let (listener, address) = listener();
    let stops = Stops::default();
    tokio::spawn(serve(listener, router, stops.clone()));
    (endlessly, TcpStream::connect(address).await.unwrap(), stops)
}

async fn read_until(client: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        text.push(within("reading", client.read_u8()).await.unwrap() as char);
    }
    text
}

const ASK: &[u8] = b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn its_head_is_that_of_the_answer_and_chunks_follow_it() {
    let (endlessly, mut client, _stops) = server().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    read_until(&mut client, "short").await;
    client.write_all(ASK).await.unwrap();
    let head = read_until(&mut client, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for line in ["x-made-by: a test\r\n", "transfer-encoding: chunked\r\n", "connection: close\r\n", "date: "]
    {
        assert!(head.contains(line), "{line} is missing in {head}");
    }
    assert!(!head.contains("content-length"), "{head}");
    assert_eq!(read_until(&mut client, "hello\r\n").await, "5\r\nhello\r\n");
    let connection = endlessly.begun.lock().clone().unwrap();
    assert_eq!(connection.send(&Bytes::from_static(b"1\r\n!\r\n"), Instant::now()), Sent::Taken);
    assert_eq!(read_until(&mut client, "!\r\n").await, "1\r\n!\r\n");
}

#[tokio::test]
async fn it_ends_with_its_client() {
    let (endlessly, mut client, _stops) = server().await;
    client.write_all(ASK).await.unwrap();
    read_until(&mut client, "hello\r\n").await;
    let connection = endlessly.begun.lock().clone().unwrap();
    drop(client);
    within("the answer", async {
        while !endlessly.ended.load(Ordering::Acquire) {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    within("the connection", async {
        while connection.send(&Bytes::from_static(b"1\r\n!\r\n"), Instant::now()) != Sent::Gone {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn asked_to_end_it_says_so_behind_all_that_was_sent_and_the_server_is_done() {
    let (endlessly, mut client, stops) = server().await;
    client.write_all(ASK).await.unwrap();
    read_until(&mut client, "hello\r\n").await;
    let connection = endlessly.begun.lock().clone().unwrap();
    let many = Bytes::from(vec![b'x'; 100_000]);
    let mut sent = 0;
    while connection.send(&many, Instant::now()) == Sent::Taken {
        sent += many.len();
    }
    connection.close();
    let mut all = Vec::new();
    within("reading", client.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all.len(), sent + "0\r\n\r\n".len());
    assert!(all.ends_with(b"0\r\n\r\n"));
    assert!(endlessly.ended.load(Ordering::Acquire));
    stops.accept.cancel();
}

#[tokio::test]
async fn a_client_that_goes_on_talking_is_not_listened_to_for_ever() {
    let (_endlessly, mut client, _stops) = server().await;
    client.write_all(ASK).await.unwrap();
    read_until(&mut client, "hello\r\n").await;
    client.write_all(&[b' '; 4_000]).await.unwrap();
    // What it said and nobody read makes it a reset or an end.
    let _gone = within("the end", client.read_to_end(&mut Vec::new())).await;
}
