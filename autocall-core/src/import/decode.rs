//! From the bytes of a file to text, whatever wrote them.
//!
//! A byte order mark decides; without one, text whose every second byte is NUL is UTF-16; all
//! else is UTF-8 until its first byte that cannot be, and Windows-1252 from there. Up to that
//! byte both readings agree, so no look-ahead is needed and no character becomes `U+FFFD`.

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};
use serde::{Deserialize, Serialize};

/// How a file's bytes were read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark; plain ASCII counts.
    #[default]
    Utf8,
    /// UTF-16, low byte first (Excel's "Unicode text").
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// Windows-1252, of which ISO 8859-1 is nearly a part.
    Windows1252,
}

/// Bytes needed to tell UTF-16 without a mark from the rest.
const SNIFF_BYTES: usize = 128;

/// Decodes a file chunk by chunk. Holds at most [`SNIFF_BYTES`] bytes back.
pub(super) struct Decode {
    encoding: Encoding,
    /// Bytes not decoded yet: the head of the file, or the begin of a UTF-8 sequence.
    held: Vec<u8>,
    sniffed: bool,
    /// A UTF-8 sequence beyond ASCII was seen, so later faults are damage and not Windows-1252.
    multibyte: bool,
    utf16: Option<Decoder>,
    damaged: u64,
}

impl Decode {
    pub(super) fn new() -> Self {
        Decode { encoding: Encoding::Utf8, held: Vec::new(), sniffed: false, multibyte: false, utf16: None, damaged: 0 }
    }

    /// How the bytes so far were read.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Characters that had to be guessed in a file that mixes encodings.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Decodes `bytes` onto the end of `text`; `last` says that no more will come.
    pub(super) fn feed(&mut self, bytes: &[u8], last: bool, text: &mut String) {
        if self.sniffed && self.held.is_empty() {
            return self.decode(bytes, last, text);
        }
        self.held.extend_from_slice(bytes);
        if !self.sniffed {
            if self.held.len() < SNIFF_BYTES && !last {
                return;
            }
            self.sniff();
        }
        let held = std::mem::take(&mut self.held);
        self.decode(&held, last, text);
    }

