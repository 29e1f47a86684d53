//! Filling holes of a picture by what is near.

use image::{GrayImage, Luma};

/// Fills the holes so that each is the mean of its neighbours above, below, left and right.
///
/// This discrete Laplace equation is solved by Gauss-Seidel sweeps until no pixel moves by more
/// than a hundredth of a grey level. Nothing but nearness is used.
pub(crate) fn harmonic(picture: &GrayImage, mask: &GrayImage) -> GrayImage {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let seen = |k: usize| mask.as_raw()[k] != 0;
    let mut values: Vec<f64> = (picture.iter().enumerate())
        .map(|(k, &v)| if seen(k) { f64::from(v) } else { 127.5 })
        .collect();
    let mut moved = f64::INFINITY;
    while moved > 0.01 {
        moved = 0.0;
        for k in (0..values.len()).filter(|&k| !seen(k)) {
            let (x, y) = (k % width, k / width);
            let near = [
                (x > 0).then(|| k - 1),
                (x + 1 < width).then(|| k + 1),
                (y > 0).then(|| k - width),
                (y + 1 < height).then(|| k + width),
            ];
            let (sum, count) = (near.iter().flatten())
                .fold((0.0, 0.0), |(sum, count), &k| (sum + values[k], count + 1.0));
            moved = moved.max((sum / count - values[k]).abs());
            values[k] = sum / count;
        }
    }
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        Luma([values[y as usize * width + x as usize].round() as u8])
    })
}
