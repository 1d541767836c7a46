//! The checker itself: every anomaly in a history made by hand is found, a good history passes, and a delivery that is
//! deleted from one is missed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use shelfcast_proof::{
    checker::{self, Kind, Report},
    history::{self, Names},
};

fn check(text: &str) -> Report {
    let (mut names, mut records) = (Names::default(), Vec::new());
    history::read(text.as_bytes(), &mut names, |_, record| records.push(record)).unwrap();
    checker::check(&names, &records)
}

/// Lines are numbered, so that nobody has to write times.
fn history(lines: &str) -> String {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    (1..).zip(lines).map(|(t, line)| format!("{{\"t\":{t},{line}}}\n")).collect()
}

fn found(lines: &str) -> Vec<(Kind, u64)> {
    check(&history(lines)).found.into_iter().collect()
}

const OPENING: &str = r#"
    "op":"open","client":"c","conn":"c1","pod":"a","transport":"socketio","announced":true
    "op":"join","conn":"c1","product":"p","since":null
    "op":"joined","conn":"c1","product":"p","result":"joined","cursor":"e.0"
"#;

/// Event 1 at e.1, accepted.
const ONE: &str = r#"
    "op":"publish","id":1,"product":"p","type":"price_update","request":1
    "op":"accepted","request":1,"ids":[1],"cursor":"e.1","duplicate":false
"#;

/// Event 2 at e.2, accepted.
const TWO: &str = r#"
    "op":"publish","id":2,"product":"p","type":"price_update","request":2
    "op":"accepted","request":2,"ids":[2],"cursor":"e.2","duplicate":false
"#;

fn batch(conn: &str, cursor: &str, previous: &str, ids: &[u64]) -> String {
    let events: Vec<_> = ids.iter().map(|id| json!([id, "price_update"])).collect();
    format!(
        r#""op":"batch","conn":"{conn}","product":"p","cursor":"{cursor}","previous":"{previous}","replay":false,"events":{}
        "#,
        json!(events)
    )
}

fn parts(parts: &[&str]) -> Vec<(Kind, u64)> {
    found(&parts.concat())
}

#[test]
fn a_delivered_event_is_all_right() {
    assert_eq!(parts(&[OPENING, ONE, &batch("c1", "e.1", "e.0", &[1])]), []);
}

#[test]
fn what_never_came_is_a_lost_tail() {
    assert_eq!(parts(&[OPENING, ONE]), [(Kind::LostTail, 1)]);
}

#[test]
fn what_never_came_although_the_client_was_told_positions_beyond_it_is_lost() {
    let beat = r#""op":"position","conn":"c1","cursor":"e.1""#;
    assert_eq!(parts(&[OPENING, ONE, beat]), [(Kind::Lost, 1)]);
}

#[test]
fn an_answer_that_nothing_is_missing_is_a_stale_resume() {
    let back = r#"
        "op":"close","conn":"c1"
        "op":"open","client":"c","conn":"c2","pod":"b","transport":"socketio","announced":true
        "op":"join","conn":"c2","product":"p","since":"e.0"
        "op":"joined","conn":"c2","product":"p","result":"up_to_date","cursor":"e.1"
    "#;
    assert_eq!(parts(&[OPENING, ONE, back]), [(Kind::StaleResume, 1)]);
    let live = batch("c2", "e.1", "e.0", &[1]);
    assert_eq!(parts(&[OPENING, ONE, back, &live]), [], "it came live afterwards");
}

#[test]
fn a_later_event_of_the_same_type_makes_up_for_one() {
    assert_eq!(parts(&[OPENING, ONE, TWO, &batch("c1", "e.2", "e.0", &[2])]), []);
    let other = ONE.replace("price_update", "sale_update");
    assert_eq!(parts(&[OPENING, &other, TWO, &batch("c1", "e.2", "e.0", &[2])]), [(Kind::Lost, 1)]);
}

#[test]
fn an_earlier_event_does_not() {
    assert_eq!(parts(&[OPENING, ONE, TWO, &batch("c1", "e.1", "e.0", &[1])]), [(Kind::LostTail, 1)]);
}

#[test]
fn a_word_makes_up_for_all_that_was_sent_before_it() {
    for word in [
        r#""op":"resync","conn":"c1","products":null,"reason":"gap","cursor":"e.1""#,
        r#""op":"resync","conn":"c1","products":["p"],"reason":"slow","cursor":"e.1""#,
        r#""op":"batch","conn":"c1","product":"p","cursor":"e.1","previous":"e.1","replay":false,"events":[]"#,
    ] {
        assert_eq!(parts(&[OPENING, ONE, word]), []);
        let early = word.replace("e.1", "e.0") + "\n";
        assert_eq!(parts(&[OPENING, &early, ONE]), [(Kind::LostTail, 1)], "too early");
    }
    let elsewhere = r#""op":"resync","conn":"c1","products":["q"],"reason":"slow","cursor":"e.1""#;
    assert_eq!(parts(&[OPENING, ONE, elsewhere]), [(Kind::LostTail, 1)]);
}