    fn sniff(&mut self) {
        self.sniffed = true;
        let (encoding, mark) = match self.held.as_slice() {
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
            [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
            head => (without_mark(head), 0),
        };
        // Behind a mark of UTF-8 every fault is damage; the file has said what it is.
        self.multibyte = mark == 3;
        self.encoding = encoding;
        self.utf16 = match encoding {
            Encoding::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
            Encoding::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
            Encoding::Utf8 | Encoding::Windows1252 => None,
        };
        self.held.drain(..mark);
    }

    fn decode(&mut self, bytes: &[u8], last: bool, text: &mut String) {
        match self.encoding {
            Encoding::Utf8 => self.utf8(bytes, last, text),
            Encoding::Windows1252 => windows_1252(bytes, text),
            Encoding::Utf16Le | Encoding::Utf16Be => self.utf16(bytes, last, text),
        }
    }

    fn utf8(&mut self, mut bytes: &[u8], last: bool, text: &mut String) {
        loop {
            let error = match std::str::from_utf8(bytes) {
                Ok(valid) => {
                    self.multibyte |= !valid.is_ascii();
                    return text.push_str(valid);
                }
                Err(error) => error,
            };
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            let valid = std::str::from_utf8(valid).unwrap_or_default();
            self.multibyte |= !valid.is_ascii();
            text.push_str(valid);
            match error.error_len() {
                None if !last => return self.held.extend_from_slice(rest),
                _ if !self.multibyte => {
                    self.encoding = Encoding::Windows1252;
                    return windows_1252(rest, text);
                }
                fault => {
                    let (fault, rest) = rest.split_at(fault.unwrap_or(rest.len()));
                    self.damaged += fault.len() as u64;
                    windows_1252(fault, text);
                    bytes = rest;
                }
            }
        }
    }

    fn utf16(&mut self, mut bytes: &[u8], last: bool, text: &mut String) {
        let Some(decoder) = &mut self.utf16 else { return };
        // Two bytes become at most three; each round grows the text, so this ends.
        loop {
            text.reserve(bytes.len() * 3 / 2 + 16);
            let (result, read, faults) = decoder.decode_to_string(bytes, text, last);
            self.damaged += u64::from(faults);
            bytes = &bytes[read..];
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }
}

/// UTF-16 without a mark: nearly every second byte of a list is then NUL.
fn without_mark(head: &[u8]) -> Encoding {
    let head = &head[..head.len().min(SNIFF_BYTES)];
    let (pairs, _) = head.as_chunks::<2>();
    let high_first = pairs.iter().filter(|pair| pair[0] == 0 && pair[1] != 0).count();
    let low_first = pairs.iter().filter(|pair| pair[1] == 0 && pair[0] != 0).count();
    let enough = pairs.len() * 3 / 4;
    if pairs.len() >= 4 && low_first > enough {
        Encoding::Utf16Le
    } else if pairs.len() >= 4 && high_first > enough {
        Encoding::Utf16Be
    } else {
        Encoding::Utf8
    }
}

fn windows_1252(bytes: &[u8], text: &mut String) {
    let (decoded, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
    text.push_str(&decoded);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes in chunks of `size` bytes.
    fn decode(bytes: &[u8], size: usize) -> (String, Encoding, u64) {
        let (mut decode, mut text) = (Decode::new(), String::new());
        for chunk in bytes.chunks(size) {
            decode.feed(chunk, false, &mut text);
        }
        decode.feed(b"", true, &mut text);
        (text, decode.encoding(), decode.damaged())
    }

    fn utf16(text: &str, bytes_of: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes_of).collect()
    }

    #[test]
    fn every_encoding_gives_the_same_text_in_chunks_of_any_size() {
        let text = format!("phone,name\r\n+14155552671,Zoë €\r\n{}", "x,y\n".repeat(100));
        let bare_1252 = text.replace('ë', "\u{1}").replace('€', "\u{2}").into_bytes();
        let windows: Vec<u8> = bare_1252
            .iter()
            .map(|b| {
                if *b == 1 {
                    0xeb
                } else if *b == 2 {
                    0x80
                } else {
                    *b
                }
            })
            .collect();
        let le = utf16(&text, u16::to_le_bytes);
        let be = utf16(&text, u16::to_be_bytes);
        let cases: [(Vec<u8>, Encoding); 7] = [
            (text.clone().into_bytes(), Encoding::Utf8),
            ([b"\xef\xbb\xbf", text.as_bytes()].concat(), Encoding::Utf8),
            ([b"\xff\xfe", le.as_slice()].concat(), Encoding::Utf16Le),
            ([b"\xfe\xff", be.as_slice()].concat(), Encoding::Utf16Be),
            (le, Encoding::Utf16Le),
            (be, Encoding::Utf16Be),
            (windows, Encoding::Windows1252),
        ];
        for (bytes, encoding) in cases {
            for size in [1, 2, 3, 7, 64, 4096] {
                assert_eq!(decode(&bytes, size), (text.clone(), encoding, 0), "chunks of {size}");
            }
        }
    }

    #[test]
    fn a_stray_byte_in_utf8_becomes_its_windows_character_and_is_counted() {
        assert_eq!(decode("é,\u{e9}".as_bytes(), 3).2, 0);
        let mixed = [b"\xc3\xa9,", b"\xe9".as_slice(), b",z"].concat();
        for size in [1, 2, 5] {
            assert_eq!(decode(&mixed, size), ("é,é,z".to_owned(), Encoding::Utf8, 1));
        }
    }

    #[test]
    fn a_sequence_cut_off_at_the_end_is_not_lost() {
        assert_eq!(decode(b"abc\xc3", 2).0, "abcÃ");
        assert_eq!(decode(b"", 1), (String::new(), Encoding::Utf8, 0));
        assert_eq!(decode(b"\xef\xbb", 1).0, "ï»");
    }
}
