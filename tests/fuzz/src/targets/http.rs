//! Raw bytes as a client's side of one connection, through the HTTP library and every route.
//!
//! An input is what the client sends; each line feed without a carriage return gets one, so that requests can be written by
//! hand. It may use the gateway's key.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    time::timeout,
};

use crate::gateway::{QUIET, with_gateway};

/// What a client reads at most: a stream would go on for ever.
const READ_BYTES_MAX: usize = 256 * 1024;

/// Runs one input.
pub fn run(input: &[u8]) {
    with_gateway(async |gateway| {
        let input = with_carriage_returns(&gateway.with_epoch(input));
        gateway.connect(async |stream| talk(stream, &input).await).await;
        gateway.is_as_before().await;
    });
}

fn with_carriage_returns(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len() + 16);
    for byte in input {
        if *byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

async fn talk(mut stream: DuplexStream, input: &[u8]) {
    // The gateway may hang up before it has read everything.
    let sent: io::Result<()> = stream.write_all(input).await;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(Ok(1..)) = timeout(QUIET, read_into(&mut stream, &mut chunk, &mut answer)).await {
        if answer.len() > READ_BYTES_MAX {
            break;
        }
    }
    assert!(sent.is_ok() || answer.is_empty() || answer.starts_with(b"HTTP/1."), "cut without a word");
    check(&answer, input);
}

async fn read_into(stream: &mut DuplexStream, chunk: &mut [u8], answer: &mut Vec<u8>) -> io::Result<usize> {
    let read = stream.read(chunk).await?;
    answer.extend_from_slice(&chunk[..read]);
    Ok(read)
}

/// The first answer is HTTP, is no failure of ours, and a refusal of ours says why.
fn check(answer: &[u8], input: &[u8]) {
    if answer.is_empty() || input.starts_with(b"PRI * HTTP/2.0") {
        return;
    }
    let text = String::from_utf8_lossy(answer);
    let status = text.strip_prefix("HTTP/1.1 ").or_else(|| text.strip_prefix("HTTP/1.0 "));
    let status: u16 = status.and_then(|rest| rest.get(..3)?.parse().ok()).expect("a status line");
    assert!((100..500).contains(&status), "a failure of ours: {text}");
    if let Some((head, body)) = text.split_once("\r\n\r\n")
        && head.contains("application/problem+json")
        && !input.starts_with(b"HEAD ")
    {
        assert!(
            body.starts_with(r#"{"type":"about:blank","title":""#) && body.contains(r#""code":""#),
            "{text}"
        );
    }
}
