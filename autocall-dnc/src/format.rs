//! The layout of a file.
//!
//! | part | bytes |
//! |---|---|
//! | header | 4,096 |
//! | pages | 1,256 for each exchange that has a listed number, by exchange |
//! | other numbers | see [`crate::others`] |
//! | directory | 4 for each of 1,000,000 exchanges: 0, or 1 + the page's place |
//! | checksums | 4 for each 256 KiB of everything between header and here |
//!
//! All integers are little-endian. The header is written last, so a file that was not finished
//! has none.

use crate::error::OpenError;
use autocall_core::Timestamp;

pub(crate) const MAGIC: [u8; 8] = *b"autodnc\x01";
pub(crate) const FORMAT: u32 = 1;
pub(crate) const HEADER_BYTES: usize = 4096;
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;
/// 10,000 bits in whole 8-byte words.
pub(crate) const PAGE_BYTES: usize = 157 * 8;
/// Area code and central office: six digits.
pub(crate) const EXCHANGES: usize = 1_000_000;
pub(crate) const DIRECTORY_BYTES: usize = EXCHANGES * 4;
/// The longest name or version that fits the header, in bytes.
const TEXT_BYTES_MAX: usize = 255;

/// What a file says about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// The registry's name, as rules call it: `us-national`. At most 255 bytes.
    pub name: String,
    /// The version of the copy, as the registry calls it. At most 255 bytes.
    pub version: String,
    /// When the registry made it.
    pub as_of: Timestamp,
}

/// The header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) about: About,
    pub(crate) nanp_numbers: u64,
    pub(crate) other_numbers: u64,
    pub(crate) pages: u64,
    pub(crate) others_bytes: u64,
}

impl Header {
    pub(crate) fn others_at(&self) -> u64 {
        HEADER_BYTES as u64 + self.pages * PAGE_BYTES as u64
    }
    pub(crate) fn directory_at(&self) -> u64 {
        self.others_at() + self.others_bytes
    }
    pub(crate) fn checksums_at(&self) -> u64 {
        self.directory_at() + DIRECTORY_BYTES as u64
    }
    pub(crate) fn blocks(&self) -> u64 {
        (self.checksums_at() - HEADER_BYTES as u64).div_ceil(BLOCK_BYTES as u64)
    }
    pub(crate) fn file_bytes(&self) -> u64 {
        self.checksums_at() + self.blocks() * 4
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend(MAGIC);
        out.extend(FORMAT.to_le_bytes());
        for number in [self.nanp_numbers, self.other_numbers, self.pages, self.others_bytes] {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.about.as_of.ms().to_le_bytes());
        for text in [&self.about.name, &self.about.version] {
            let mut end = text.len().min(TEXT_BYTES_MAX);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            out.push(end as u8);
            out.extend(&text.as_bytes()[..end]);
        }
        out.resize(HEADER_BYTES - 4, 0);
        let sum = crc32fast::hash(&out);
        out.extend(sum.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Header, OpenError> {
        if bytes.len() < HEADER_BYTES || !bytes.starts_with(&MAGIC) {
            return Err(OpenError::NotAList);
        }
        let (body, sum) = bytes[..HEADER_BYTES].split_at(HEADER_BYTES - 4);
        if u32_at(sum, 0) != crc32fast::hash(body) {
            return Err(OpenError::Corrupt { block: 0 });
        }
        let format = u32_at(body, 8);
        if format != FORMAT {
            return Err(OpenError::Format { found: format, known: FORMAT });
        }
        let number = |i: usize| u64_at(body, 12 + i * 8);
        let mut rest = &body[12 + 5 * 8..];
        let mut text = || {
            let (length, tail) = rest.split_first()?;
            let (own, tail) = tail.split_at_checked(usize::from(*length))?;
            rest = tail;
            std::str::from_utf8(own).ok().map(str::to_owned)
        };
        let (Some(name), Some(version)) = (text(), text()) else { return Err(OpenError::NotAList) };
        let header = Header {
            about: About { name, version, as_of: Timestamp::from_ms(number(4) as i64) },
            nanp_numbers: number(0),
            other_numbers: number(1),
            pages: number(2),
            others_bytes: number(3),
        };
        // The sum of the header guards against accidents, this against everything else.
        if header.pages > EXCHANGES as u64 || header.others_bytes > 1 << 40 {
            return Err(OpenError::NotAList);
        }
        Ok(header)
    }
}

/// Reads a little-endian number; the caller has checked the length.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}
/// Reads a little-endian number; the caller has checked the length.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// The exchange and the bit of a North American number; `None` for all others.
pub(crate) const fn nanp(digits: u64) -> Option<(usize, usize)> {
    if digits < 10_000_000_000 || digits >= 20_000_000_000 {
        return None;
    }
    let rest = digits - 10_000_000_000;
    Some(((rest / 10_000) as usize, (rest % 10_000) as usize))
}
