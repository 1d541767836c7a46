//! Heads of HTTP/1.1 messages, taken apart as far as needed. Trusts its peer: both ends are ours.

/// A head that is there to its end.
#[derive(Debug)]
pub struct Head<'a> {
    text: &'a str,
    /// Bytes up to the body.
    pub bytes: usize,
}

impl<'a> Head<'a> {
    /// The head that `bytes` begins with; `None` until all of it came.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        const END: &[u8] = b"\r\n\r\n";
        let end = bytes.windows(END.len()).position(|four| four == END)? + END.len();
        let text = std::str::from_utf8(bytes.get(..end)?).unwrap_or_default();
        Some(Self { text, bytes: end })
    }

    /// The first line: `GET / HTTP/1.1`, `HTTP/1.1 200 OK`.
    pub fn start_line(&self) -> &'a str {
        self.text.split("\r\n").next().unwrap_or_default()
    }

    /// The second word of a request's first line.
    pub fn target(&self) -> &'a str {
        self.start_line().split(' ').nth(1).unwrap_or_default()
    }

    /// The number of an answer; 0: none.
    pub fn status(&self) -> u16 {
        self.target().parse().unwrap_or_default()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.text.split("\r\n").skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Bytes of the body.
    pub fn content_length(&self) -> usize {
        self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default()
    }
}

/// The first chunk of a chunked body and how many bytes it takes with its frame; `None` until all of it came.
pub fn chunk(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let line = bytes.iter().position(|byte| *byte == b'\n')?;
    let size = std::str::from_utf8(bytes.get(..line)?).ok()?.trim_end();
    let size = usize::from_str_radix(size, 16).ok()?;
    let end = line + 1 + size;
    (bytes.len() >= end + 2).then(|| (&bytes[line + 1..end], end + 2))
}

/// `content` as a chunk.
pub fn encode_chunk(content: &str) -> Vec<u8> {
    format!("{:X}\r\n{content}\r\n", content.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_there_when_its_empty_line_is() {
        let answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        assert!(Head::read(&answer[..20]).is_none());
        let head = Head::read(answer).unwrap();
        assert_eq!((head.status(), head.content_length()), (202, 7));
        assert_eq!(&answer[head.bytes..], b"{\"a\":1}");
    }

    #[test]
    fn a_chunk_is_read_as_it_was_written() {
        let mut bytes = encode_chunk("data: 1\n\n");
        assert_eq!(chunk(&bytes), Some((&b"data: 1\n\n"[..], bytes.len())));
        bytes.pop();
        assert_eq!(chunk(&bytes), None);
    }
}
