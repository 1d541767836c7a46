//! A shared connection between real sockets and threads: whoever writes, in whatever order the kernel has room, the other
//! end reads whole messages, each sender's in its order, and nothing that was taken stays behind.

#![expect(clippy::disallowed_methods, reason = "tasks of a test end with it")]

mod detached;
mod serving;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::telemetry::Metrics;

const SENDERS: u8 = 3;
const MESSAGES: u32 = 400;
/// The one who serves the connection writes as this one.
const SERVER: u8 = 0;

#[derive(Default)]
struct Shown(AtomicU64);

impl Witness for Shown {
    fn wrote(&self, bytes: &[u8]) {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

/// Sender, number, length, and as many bytes as that.
fn message(sender: u8, number: u32) -> Bytes {
    // Small ones, and some that alone fill what the kernel holds.
    let length = if number.is_multiple_of(50) { 90_000 } else { number.wrapping_mul(2_654_435_761) % 3_000 };
    let mut out = vec![sender];
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.resize(out.len() + length as usize, sender);
    out.into()
}

fn listener() -> (GuardedListener, SocketAddr) {
    let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let connections =
        Connections::new(Seats::new(10, None), Arc::new(|_| None), Deadlines::default(), metrics);
    tokio::spawn(Arc::clone(&connections).watch(CancellationToken::new()));
    (GuardedListener::new(listener, connections), address)
}

async fn pair() -> (Guarded, TcpStream) {
    let (mut listener, address) = listener();
    let (guarded, client) = tokio::join!(listener.accept(), TcpStream::connect(address));
    (guarded, client.unwrap())
}

/// Sends beside the one who serves it; what it does not take is sent again.
fn send_all(connection: Connection, sender: u8) -> JoinHandle<()> {
    tokio::spawn(async move {
        for number in 0..MESSAGES {
            while connection.send(&message(sender, number), Instant::now()) == Sent::Full {
                sleep(Duration::from_millis(1)).await;
            }
            if number.is_multiple_of(7) {
                tokio::task::yield_now().await;
            }
        }
    })
}

/// Reads until every message of these senders has come, resting now and then; answers how many came of each.
async fn read_all(client: &mut TcpStream, senders: &[u8]) {
    let mut next = [0_u32; SENDERS as usize + 1];
    let mut read = 0_u64;
    while senders.iter().any(|sender| next[*sender as usize] < MESSAGES) {
        let (sender, number) = (client.read_u8().await.unwrap(), client.read_u32().await.unwrap());
        let mut payload = vec![0; client.read_u32().await.unwrap() as usize];
        client.read_exact(&mut payload).await.unwrap();
        assert!(payload.iter().all(|byte| *byte == sender), "a message has another inside it");
        assert_eq!(number, next[sender as usize], "of sender {sender}");
        next[sender as usize] += 1;
        read += 1;
        if read.is_multiple_of(150) {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Whoever reads the connection gets what the client says now.
async fn still_reads(client: &mut TcpStream, reader: JoinHandle<std::io::Result<u8>>) {
    client.write_u8(1).await.unwrap();
    assert_eq!(within("the reader", reader).await.unwrap().unwrap(), 1);
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), work).await.unwrap_or_else(|_| panic!("{what} does not end"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn whoever_writes_messages_arrive_whole_and_in_order() {
    let (guarded, mut client) = pair().await;
    let connection = guarded.connection().clone();
    let shown = Arc::new(Shown::default());
    connection.share(shown.clone());
    let (mut reading, mut writing) = tokio::io::split(guarded);
    let reader = tokio::spawn(async move { reading.read_u8().await });
    let writer = tokio::spawn(async move {
        for number in 0..MESSAGES {
            writing.write_all(&message(SERVER, number)).await.unwrap();
            writing.flush().await.unwrap();
        }
        writing
    });
    let senders: Vec<_> = (1..=SENDERS).map(|sender| send_all(connection.clone(), sender)).collect();
    within("reading", read_all(&mut client, &[0, 1, 2, 3])).await;
    for sender in senders {
        sender.await.unwrap();
    }
    let _writing = within("writing", writer).await.unwrap();
    let served: usize = (0..MESSAGES).map(|number| message(SERVER, number).len()).sum();
    assert_eq!(shown.0.load(Ordering::Relaxed), served as u64, "and the witness was shown what was served");
    still_reads(&mut client, reader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_leaves_although_the_one_who_serves_it_only_reads() {
    let (guarded, mut client) = pair().await;
    let connection = guarded.connection().clone();
    connection.share(Arc::new(Shown::default()));
    let (mut reading, _writing) = tokio::io::split(guarded);
    let reader = tokio::spawn(async move { reading.read_u8().await });
    let sender = send_all(connection.clone(), 1);
    within("reading", read_all(&mut client, &[1])).await;
    sender.await.unwrap();
    still_reads(&mut client, reader).await;
    assert!(!connection.owes_write());
}

#[tokio::test]
async fn an_end_waits_for_what_was_taken() {
    let (mut guarded, mut client) = pair().await;
    let connection = guarded.connection().clone();
    connection.share(Arc::new(Shown::default()));
    let many = Bytes::from(vec![7_u8; 100_000]);
    let mut taken = 0;
    while connection.send(&many, Instant::now()) == Sent::Taken {
        taken += many.len();
    }
    let ending = tokio::spawn(async move { guarded.shutdown().await });
    let mut all = Vec::new();
    within("reading", client.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all.len(), taken);
    ending.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_is_still_held_does_not_keep_its_socket_open() {
    let (guarded, mut client) = pair().await;
    let connection = guarded.connection().clone();
    connection.share(Arc::new(Shown::default()));
    drop(guarded);
    assert_eq!(within("the end", client.read(&mut [0; 8])).await.unwrap(), 0);
    assert_eq!(connection.send(&Bytes::from_static(b"x"), Instant::now()), Sent::Gone);
    assert!(!connection.owes_write());
}

#[tokio::test]
async fn a_client_that_takes_nothing_makes_it_full_and_a_cut_ends_it() {
    let (mut guarded, mut client) = pair().await;
    let connection = guarded.connection().clone();
    connection.share(Arc::new(Shown::default()));
    let some = Bytes::from(vec![7_u8; 10_000]);
    while connection.send(&some, Instant::now()) == Sent::Taken {}
    assert!(connection.is_full() && connection.owes_write());
    connection.cut();
    assert!(within("the cut", guarded.read_u8()).await.is_err());
    drop(guarded);
    let mut all = Vec::new();
    assert!(
        within("reading", client.read_to_end(&mut all)).await.is_err(),
        "it is reset, and nothing is left to send"
    );
}
