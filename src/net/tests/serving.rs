//! A server that stops accepting, as those in line see it.

use std::{
    io::{self, Read},
    net,
};

use axum::{Router, routing::get};
use tokio::net::UnixStream;

use super::*;

#[tokio::test]
async fn whoever_is_in_line_when_a_server_stops_accepting_is_served() {
    // Goal: no reset for a post that was on its way, not even behind more half requests than there are seats. Method: the word
    // to stop comes over a socket, connections right behind it, while the runtime's thread is held: so it learns of all at
    // once, and of the end first.
    let (listener, address) = listener();
    let stops = Stops::default();
    let serving =
        tokio::spawn(serve(listener, Router::new().route("/", get(async || "short")), stops.clone()));
    let (word, mut told) = UnixStream::pair().unwrap();
    let stopping = tokio::spawn(async move {
        told.read_u8().await.unwrap();
        stops.accept.cancel();
    });
    sleep(Duration::from_millis(1)).await;
    assert_eq!(word.try_write(b"!").unwrap(), 1);
    let say = |text: &[u8]| {
        let mut client = net::TcpStream::connect(address)?;
        io::Write::write_all(&mut client, text)?;
        Ok::<_, io::Error>(client)
    };
    let half: Vec<_> = (0..12).map(|_| say(b"GET / HT").unwrap()).collect();
    let clients: Vec<_> = (0..8).map(|_| say(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n").unwrap()).collect();

    stopping.await.unwrap();
    for mut client in clients {
        let reading = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            client.read_to_string(&mut text).map(|_| text)
        });
        assert!(within("reading", reading).await.unwrap().unwrap().ends_with("short"));
    }
    drop(half);
    within("the end", serving).await.unwrap();
}
