//! Vector kernels compiled for the widest instruction set of the machine that runs them.
//!
//! The dispatch is chosen once per call, so these take whole blocks of work, not single numbers.

use pulp::Arch;

/// Unit of work dispatched to the best instruction set; `run` must be inlined into the dispatch.
struct Task<F>(F);

impl<F: FnOnce() -> R, R> pulp::NullaryFnOnce for Task<F> {
    type Output = R;
    #[inline(always)]
    fn call(self) -> R {
        (self.0)()
    }
}

/// Runs `f` with the vector instructions of this machine enabled; `f` and what it calls must be
/// marked `#[inline(always)]` to profit.
#[inline(always)]
pub(crate) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(Task(f))
}

/// Lanes of independent partial sums: enough to hide the latency of a fused multiply-add.
const LANES: usize = 16;

/// `<a, b>` with a fixed order of summation.
#[inline(always)]
pub(crate) fn dot_inline(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let mut lanes = [0.0f64; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (x, y) in a_chunks.zip(b_chunks) {
        for l in 0..LANES {
            lanes[l] += x[l] * y[l];
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
        width /= 2;
    }
    a_rest.iter().zip(b_rest).fold(lanes[0], |sum, (x, y)| sum + x * y)
}

/// `out += factor * a`.
#[inline(always)]
pub(crate) fn axpy_inline(factor: f64, a: &[f64], out: &mut [f64]) {
    for (o, x) in out.iter_mut().zip(a) {
        *o += factor * x;
    }
}

/// Width of the vectors that [`measurement_gradient`] works in.
const WIDTH: usize = 8;

/// One measurement's part of the Gauss-Newton Jacobian, reading the measurement once:
/// `left = A V` and `right = A^T U`, column-major.
///
/// `a` is row-major with rows as long as the columns of `v`; `v` is column-major, `u` row-major.
#[inline(always)]
pub(crate) fn measurement_gradient(
    a: &[f64],
    u: &[f64],
    v: &[f64],
    k: usize,
    left: &mut [f64],
    right: &mut [f64],
) {
    right.fill(0.0);
    let mut first = 0;
    while first < k {
        first += match k - first {
            1 => columns::<1>(a, u, v, k, first, left, right),
            2 => columns::<2>(a, u, v, k, first, left, right),
            3 => columns::<3>(a, u, v, k, first, left, right),
            _ => columns::<4>(a, u, v, k, first, left, right),
        };
    }
}

/// Columns `first .. first + K` of [`measurement_gradient`]; returns `K`.
#[inline(always)]
fn columns<const K: usize>(
    a: &[f64],
    u: &[f64],
    v: &[f64],
    k: usize,
    first: usize,
    left: &mut [f64],
    right: &mut [f64],
) -> usize {
    let (rows, cols) = (left.len() / k, right.len() / k);
    let whole = cols - cols % WIDTH;
    for (p, row) in a.chunks_exact(cols).enumerate() {
        let weights: [f64; K] = std::array::from_fn(|j| u[p * k + first + j]);
        let mut sums = [[0.0; WIDTH]; K];
        for c in (0..whole).step_by(WIDTH) {
            let x = &row[c..c + WIDTH];
            for j in 0..K {
                let start = (first + j) * cols + c;
                let (v_j, right_j) = (&v[start..start + WIDTH], &mut right[start..start + WIDTH]);
                for l in 0..WIDTH {
                    sums[j][l] += x[l] * v_j[l];
                    right_j[l] += weights[j] * x[l];
                }
            }
        }
        for j in 0..K {
            let start = (first + j) * cols;
            let s = sums[j];
            let mut sum = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
            for c in whole..cols {
                sum += row[c] * v[start + c];
                right[start + c] += weights[j] * row[c];
            }
            left[(first + j) * rows + p] = sum;
        }
    }
    K
}

/// `<a, b>`; the shorter length counts.
///
/// ```
/// assert_eq!(flatmin_core::linalg::kernel::dot(&[1.0, 2.0], &[3.0, 4.0]), 11.0);
/// ```
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    vectorised(
        #[inline(always)]
        || dot_inline(a, b),
    )
}

/// `out += factor * a`.
///
/// ```
/// let mut out = [1.0, 1.0];
/// flatmin_core::linalg::kernel::axpy(2.0, &[1.0, 3.0], &mut out);
/// assert_eq!(out, [3.0, 7.0]);
/// ```
pub fn axpy(factor: f64, a: &[f64], out: &mut [f64]) {
    vectorised(
        #[inline(always)]
        || axpy_inline(factor, a, out),
    );
}
