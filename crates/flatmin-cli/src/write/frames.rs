//! A folder of pictures: what stays still and what moves, for every frame.

use super::{cannot_write, place, png, probe};
use crate::Error;
use crate::read::image::{Layout, Picture};
use flatmin::core::MatRef;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A folder for `background_0000.png`, `foreground_0000.png` and so on.
#[derive(Debug)]
pub struct FrameFolder<'a>(&'a Path);

impl<'a> FrameFolder<'a> {
    /// The folder of a path, which need not exist.
    ///
    /// # Errors
    /// When the path is a file.
    pub fn new(path: &'a Path) -> Result<FrameFolder<'a>, Error> {
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_dir() => {
                Err(Error::NotDirectory { path: path.display().to_string() })
            }
            _ => Ok(FrameFolder(path)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0
    }

    /// Checks that no input is one of its pictures.
    ///
    /// # Errors
    /// Names an input that is.
    pub fn apart(&self, inputs: &[&Path]) -> Result<(), Error> {
        let folder = place(self.0);
        for &path in inputs {
            let input = place(path);
            let name = input.file_name().unwrap_or_default().to_string_lossy();
            let ours = ["background_", "foreground_"].iter().any(|part| name.starts_with(part));
            if ours && input.parent() == Some(&folder) {
                return Err(Error::OverInput { path: path.display().to_string() });
            }
        }
        Ok(())
    }

    /// Makes the folder where it does not exist, and checks that pictures can be written there.
    ///
    /// # Errors
    /// When that is not so.
    pub fn create(&self) -> Result<(), Error> {
        fs::create_dir_all(self.0).map_err(|source| {
            let path = self.0.display().to_string();
            Error::Io { action: "create", path, source }
        })?;
        probe(&self.picture("background", 0))
    }

    /// Writes the pictures of two matrices whose columns are frames of `width` pixels a row:
    /// backgrounds clipped to 0 to 255, foregrounds by their absolute values, likewise.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn write(
        &self,
        background: MatRef<'_, f64>,
        foreground: MatRef<'_, f64>,
        width: usize,
    ) -> Result<(), Error> {
        let as_it_is: fn(f64) -> f64 = |v| v;
        let parts = [("background", background, as_it_is), ("foreground", foreground, f64::abs)];
        for (name, part, level) in parts {
            for (k, frame) in part.col_iter().enumerate() {
                // The conversion saturates, and takes NaN to 0.
                let pixels: Vec<u8> = frame.iter().map(|&v| level(v).round() as u8).collect();
                let height = pixels.len() / width.max(1);
                let picture = Picture { layout: Layout::Grey, height, width, pixels };
                let path = self.picture(name, k);
                let file = File::create(&path).map_err(|e| cannot_write(&path, e))?;
                let mut out = BufWriter::new(file);
                let written = png(&mut out, &picture).and_then(|()| out.flush());
                written.map_err(|e| cannot_write(&path, e))?;
            }
        }
        Ok(())
    }

    fn picture(&self, name: &str, frame: usize) -> PathBuf {
        self.0.join(format!("{name}_{frame:04}.png"))
    }
}
