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

/// Cuts what belongs to rows, `starts[i]..starts[i + 1]` to row `i`, into pieces of so many rows, each with
/// its first row and the one after its last.
///
/// ```
/// use flatmin_core::linalg::parallel::cut;
/// let mut values = [1, 2, 3, 4, 5];
/// let pieces = cut(&mut values, &[0, 2, 2, 5], 2);
/// assert_eq!(pieces, [(0, 2, &mut [1, 2][..]), (2, 3, &mut [3, 4, 5][..])]);
/// ```
pub fn cut<'a, T>(
    values: &'a mut [T],
    starts: &[usize],
    rows: usize,
) -> Vec<(usize, usize, &'a mut [T])> {
    let end = starts.len().saturating_sub(1);
    let (mut pieces, mut rest) = (Vec::new(), values);
    for first in (0..end).step_by(rows.max(1)) {
        let last = (first + rows).min(end);
        let (piece, after) = rest.split_at_mut(starts[last] - starts[first]);
        pieces.push((first, last, piece));
        rest = after;
    }
    pieces
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