#[test]
fn nothing_is_owed_to_who_left_or_went_or_forgot_where_it_was() {
    let close = "\"op\":\"close\",\"conn\":\"c1\"\n";
    assert_eq!(parts(&[OPENING, ONE, close]), [], "it never came back");
    assert_eq!(parts(&[OPENING, ONE, r#""op":"leave","conn":"c1","product":"p""#]), []);
    let back = |since: &str| {
        format!(
            r#""op":"open","client":"c","conn":"c2","pod":"b","transport":"socketio","announced":true
            "op":"join","conn":"c2","product":"p","since":{since}
            "op":"joined","conn":"c2","product":"p","result":"joined","cursor":"e.1"
            "#
        )
    };
    assert_eq!(parts(&[OPENING, close, ONE, &back("null")]), []);
    assert_eq!(parts(&[OPENING, close, ONE, &back("\"e.0\"")]), [(Kind::Lost, 1)]);
}

#[test]
fn nothing_is_owed_of_what_nobody_knows() {
    let unknown = ONE.replace(
        r#""op":"accepted","request":1,"ids":[1],"cursor":"e.1","duplicate":false"#,
        r#""op":"unknown","request":1"#,
    );
    assert_eq!(parts(&[OPENING, &unknown]), []);
    assert_eq!(parts(&[OPENING, &unknown, &batch("c1", "e.1", "e.0", &[1])]), [], "but it may come");
}

#[test]
fn an_event_that_nobody_sent_is_a_phantom() {
    assert_eq!(parts(&[OPENING, &batch("c1", "e.1", "e.0", &[7])]), [(Kind::Phantom, 1)]);
    let other = ONE.replace("price_update", "sale_update");
    assert!(parts(&[OPENING, &other, &batch("c1", "e.1", "e.0", &[1])]).contains(&(Kind::Phantom, 1)));
}

#[test]
fn a_refused_event_that_comes_is_an_aborted_read() {
    let refused = |status: u16| {
        format!(
            r#""op":"publish","id":1,"product":"p","type":"price_update","request":1
            "op":"refused","request":1,"status":{status}
            "#
        )
    };
    let came = batch("c1", "e.1", "e.0", &[1]);
    assert_eq!(parts(&[OPENING, &refused(422), &came]), [(Kind::AbortedRead, 1)]);
    assert_eq!(parts(&[OPENING, &refused(503), &came]), [], "a 503 is unknown");
}

#[test]
fn the_same_position_twice_on_a_connection_is_a_duplicate() {
    let one = batch("c1", "e.1", "e.0", &[1]);
    assert_eq!(parts(&[OPENING, ONE, &one, &one]), [(Kind::Duplicate, 2)], "position and event");
    let replay = one.replace("\"replay\":false", "\"replay\":true");
    assert_eq!(parts(&[OPENING, ONE, &one, &replay]), []);
    let both = batch("c1", "e.2", "e.0", &[1, 2]);
    assert_eq!(parts(&[OPENING, ONE, TWO, &one, &both]), [(Kind::Duplicate, 1)], "inside a batch");
}

#[test]
fn a_position_that_goes_back_on_a_connection_is_reordered() {
    let (one, two) = (batch("c1", "e.1", "e.0", &[1]), batch("c1", "e.2", "e.1", &[2]));
    assert!(parts(&[OPENING, ONE, TWO, &two, &one]).contains(&(Kind::Reordered, 2)), "position and event");
    assert_eq!(parts(&[OPENING, ONE, TWO, &batch("c1", "e.2", "e.0", &[2, 1])]), [(Kind::Inconsistent, 1)]);
}

#[test]
fn two_contents_of_one_position_are_inconsistent_if_that_goes_on() {
    let other_pod = r#"
        "op":"open","client":"d","conn":"d1","pod":"b","transport":"sse","announced":true
        "op":"publish","id":9,"product":"p","type":"price_update","request":9
        "op":"unknown","request":9
    "#;
    let (here, there) = (batch("c1", "e.1", "e.0", &[1]), batch("d1", "e.1", "e.0", &[9]));
    let later = |epoch: &str| {
        format!("{{\"t\":60000,\"op\":\"position\",\"conn\":\"c1\",\"cursor\":\"{epoch}.1\"}}\n")
    };
    let begin = history(&[OPENING, ONE, other_pod, &here, &there].concat());
    let found = |end: &str| check(&format!("{begin}{end}")).found.into_iter().collect::<Vec<_>>();
    assert_eq!(found(&later("e")), [(Kind::Inconsistent, 1)]);
    assert_eq!(found(&later("f")), [], "found out: a new epoch");
}

#[test]
fn a_chain_that_jumps_over_an_owed_event_is_a_hole() {
    // The later one makes up for it in the end; the server was wrong all the same.
    assert_eq!(parts(&[OPENING, ONE, TWO, &batch("c1", "e.2", "e.1", &[2])]), [(Kind::Hole, 1)]);
    let word =
        "\"op\":\"resync\",\"conn\":\"c1\",\"products\":[\"p\"],\"reason\":\"slow\",\"cursor\":\"e.1\"\n";
    assert_eq!(parts(&[OPENING, ONE, word, TWO, &batch("c1", "e.2", "e.1", &[2])]), []);
}

#[test]
fn a_position_that_was_another_event_before_a_fork_is_no_hole() {
    let other = r#""op":"publish","id":9,"product":"p","type":"sale_update","request":9
        "op":"unknown","request":9
        "#;
    let before_the_fork = batch("c1", "e.1", "e.0", &[9]).replace("price_update", "sale_update");
    assert_eq!(parts(&[OPENING, other, ONE, TWO, &before_the_fork, &batch("c1", "e.2", "e.1", &[2])]), []);
}

#[test]
fn an_event_taken_on_both_sides_of_a_split_is_one_event() {
    let twice = ONE.to_owned()
        + r#""op":"accepted","request":1,"ids":[1],"cursor":"f.8","duplicate":false
    "#;
    assert_eq!(parts(&[OPENING, &twice, &batch("c1", "e.1", "e.0", &[1])]), []);
    assert_eq!(parts(&[OPENING, &twice, &batch("c1", "f.8", "f.7", &[1])]), []);
    assert_eq!(parts(&[OPENING, &twice]), [(Kind::LostTail, 1)]);
}

#[test]
fn a_proof_names_the_lines() {
    let report = check(&history(&[OPENING, ONE].concat()));
    assert_eq!(report.anomalies[0].lines, [3, 4, 5], "joined, published, accepted");
}

#[test]
fn figures_are_counted() {
    let repeat = batch("c1", "e.1", "e.0", &[1]).replace("\"replay\":false", "\"replay\":true");
    let word = "\"op\":\"resync\",\"conn\":\"c1\",\"products\":null,\"reason\":\"gap\",\"cursor\":\"e.1\"\n";
    let report = check(&history(&[OPENING, ONE, &batch("c1", "e.1", "e.0", &[1]), &repeat, word].concat()));
    let counts = &report.counts;
    assert_eq!((counts.published, counts.accepted, counts.deliveries, counts.replays), (1, 1, 2, 1));
    assert_eq!((counts.resyncs, counts.repeats, counts.repeats_percent()), (1, 1, 50.0));
    assert!(report.to_string().contains("50.000%"));
}

#[test]
fn lines_survive_writing_and_reading() {
    let text = history(&[OPENING, ONE, &batch("c1", "e.1", "e.0", &[1])].concat());
    let mut names = Names::default();
    for line in text.lines() {
        let record = history::parse(line, &mut names).unwrap();
        let value: Value = serde_json::from_str(line).unwrap();
        let (mut read, mut meant) = (record.to_json(&names), value);
        for value in [&mut read, &mut meant] {
            let t = value["t"].as_f64().unwrap();
            value["t"] = json!(t);
        }
        assert_eq!(read, meant);
    }
}

#[test]
fn a_bad_line_is_named_and_a_cut_last_one_is_left_out() {
    let mut names = Names::default();
    let bad = history::read(
        "{\"t\":1,\"op\":\"end\"}\n{\"t\":2,\"op\":\"nonsense\"}\n".as_bytes(),
        &mut names,
        |_, _| {},
    );
    assert!(bad.unwrap_err().to_string().starts_with("line 2: "));
    let cut = history::read("{\"t\":1,\"op\":\"end\"}\n{\"t\":2,\"op".as_bytes(), &mut names, |_, _| {});
    assert_eq!(cut.unwrap(), 1);
}

/// What happens in a small good world: one log, two pods, clients that come and go and are told everything.
#[derive(Debug, Clone)]
enum Step {
    Event { product: usize, kind: usize },
    Flush,
    Away { client: usize },
    Back { client: usize },
}

const PRODUCTS: usize = 2;
const CLIENTS: usize = 2;
const KINDS: [&str; 2] = ["price_update", "sale_update"];

#[derive(Default)]
struct Good {
    lines: Vec<String>,
    /// Of each product: its events, with their positions.
    events: BTreeMap<usize, Vec<(u64, usize)>>,
    n: u64,
    flushed: BTreeMap<usize, usize>,
    /// Which connection each client has, and how many of each product's events it got.
    conns: [Option<String>; CLIENTS],
    got: [BTreeMap<usize, usize>; CLIENTS],
    connections: usize,
}

impl Good {
    fn line(&mut self, line: Value) {
        let mut line = line;
        line["t"] = json!(self.lines.len());
        self.lines.push(line.to_string());
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Event { product, kind } => {
                self.n += 1;
                let n = self.n;
                self.line(
                    json!({"op": "publish", "id": n, "product": product, "type": KINDS[kind], "request": n}),
                );
                self.line(json!({"op": "accepted", "request": n, "ids": [n], "cursor": format!("e.{n}"), "duplicate": false}));
                self.events.entry(product).or_default().push((n, kind));
            }
            Step::Flush => {
                for product in 0..PRODUCTS {
                    let all = self.events.get(&product).map_or(0, Vec::len);
                    self.flushed.insert(product, all);
                    for client in 0..CLIENTS {
                        self.deliver(client, product, false);
                    }
                }
            }
            Step::Away { client } => {
                if let Some(conn) = self.conns[client].take() {
                    self.line(json!({"op": "close", "conn": conn}));
                }
            }
            Step::Back { client } => self.back(client),
        }
    }

    fn back(&mut self, client: usize) {
        if self.conns[client].is_some() {
            return;
        }
        self.connections += 1;
        let conn = format!("conn{}", self.connections);
        let pod = self.connections % 2;
        self.conns[client] = Some(conn.clone());
        self.line(json!({"op": "open", "client": client, "conn": conn, "pod": pod, "transport": "socketio", "announced": true}));
        for product in 0..PRODUCTS {
            let count = self.got[client].get(&product).copied();
            let since = count.map(|count| self.at(product, count));
            self.line(json!({"op": "join", "conn": conn, "product": product, "since": since}));
            let flushed = self.flushed.get(&product).copied().unwrap_or(0);
            let result = match count {
                None => {
                    self.got[client].insert(product, flushed);
                    "joined"
                }
                Some(count) if count < flushed => {
                    self.deliver(client, product, true);
                    "events"
                }
                Some(_) => "up_to_date",
            };
            let cursor = self.at(product, flushed);
            self.line(
                json!({"op": "joined", "conn": conn, "product": product, "result": result, "cursor": cursor}),
            );
        }
    }

    /// The position of the `count`th event of a product.
    fn at(&self, product: usize, count: usize) -> String {
        let n = count.checked_sub(1).map_or(0, |i| self.events[&product][i].0);
        format!("e.{n}")
    }

    fn deliver(&mut self, client: usize, product: usize, replay: bool) {
        let Some(conn) = self.conns[client].clone() else { return };
        let (from, to) = (self.got[client][&product], self.flushed.get(&product).copied().unwrap_or(0));
        if from >= to {
            return;
        }
        let events: Vec<_> =
            self.events[&product][from..to].iter().map(|(id, kind)| json!([id, KINDS[*kind]])).collect();
        let (cursor, previous) = (self.at(product, to), self.at(product, from));
        self.line(
            json!({"op": "batch", "conn": conn, "product": product, "cursor": cursor, "previous": previous,
            "replay": replay, "events": events}),
        );
        self.got[client].insert(product, to);
    }

    fn play(steps: &[Step]) -> Vec<String> {
        let mut good = Self::default();
        (0..CLIENTS).for_each(|client| good.back(client));
        steps.iter().for_each(|step| good.step(step));
        (0..CLIENTS).for_each(|client| good.back(client));
        good.step(&Step::Flush);
        good.lines
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..PRODUCTS, 0..KINDS.len()).prop_map(|(product, kind)| Step::Event { product, kind }),
        3 => Just(Step::Flush),
        1 => (0..CLIENTS).prop_map(|client| Step::Away { client }),
        2 => (0..CLIENTS).prop_map(|client| Step::Back { client }),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_good_history_passes_and_one_without_a_delivery_does_not(steps in steps(), which in any::<prop::sample::Index>()) {
        let mut lines = Good::play(&steps);
        let report = check(&(lines.join("\n") + "\n"));
        prop_assert!(report.is_clean(), "{:?}", report.anomalies);
        let batches: Vec<_> = (0..lines.len()).filter(|i| lines[*i].contains(r#""op":"batch""#)).collect();
        if !batches.is_empty() {
            let deleted = lines.remove(batches[which.index(batches.len())]);
            let report = check(&(lines.join("\n") + "\n"));
            prop_assert!(!report.is_clean(), "nobody misses {deleted}");
        }
    }
}
