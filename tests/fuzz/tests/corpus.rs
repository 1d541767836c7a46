//! Every kept input once through its target: those written by hand, and those the fuzzer found.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;

use shelfcast_fuzz::{TARGETS, Target, folders, replay};

fn replay_all(name: &str) {
    let target = Target::named(name).unwrap();
    let mut inputs = 0;
    for folder in folders(target) {
        for file in fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            replay(target, &path.display().to_string(), &fs::read(&path).unwrap());
            inputs += 1;
        }
    }
    assert!(inputs > 10, "only {inputs} inputs are kept");
}

macro_rules! every_input {
    ($($sentence:ident: $target:literal;)+) => {
        $(#[test]
        fn $sentence() {
            replay_all($target);
        })+

        #[test]
        fn no_target_is_left_out() {
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$($target),+]);
        }
    };
}

every_input! {
    a_request_body_is_taken_in_whole_or_refused_with_a_code: "notify";
    a_cursor_has_one_spelling_and_a_forged_one_is_never_up_to_date: "cursor";
    a_message_from_a_channel_is_events_or_a_dead_letter: "channel";
    a_subscription_names_each_product_once_or_is_refused: "sse_query";
    a_browser_reads_every_block_back_as_it_was_meant: "sse_block";
    no_token_lets_anybody_in_without_the_key_or_for_longer_than_it_says: "token";
    nobody_is_counted_under_an_address_a_stranger_wrote: "forwarded";
    a_delivery_of_woocommerce_tells_what_is_public_or_is_refused: "woocommerce";
    a_delivery_of_shopify_tells_what_is_public_or_is_refused: "shopify";
    a_message_of_meta_is_hints_and_its_handshake_is_for_who_knows_the_token: "meta";
    a_delivery_by_the_standard_is_what_notify_takes_and_nobody_else_signs_it: "standard";
    no_websocket_message_panics_or_leaves_anything_behind: "socketio_text";
    no_polling_body_panics_or_leaves_anything_behind: "polling";
    no_bytes_on_a_connection_panic_or_leave_anything_behind: "http";
}
