//! What a browser makes of an SSE stream: "interpreting an event stream" of the HTML standard, section 9.2.6, to the letter.
//!
//! Written from the standard and not from our encoder, so that the two can disagree. It knows a whole stream only, not
//! one that is still coming.

/// An event as a page gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `type`: `message` if the stream named none.
    pub event: String,
    /// `lastEventId`.
    pub last_event_id: String,
    /// `data`.
    pub data: String,
}

/// What came of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Interpreted {
    /// Every event dispatched, in order.
    pub messages: Vec<Message>,
    /// What the browser sends as `Last-Event-ID` when it comes again.
    pub last_event_id: String,
    /// The reconnection time in milliseconds, if the stream set one.
    pub retry_ms: Option<u64>,
}

/// The buffers of the standard.
#[derive(Default)]
struct Buffers {
    data: String,
    event: String,
    last_event_id: String,
}

/// Interprets a stream from its first byte to its end.
pub fn interpret(stream: &[u8]) -> Interpreted {
    // "UTF-8 decode": bytes that are none become U+FFFD, and one leading byte order mark is taken off.
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let (mut buffers, mut done) = (Buffers::default(), Interpreted::default());
    for line in lines(text) {
        buffers.line(line, &mut done);
    }
    // What is left when the stream ends without an empty line is discarded.
    done
}

/// Every line that is ended, by CR LF, LF or CR.
fn lines(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let end = text.find(['\r', '\n'])?;
        let (line, rest) = text.split_at(end);
        text = rest.strip_prefix("\r\n").unwrap_or(&rest[1..]);
        Some(line)
    })
}

impl Buffers {
    fn line(&mut self, line: &str, done: &mut Interpreted) {
        if line.is_empty() {
            return self.dispatch(done);
        }
        match line.split_once(':') {
            Some(("", _comment)) => {}
            Some((field, value)) => self.field(field, value.strip_prefix(' ').unwrap_or(value), done),
            None => self.field(line, "", done),
        }
    }

    fn field(&mut self, field: &str, value: &str, done: &mut Interpreted) {
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.last_event_id),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                // An empty value holds only digits, and says nothing.
                done.retry_ms = value.parse().ok().or(done.retry_ms);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, done: &mut Interpreted) {
        done.last_event_id.clone_from(&self.last_event_id);
        let (mut data, event) = (std::mem::take(&mut self.data), std::mem::take(&mut self.event));
        if data.is_empty() {
            return;
        }
        // Every `data` field ended its line; the last line break is not part of the data.
        data.pop();
        let event = if event.is_empty() { "message".to_owned() } else { event };
        done.messages.push(Message { event, last_event_id: self.last_event_id.clone(), data });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(stream: &str) -> Vec<String> {
        interpret(stream.as_bytes()).messages.into_iter().map(|message| message.data).collect()
    }

    /// The examples of the standard.
    #[test]
    fn it_reads_the_examples_of_the_standard() {
        assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        let stream =
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        let read = interpret(stream.as_bytes());
        let ids: Vec<_> = read.messages.iter().map(|message| message.last_event_id.as_str()).collect();
        assert_eq!(data(stream), ["first event", "second event", " third event"]);
        assert_eq!(ids, ["1", "", ""]);
        assert_eq!(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
        assert_eq!(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn every_line_break_ends_a_line_and_no_other_character_does() {
        assert_eq!(data("data: a\r\rdata: b\r\n\r\ndata: c\n\r"), ["a", "b", "c"]);
        assert_eq!(data("data: a\u{2028}\u{85}\u{B}b\n\n"), ["a\u{2028}\u{85}\u{B}b"]);
    }

    #[test]
    fn an_id_without_data_is_kept_and_an_id_with_nul_is_not() {
        let read =
            interpret(b"\xEF\xBB\xBFid: 7\nretry: 1500\nevent: gone\n\nid: 8\0\nretry: x\ndata: a\n\n");
        assert_eq!((read.last_event_id.as_str(), read.retry_ms), ("7", Some(1500)));
        assert_eq!(read.messages.len(), 1);
        assert_eq!(
            (read.messages[0].event.as_str(), read.messages[0].last_event_id.as_str()),
            ("message", "7")
        );
    }
}
