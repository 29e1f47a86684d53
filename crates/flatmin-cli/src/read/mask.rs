//! Masks: which entries of a matrix, or pixels of a picture or of frames, are seen.

use super::image::Picture;
use super::{Array, array, extension};
use crate::Error;
use std::path::Path;

/// An array that is nonzero where an entry is seen, and where it lies.
#[derive(Debug)]
pub struct Mask {
    array: Array,
    place: String,
}

impl Mask {
    /// The mask of a `.npy`, `.csv` or `.png` file; in a picture, black means not seen.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(path: &Path) -> Result<Mask, Error> {
        let place = path.display().to_string();
        if extension(path) != "png" {
            return Ok(Mask { array: array(path)?, place });
        }
        let picture = Picture::read(path)?;
        let pixels = picture.pixels.chunks_exact(picture.channels());
        let values = pixels.map(|p| f64::from(u8::from(p.iter().any(|&v| v != 0)))).collect();
        Ok(Mask { array: Array { shape: vec![picture.height, picture.width], values }, place })
    }

    /// The mask of an array from `place`.
    pub fn of(array: Array, place: String) -> Mask {
        Mask { array, place }
    }

    /// What it says of every element, in C order, when its shape is one of those that are wanted.
    ///
    /// # Errors
    /// When its shape is another one, or it holds a NaN (the error names it).
    pub fn fit(self, shapes: &[&[usize]]) -> Result<Vec<bool>, Error> {
        let Mask { array: Array { shape, values }, place } = self;
        if !shapes.contains(&&shape[..]) {
            let expected = shapes.iter().map(|shape| size(shape)).collect::<Vec<_>>().join(" or ");
            return Err(Error::Mask { place, expected, got: size(&shape) });
        }
        match values.iter().position(|v| v.is_nan()) {
            None => Ok(values.into_iter().map(|v| v != 0.0).collect()),
            Some(n) => {
                let remedy = "a mask is nonzero where an entry is seen, zero elsewhere";
                Err(Error::of_element(place, &shape, n, values[n], remedy))
            }
        }
    }
}

/// A shape as `2 x 3`.
fn size(shape: &[usize]) -> String {
    match shape {
        [] => "a single number".to_owned(),
        [n] => format!("a list of {n}"),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_fits_one_of_the_shapes() {
        let mask = |shape: &[usize], values: &[f64]| {
            Mask::of(Array { shape: shape.to_vec(), values: values.to_vec() }, "m.npy".into())
        };
        let wanted: [&[usize]; 2] = [&[2, 1, 2], &[1, 2]];
        let seen = mask(&[1, 2], &[0.0, -3.0]).fit(&wanted).unwrap();
        assert_eq!(seen, [false, true]);
        assert_eq!(mask(&[2, 1, 2], &[1.0; 4]).fit(&wanted).unwrap(), [true; 4]);
        for (shape, got) in [(&[2, 1][..], "is 2 x 1,"), (&[2], "a list of 2"), (&[], "single")] {
            let values = vec![1.0; shape.iter().product()];
            let said = mask(shape, &values).fit(&wanted).unwrap_err().to_string();
            assert!(said.contains("2 x 1 x 2 or 1 x 2") && said.contains(got), "{said}");
        }
        let said = mask(&[2, 1, 2], &[1.0, 1.0, f64::NAN, 1.0]).fit(&wanted).unwrap_err();
        assert!(said.to_string().contains("pixel (0, 0) of frame 1 is NaN"), "{said}");
    }
}
