//! Tables with a header: predictions, and the ids that indices stand for.

use super::Output;
use crate::Error;
use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

/// Where predictions go.
#[derive(Debug)]
pub enum Sink {
    /// To a file.
    File(Output),
    /// To standard output.
    Stdout,
    /// Into the report.
    Report,
}

impl Sink {
    /// To a file where there is one; else into a report of JSON, or to standard output.
    pub fn new(file: Option<Output>, json: bool) -> Sink {
        match file {
            Some(file) => Sink::File(file),
            None if json => Sink::Report,
            None => Sink::Stdout,
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&Output> {
        match self {
            Sink::File(file) => Some(file),
            _ => None,
        }
    }

    /// Whether it is standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self, Sink::Stdout)
    }
}

/// A row, a column, and what is predicted there.
pub type Prediction<'a> = (Cow<'a, str>, Cow<'a, str>, f64);

impl Output {
    /// Writes predictions, `row,col,prediction` a line.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn predictions<'a>(
        &self,
        lines: impl IntoIterator<Item = Prediction<'a>>,
    ) -> Result<(), Error> {
        self.write(|out| predictions(out, lines))
    }

    /// Writes ids, `index,id` a line.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn ids<'a>(&self, ids: impl IntoIterator<Item = Cow<'a, str>>) -> Result<(), Error> {
        self.write(|out| {
            writeln!(out, "index,id")?;
            let mut numbered = ids.into_iter().enumerate();
            numbered.try_for_each(|(index, id)| writeln!(out, "{index},{}", quoted(&id)))
        })
    }
}

/// Writes predictions to standard output. A reader that has gone away is no error.
///
/// # Errors
/// When it cannot be written.
pub fn predictions_to_stdout<'a>(
    lines: impl IntoIterator<Item = Prediction<'a>>,
) -> Result<(), Error> {
    let mut out = BufWriter::new(io::stdout().lock());
    match predictions(&mut out, lines).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Io { action: "write", path: "standard output".into(), source: e })
        }
        _ => Ok(()),
    }
}

fn predictions<'a>(
    out: &mut dyn Write,
    lines: impl IntoIterator<Item = Prediction<'a>>,
) -> io::Result<()> {
    writeln!(out, "row,col,prediction")?;
    lines.into_iter().try_for_each(|(row, col, value)| {
        writeln!(out, "{},{},{value:?}", quoted(&row), quoted(&col))
    })
}

/// A field, in quotes where it would otherwise be read as something else.
fn quoted(text: &str) -> Cow<'_, str> {
    match text.contains([',', '"', '\n', '\r']) || text.starts_with('#') {
        true => Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_through_quotes() {
        let ids = ["plain", "Doe, J.", "say \"hi\"", "#1", "5\" disk", "é", "a::b"];
        let mut bytes = Vec::new();
        let lines = ids.iter().map(|&id| (Cow::from(id), Cow::from("x"), 0.1));
        predictions(&mut bytes, lines).unwrap();
        let kind = crate::read::ratings::IdKind::Label;
        let back = crate::read::ratings::entries(&bytes[..], "csv", kind).unwrap();
        assert_eq!(back.entries.values, [0.1; 7]);
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(back.ids.rows.name(n), *id);
        }
    }
}
