//! What the gateway may say to a Socket.IO client: every packet is one that the protocol and the contract know.

use serde_json::{Map, Value};

/// Separates packets in a polling body. Inputs use it between the messages of a WebSocket, too.
pub(super) const SEPARATOR: char = '\u{1e}';

/// The packet that connects a client to the namespace `/`.
pub(super) const CONNECT: &str = "40";

/// Checks one Engine.IO packet from the gateway. `asked` is all that the client sent.
pub(super) fn check(packet: &str, asked: &str) {
    let (kind, rest) = packet.split_at_checked(1).unwrap_or_else(|| panic!("not a packet: {packet:?}"));
    match (kind, rest) {
        ("0", open) => assert!(json(open)["sid"].is_string(), "no session: {packet}"),
        ("1" | "2" | "6", "") | ("3", _) => {}
        ("4", message) => check_message(message, asked),
        _ => panic!("not a packet: {packet:?}"),
    }
}

/// A Socket.IO packet: a digit, the namespace if it is not `/`, the number of an acknowledgement, JSON.
fn check_message(message: &str, asked: &str) {
    let (kind, rest) = message.split_at_checked(1).expect("a kind of message");
    let (namespace, rest) = match rest.strip_prefix('/') {
        Some(rest) => rest.split_once(',').unwrap_or((rest, "")),
        None => ("", rest),
    };
    match kind {
        // Connected, disconnected.
        "0" => assert!(json(rest)["sid"].is_string()),
        "1" => assert_eq!(rest, ""),
        "2" => check_event(&json(rest)),
        "3" => {
            let (number, answer) = rest.split_at(rest.find('[').expect("arguments"));
            assert!(asked.contains(number), "nobody asked for {number}");
            check_answer(&json(answer));
        }
        // A refused connection. Only `/` is served, and not to who connects to it again and again.
        "4" => {
            let refused = !namespace.is_empty() || asked.matches(CONNECT).count() > 10;
            assert!(json(rest)["message"].is_string() && refused, "refused: {message}");
        }
        _ => panic!("not a message: {message:?}"),
    }
}

fn check_event(event: &Value) {
    let arguments = event.as_array().expect("a list");
    let names = |fields: &[&str]| {
        let argument = arguments[1].as_object().expect("an object");
        fields.iter().for_each(|name| assert!(argument.contains_key(*name), "no {name}: {event}"));
    };
    match arguments[0].as_str().expect("a name") {
        "connected" => names(&["socketId", "authenticated", "cursor", "serverTime", "features"]),
        "batched_product_update" => {
            names(&["productId", "events", "timestamp", "count", "cursor", "previousCursor", "spreadMs"]);
            assert_eq!(
                arguments[1]["events"].as_array().map(Vec::len),
                arguments[1]["count"].as_u64().map(|n| n as usize)
            );
        }
        "resync_required" => names(&["reason", "cursor", "spreadMs"]),
        "position" => names(&["cursor", "products"]),
        "error" => {
            names(&["message", "code"]);
            check_code(&arguments[1]["code"]);
        }
        "pong" => assert_eq!(arguments.len(), 1),
        other => panic!("no such event: {other}"),
    }
    assert!(arguments.len() <= 2, "too many arguments: {event}");
}

/// One object that says `ok`, and if it is not, why.
fn check_answer(answer: &Value) {
    let [answer] = answer.as_array().expect("arguments").as_slice() else {
        panic!("not one argument: {answer}")
    };
    let refused: Option<&Map<String, Value>> = answer.get("refused").and_then(Value::as_object);
    refused.into_iter().flat_map(Map::values).for_each(check_code);
    let results = answer.get("results").and_then(Value::as_object);
    for result in results.into_iter().flat_map(Map::values).chain(answer.get("status")) {
        let known = ["joined", "events", "up_to_date", "resync_required"];
        if !known.contains(&result.as_str().expect("a word")) {
            check_code(result);
        }
    }
    if !answer["ok"].as_bool().expect("ok") && refused.is_none() && results.is_none() {
        check_code(&answer["code"]);
    }
}

fn check_code(code: &Value) {
    let known = ["invalid_product_id", "too_many_products", "rate_limited", "bad_request", "unauthorized"];
    assert!(code.as_str().is_some_and(|code| known.contains(&code)), "not a code: {code}");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {text:?}"))
}
