//! The leading singular triplets of a sequence of matrices that change little from one to the next.
//!
//! Where few are wanted, a block of right vectors `V` is carried from matrix to matrix and improved
//! by one step of subspace iteration, `Q = orth(A V)`, `A^T Q = V' S U'^T`; as many as exceed the
//! threshold are used, and the block is widened until it holds one that does not. Where many are
//! wanted, they come from the eigenvectors of the smaller Gram matrix, or from a full decomposition.
//!
//! Reference: Halko, Martinsson, Tropp, *Finding structure with randomness*, SIAM Review 53, 2011.

use flatmin_core::linalg::{self, Par, Svd};
use flatmin_core::rng::{Role, Stream};
use flatmin_core::{Error, Mat, MatRef};

/// The block may hold this part of all triplets before the others take over: one in four, or in ten
/// of a matrix much longer than wide, whose Gram matrix costs little.
const NARROW: (usize, usize) = (4, 10);

/// Matrices with no side longer than this are decomposed in full.
const SMALL: usize = 48;

/// Triplets carried beyond those that exceed the threshold: at least this number, or a tenth.
const SPARE: usize = 5;

/// What is known of the leading right vectors.
pub(super) struct Spectrum {
    par: Par,
    block: Option<Mat<f64>>,
    /// Width of the next block.
    width: usize,
}

impl Spectrum {
    /// Nothing is known yet of a matrix of this shape; `rank` is a guess.
    pub(super) fn new(rows: usize, cols: usize, rank: Option<usize>, par: Par) -> Spectrum {
        let width = rank.map_or(rows.min(cols) / 12, |rank| rank + SPARE).max(8);
        Spectrum { par, block: None, width }
    }

    /// The triplets of `A` with singular values above `threshold(largest)`, and perhaps some below,
    /// ordered; at least one.
    pub(super) fn above(
        &mut self,
        a: MatRef<'_, f64>,
        threshold: impl Fn(f64) -> f64,
    ) -> Result<Svd, Error> {
        let (rows, cols) = a.shape();
        let least = rows.min(cols);
        if rows.max(cols) <= SMALL {
            return linalg::svd(a, Par::Seq);
        }
        let narrow = if rows.max(cols) < 4 * least { NARROW.0 } else { NARROW.1 };
        let mut fresh = self.block.is_none();
        while self.width * narrow <= least {
            let block = self.widened(cols);
            let found = self.step(a, block.as_ref(), fresh)?;
            let threshold = threshold(found.s[0]);
            if count(&found, threshold) < found.s.len() {
                self.remember(&found, threshold);
                return Ok(found);
            }
            self.width = 2 * found.s.len();
            self.block = Some(found.v);
            fresh = true;
        }
        let found = self.gram(a, &threshold)?;
        self.remember(&found, threshold(found.s[0]));
        Ok(found)
    }

    /// Carries over what exceeded the threshold, and some more.
    fn remember(&mut self, found: &Svd, threshold: f64) {
        let wanted = count(found, threshold);
        self.width = wanted + (wanted / 10).max(SPARE);
        let keep = self.width.min(found.v.ncols());
        self.block = Some(found.v.as_ref().subcols(0, keep).to_owned());
    }

    /// The block carried over, widened by random columns.
    fn widened(&self, cols: usize) -> Mat<f64> {
        let known = self.block.as_ref().map_or(0, |b| b.ncols().min(self.width));
        let mut stream = Stream::new(0, "rpca block", cols as u64, known as u64, Role::Start);
        let scale = 1.0 / (cols as f64).sqrt();
        let mut block = Mat::zeros(cols, self.width);
        for j in 0..self.width {
            match &self.block {
                Some(old) if j < known => block.col_mut(j).copy_from(old.col(j)),
                _ => block.col_mut(j).iter_mut().for_each(|v| *v = scale * stream.gaussian()),
            }
        }
        block
    }

    /// One step of subspace iteration; two for a block that holds random columns.
    fn step(&self, a: MatRef<'_, f64>, v: MatRef<'_, f64>, fresh: bool) -> Result<Svd, Error> {
        let (rows, cols) = a.shape();
        let width = v.ncols();
        let mut image = Mat::zeros(rows, width);
        linalg::multiply_par(image.as_mut(), a, v, self.par);
        let mut q = linalg::thin_qr(image.as_ref()).0;
        let mut back = Mat::zeros(cols, width);
        linalg::multiply_par(back.as_mut(), a.transpose(), q.as_ref(), self.par);
        if fresh {
            let p = linalg::thin_qr(back.as_ref()).0;
            linalg::multiply_par(image.as_mut(), a, p.as_ref(), self.par);
            q = linalg::thin_qr(image.as_ref()).0;
            linalg::multiply_par(back.as_mut(), a.transpose(), q.as_ref(), self.par);
        }
        // A^T Q = P R, and R = U' S V'^T of order `width`.
        let (p, r) = linalg::thin_qr(back.as_ref());
        let core = linalg::svd(r.as_ref(), Par::Seq)?;
        Ok(Svd {
            u: linalg::product(q.as_ref(), core.v.as_ref()),
            v: linalg::product(p.as_ref(), core.u.as_ref()),
            s: core.s,
        })
    }

    /// Those above the threshold, and one more, from the smaller Gram matrix.
    fn gram(&self, a: MatRef<'_, f64>, threshold: &impl Fn(f64) -> f64) -> Result<Svd, Error> {
        let (rows, cols) = a.shape();
        if rows < cols {
            let mirrored = self.gram(a.transpose(), threshold)?;
            return Ok(Svd { u: mirrored.v, s: mirrored.s, v: mirrored.u });
        }
        let mut gram = Mat::zeros(cols, cols);
        linalg::multiply_lower_par(gram.as_mut(), a.transpose(), a, self.par);
        let (values, vectors) = linalg::symmetric_eigen(gram.as_ref(), Par::Seq)?;
        let s: Vec<f64> = values.iter().rev().map(|v| v.max(0.0).sqrt()).collect();
        let keep = s.iter().take_while(|&&v| v > threshold(s[0])).count().max(1);
        let v = Mat::from_fn(cols, keep, |i, j| vectors[(i, cols - 1 - j)]);
        let mut u = Mat::zeros(rows, keep);
        linalg::multiply_par(u.as_mut(), a, v.as_ref(), self.par);
        for (column, s) in u.col_iter_mut().zip(&s) {
            let inverse = if *s > 0.0 { 1.0 / s } else { 0.0 };
            column.iter_mut().for_each(|u| *u *= inverse);
        }
        Ok(Svd { u, s: s[..keep].to_vec(), v })
    }
}

/// Number of singular values above a threshold.
pub(super) fn count(svd: &Svd, threshold: f64) -> usize {
    svd.s.iter().take_while(|&&s| s > threshold).count()
}
