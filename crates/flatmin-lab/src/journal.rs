//! The journal of a sweep: what makes a run survive `kill -9`.
//!
//! Every finished draw is appended as one block, a CSV line a solve, and flushed. A process that
//! dies while writing leaves at most one incomplete block, and only at the end: opening the journal
//! cuts it off. The final records are read back from the journal alone, so an interrupted run
//! and an undisturbed one end with the same bytes.

use crate::Error;
use crate::record::{Record, Timed, finish};
use crate::spec::{Cell, Sweep};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// First line of every journal; it changes when the columns of [`Record`] do.
const HEADER: &[u8] = b"flatmin journal 4: the columns of the records, then seconds and bytes\n";

/// Finished draws by cell and trial.
pub type Finished = HashMap<(Cell, u32), Vec<Timed>>;

/// A journal open for appending.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens or starts the journal of a sweep and returns the draws that it holds. An incomplete
    /// end is cut off.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not a journal.
    pub fn open(path: &Path, sweep: &Sweep) -> Result<(Journal, Finished), Error> {
        let (finished, length) = scan(path, sweep)?;
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        file.set_len(length).map_err(Error::io("cut", path))?;
        if length == 0 {
            file.write_all(HEADER).map_err(Error::io("write", path))?;
        }
        Ok((Journal { file }, finished))
    }

    /// Appends the solves of one draw in a single write.
    ///
    /// # Errors
    /// When the write fails (a full disk, say).
    pub fn append(&mut self, path: &Path, draw: &[Timed]) -> Result<(), Error> {
        let block = encode(draw)?;
        self.file.write_all(&block).map_err(Error::io("write", path))?;
        self.file.flush().map_err(Error::io("flush", path))
    }
}

/// The finished draws of a journal that need not exist.
///
/// # Errors
/// As [`Journal::open`].
pub fn read(path: &Path, sweep: &Sweep) -> Result<Finished, Error> {
    scan(path, sweep).map(|(finished, _)| finished)
}

/// The finished draws and the length of the part that holds them.
fn scan(path: &Path, sweep: &Sweep) -> Result<(Finished, u64), Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(Error::io("read", path)(e)),
    };
    let Some(body) = bytes.strip_prefix(HEADER) else {
        return if HEADER.starts_with(&bytes) {
            Ok((Finished::new(), 0))
        } else {
            Err(Error::NotAJournal { path: path.to_owned() })
        };
    };
    let mut finished = Finished::new();
    let mut kept = HEADER.len();
    let mut position = kept;
    let mut block = Vec::new();
    for line in body.split_inclusive(|&b| b == b'\n') {
        position += line.len();
        if line.last() != Some(&b'\n') {
            break;
        }
        let Some(row) = decode(line) else { break };
        block.push(row);
        if block.len() == sweep.objectives.len() {
            let Some(key) = draw_of(&block, sweep) else {
                break;
            };
            finished.insert(key, std::mem::take(&mut block));
            kept = position;
        }
    }
    Ok((finished, kept as u64))
}

/// The draw that a block of rows describes; `None` when they do not belong together.
fn draw_of(block: &[Timed], sweep: &Sweep) -> Option<(Cell, u32)> {
    let first = &block.first()?.record;
    let (cell, trial) = (first.cell()?, first.trial);
    let fits = block.iter().zip(&sweep.objectives).all(|(row, &objective)| {
        row.record.objective == objective
            && row.record.trial == trial
            && row.record.cell() == Some(cell)
            && row.record.experiment == sweep.id
    });
    fits.then_some((cell, trial))
}

fn encode(draw: &[Timed]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for row in draw {
        writer.serialize((&row.record, row.seconds, row.peak))?;
    }
    finish(writer)
}

fn decode(line: &[u8]) -> Option<Timed> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line);
    let row: (Record, f64, Option<u64>) = reader.deserialize().next()?.ok()?;
    let (record, seconds, peak) = row;
    Some(Timed { record, seconds, peak })
}

/// Appends lines to a file that need not exist, in a single write, on lines of their own whatever was cut
/// off before them.
///
/// # Errors
/// When the file or its folder cannot be made, or the write fails.
pub(crate) fn append_block(path: &Path, mut block: Vec<u8>) -> Result<(), Error> {
    if ends_inside_a_line(path) {
        block.insert(0, b'\n');
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).map_err(Error::io("open", path))?;
    file.write_all(&block).map_err(Error::io("write", path))?;
    file.flush().map_err(Error::io("flush", path))
}

/// Whether the last line of a file lacks its end.
fn ends_inside_a_line(path: &Path) -> bool {
    let mut last = [b'\n'];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)
    });
    read.is_ok() && last != [b'\n']
}
