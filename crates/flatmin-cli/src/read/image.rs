//! 8-bit PNG images, grey or RGB, as matrices of pixel values 0 to 255.
//!
//! The three channels of an RGB image of height `h` and width `w` become one `h x 3w` matrix
//! `[R | G | B]`, so that they share their row space: completing it uses what the channels have in
//! common, which three separate problems would not.

use super::open;
use crate::Error;
use flatmin::core::Mat;
use image::{DynamicImage, ImageFormat, ImageReader};
use std::path::Path;

/// What can be wrong with an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It could not be decoded.
    #[error("not a whole PNG image ({0}): write it again")]
    Decode(#[from] image::ImageError),
    /// Pixels of a kind that is not read.
    #[error("its pixels are {kind}: convert it to 8-bit grey or RGB without transparency")]
    Pixels {
        /// The kind.
        kind: String,
    },
}

/// How the columns of a matrix make up a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// One channel, or no picture at all.
    #[default]
    Grey,
    /// Three channels of equal width, side by side.
    Rgb,
}

/// An 8-bit picture.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Grey, or red, green and blue.
    pub layout: Layout,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Values, row by row, channels together.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// Reads a PNG. Palettes and fewer bits a channel are expanded.
    ///
    /// # Errors
    /// When the file is not a whole PNG, has more than 8 bits a channel, or is transparent.
    pub fn read(path: &Path) -> Result<Picture, Error> {
        let place = || path.display().to_string();
        let reader = ImageReader::with_format(open(path)?, ImageFormat::Png);
        let image =
            reader.decode().map_err(|e| Error::Image { place: place(), fault: e.into() })?;
        let (height, width) = (image.height() as usize, image.width() as usize);
        match image {
            DynamicImage::ImageLuma8(p) => {
                Ok(Picture { layout: Layout::Grey, height, width, pixels: p.into_raw() })
            }
            DynamicImage::ImageRgb8(p) => {
                Ok(Picture { layout: Layout::Rgb, height, width, pixels: p.into_raw() })
            }
            other => {
                let kind = format!("{:?}", other.color());
                Err(Error::Image { place: place(), fault: Fault::Pixels { kind } })
            }
        }
    }

    /// Channels a pixel: 1 or 3.
    pub fn channels(&self) -> usize {
        match self.layout {
            Layout::Grey => 1,
            Layout::Rgb => 3,
        }
    }

    /// The pixel values as `h x w` (grey) or `h x 3w` (RGB, channels side by side).
    pub fn matrix(&self) -> Mat<f64> {
        let (width, channels) = (self.width, self.channels());
        Mat::from_fn(self.height, width * channels, |i, j| {
            f64::from(self.pixels[(i * width + j % width) * channels + j / width])
        })
    }

    /// A picture of a matrix, `h x w` or `h x 3w`: values rounded and clipped to 0 to 255.
    pub fn of(matrix: flatmin::core::MatRef<'_, f64>, layout: Layout) -> Picture {
        let channels = match layout {
            Layout::Grey => 1,
            Layout::Rgb => 3,
        };
        let (height, width) = (matrix.nrows(), matrix.ncols() / channels);
        let mut pixels = Vec::with_capacity(height * width * channels);
        for i in 0..height {
            for j in 0..width {
                // The conversion saturates, and takes NaN to 0.
                pixels.extend((0..channels).map(|c| matrix[(i, c * width + j)].round() as u8));
            }
        }
        Picture { layout, height, width, pixels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_lie_side_by_side_and_come_back() {
        let pixels: Vec<u8> = (0..2 * 3 * 3).collect();
        let picture = Picture { layout: Layout::Rgb, height: 2, width: 3, pixels };
        let matrix = picture.matrix();
        assert_eq!(matrix.shape(), (2, 9));
        // Pixel (1, 2) starts at (1 * 3 + 2) * 3 = 15; its channels are three columns apart.
        assert_eq!([matrix[(1, 2)], matrix[(1, 5)], matrix[(1, 8)]], [15.0, 16.0, 17.0]);
        assert_eq!(Picture::of(matrix.as_ref(), Layout::Rgb).pixels, picture.pixels);
    }

    #[test]
    fn values_are_rounded_and_clipped() {
        let row = [-3.0, 0.5, 254.4, 300.0, f64::NAN];
        let matrix = Mat::from_fn(1, 5, |_, j| row[j]);
        assert_eq!(Picture::of(matrix.as_ref(), Layout::Grey).pixels, [0, 1, 254, 255, 0]);
    }
}
