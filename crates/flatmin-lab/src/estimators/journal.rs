//! The journal: a block of lines a draw, in a single write; what was cut off is computed again.

use super::operators::Operator;
use super::{Row, Timed, asks};
use crate::Error;
use crate::journal::append_block;
use crate::record::finish;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The whole draws of a journal that need not exist.
///
/// # Errors
/// When it cannot be read.
pub(super) fn open(path: &Path) -> Result<HashMap<(Operator, u32), Vec<Timed>>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(e) => return Err(Error::io("read", path)(e)),
    };
    let mut draws = HashMap::new();
    let mut draw: Vec<Timed> = Vec::new();
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        let Some((row, seconds)) = decode(line) else {
            draw.clear();
            continue;
        };
        let key = (row.operator, row.trial);
        if draw.first().is_some_and(|(first, _)| (first.operator, first.trial) != key) {
            draw.clear();
        }
        let asked = asks(row.operator);
        let fits = |row: &Row, place: usize| {
            asked.get(place).is_some_and(|ask| {
                row.is_of(ask.contender)
                    && (row.matvecs, row.tolerance) == (ask.matvecs, ask.tolerance)
            })
        };
        // A draw that was cut off and begun again starts in the middle of the other.
        if !fits(&row, draw.len()) {
            draw.clear();
        }
        if fits(&row, draw.len()) {
            draw.push((row, seconds));
        }
        if draw.len() == asked.len() {
            draws.insert(key, std::mem::take(&mut draw));
        }
    }
    Ok(draws)
}

/// A whole line.
fn decode(line: &[u8]) -> Option<Timed> {
    line.ends_with(b"\n").then_some(())?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line);
    reader.deserialize().next()?.ok()
}

/// Appends a draw in a single write, on lines of its own.
pub(super) fn append(path: &Path, draw: &[Timed]) -> Result<(), Error> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for timed in draw {
        writer.serialize(timed)?;
    }
    append_block(path, finish(writer)?)
}
