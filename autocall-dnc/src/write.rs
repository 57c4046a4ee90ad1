//! Writing a file beside the old one and putting it in its place.

use crate::format::{About, BLOCK_BYTES, DIRECTORY_BYTES, EXCHANGES, HEADER_BYTES, Header, PAGE_BYTES};
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A bitmap of the 10,000 numbers of one exchange.
pub(crate) type Page = [u8; PAGE_BYTES];

/// A file being written. Pages come in order of their exchange; nothing is visible under the
/// final name before [`Writer::finish`], and an abandoned one removes what it wrote.
pub(crate) struct Writer {
    out: BufWriter<File>,
    path: PathBuf,
    part: PathBuf,
    directory: Vec<u32>,
    block: crc32fast::Hasher,
    block_bytes: usize,
    sums: Vec<u32>,
    pages: u32,
    nanp_numbers: u64,
    done: bool,
}

/// A new file beside `path`, which no other writer has: two builds at once never share one.
fn fresh(path: &Path) -> io::Result<(File, PathBuf)> {
    for n in 0..1_000u32 {
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}-{n}.part", std::process::id()));
        match File::options().write(true).read(true).create_new(true).open(&part) {
            Ok(file) => return Ok((file, PathBuf::from(part))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("a thousand unfinished files lie beside this one; remove them"))
}

impl Writer {
    pub(crate) fn create(path: &Path) -> io::Result<Writer> {
        let (mut file, part) = fresh(path)?;
        // The header stays empty until everything else is on the disk.
        file.write_all(&[0; HEADER_BYTES])?;
        Ok(Writer {
            out: BufWriter::with_capacity(1 << 20, file),
            path: path.to_owned(),
            part,
            directory: vec![0; EXCHANGES],
            block: crc32fast::Hasher::new(),
            block_bytes: 0,
            sums: Vec::new(),
            pages: 0,
            nanp_numbers: 0,
            done: false,
        })
    }

    /// Adds the page of an exchange; an empty one is left out.
    pub(crate) fn page(&mut self, exchange: usize, page: &[u8]) -> io::Result<()> {
        let listed: u64 = page.chunks_exact(8).map(|w| u64::from(crate::format::u64_at(w, 0).count_ones())).sum();
        if listed == 0 {
            return Ok(());
        }
        self.pages += 1;
        self.nanp_numbers += listed;
        self.directory[exchange] = self.pages;
        self.write(page)
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block_bytes));
            self.block.update(now);
            self.block_bytes += now.len();
            if self.block_bytes == BLOCK_BYTES {
                self.end_block();
            }
            bytes = rest;
        }
        Ok(())
    }

    fn end_block(&mut self) {
        self.sums.push(std::mem::take(&mut self.block).finalize());
        self.block_bytes = 0;
    }

    /// Writes the rest, syncs, and renames. After this the new file is the list.
    pub(crate) fn finish(mut self, about: About, others: &[u8], other_numbers: u64) -> io::Result<()> {
        self.write(others)?;
        let mut directory = Vec::with_capacity(DIRECTORY_BYTES);
        self.directory.iter().for_each(|place| directory.extend(place.to_le_bytes()));
        self.write(&directory)?;
        if self.block_bytes > 0 {
            self.end_block();
        }
        for sum in &self.sums {
            self.out.write_all(&sum.to_le_bytes())?;
        }
        let header = Header {
            about,
            nanp_numbers: self.nanp_numbers,
            other_numbers,
            pages: u64::from(self.pages),
            others_bytes: others.len() as u64,
        };
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&header.encode())?;
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        fs::rename(&self.part, &self.path)?;
        self.done = true;
        // The rename itself must survive a power cut.
        if let Some(folder) = self.path.parent().filter(|p| !p.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.part);
        }
    }
}
