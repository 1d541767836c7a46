//! Socket.IO packets as WebSocket messages, through the whole service.
//!
//! An input is the messages of one connection, separated by U+001E as in a polling body; one that begins with NUL is sent
//! as a binary message. Nothing is sent that is not in the input, so most begin with `40`.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{io::DuplexStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use super::packets::{self, CONNECT, SEPARATOR};
use crate::gateway::{QUIET, settled, with_gateway};

/// Runs one input.
pub fn run(input: &[u8]) {
    with_gateway(async |gateway| {
        let input = gateway.with_epoch(input);
        let text = String::from_utf8_lossy(&input);
        gateway.connect(async |stream| talk(stream, &text).await).await;
        gateway.is_as_before().await;
    });
}

async fn talk(stream: DuplexStream, text: &str) {
    let url = "ws://localhost/socket.io/?EIO=4&transport=websocket";
    let (mut socket, _) = client_async(url, stream).await.expect("a WebSocket");
    for packet in text.split(SEPARATOR) {
        let message = match packet.strip_prefix('\0') {
            Some(binary) => Message::binary(binary.as_bytes().to_vec()),
            None => Message::text(packet),
        };
        // The gateway may close at any packet; then it is seen below what it said before.
        if socket.send(message).await.is_err() {
            break;
        }
        // Clients send nothing more before they are connected, and are cut if they do.
        if packet.starts_with(CONNECT) {
            settled().await;
        }
    }
    listen(&mut socket, text).await;
}

/// Reads until nothing more comes.
async fn listen(socket: &mut WebSocketStream<DuplexStream>, asked: &str) {
    while let Ok(Some(Ok(message))) = timeout(QUIET, socket.next()).await {
        match message {
            Message::Text(packet) => packets::check(&packet, asked),
            Message::Close(_) => {}
            other => panic!("the gateway sends text: {other:?}"),
        }
    }
}
