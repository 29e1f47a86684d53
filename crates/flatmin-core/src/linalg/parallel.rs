//! Elementwise work on large arrays, on one thread or on several.
//!
//! An array is cut into pieces of one fixed length, and what each piece yields is handed back in
//! their order: sums taken piece by piece have the same bits whatever the number of threads.

use super::Par;

/// Length of a piece.
pub const PIECE: usize = 1 << 14;

/// Applies `f` to each piece, and returns what it yields in the order of the pieces.
///
/// ```
/// use flatmin_core::linalg::{Par, parallel::{map, PIECE}};
/// let mut values = vec![2.0; 3 * PIECE];
/// let pieces = values.chunks_mut(PIECE).collect();
/// let sums = map(Par::rayon(2), pieces, |piece: &mut [f64]| {
///     piece.iter_mut().for_each(|v| *v *= 0.5);
///     piece.iter().sum::<f64>()
/// });
/// assert_eq!(sums, [PIECE as f64; 3]);
/// ```
pub fn map<I: Send, T: Send>(par: Par, pieces: Vec<I>, f: impl Fn(I) -> T + Sync) -> Vec<T> {
    split(par.degree(), pieces, &f)
}

fn split<I: Send, T: Send>(
    threads: usize,
    mut pieces: Vec<I>,
    f: &(impl Fn(I) -> T + Sync),
) -> Vec<T> {
    if threads < 2 || pieces.len() < 2 {
        return pieces.into_iter().map(f).collect();
    }
    let here = threads / 2;
    let rest = pieces.split_off(pieces.len() * here / threads);
    let (mut done, others) =
        rayon::join(|| split(here, pieces, f), || split(threads - here, rest, f));
    done.extend(others);
    done
}
