//! Preconditioned conjugate gradients on thin matrices, within a trust region.

use crate::linalg::thin::Thin;

/// When to stop.
pub(super) struct Until {
    /// Residual in the norm of the preconditioner, relative to that of the right-hand side.
    pub(super) tolerance: f64,
    /// Length of the solution in the norm of the preconditioner's inverse.
    pub(super) radius: f64,
    pub(super) steps: usize,
}

/// An iterate.
pub(super) struct Iterate {
    pub(super) x: Thin,
    /// Its length.
    pub(super) length: f64,
    /// Decrease of `<H x, x> / 2 - <g, x>`.
    pub(super) decrease: f64,
}

/// What was reached.
pub(super) struct Reached {
    /// The last iterate.
    pub(super) end: Iterate,
    /// Some of those before it, each at least twice as long as the one before: a smaller trust region
    /// ends on the same way, which need not be gone again.
    pub(super) way: Vec<Iterate>,
    /// Whether a direction without positive curvature was met.
    pub(super) flat: bool,
}

/// About `x` with `H x = g`, given `P` near `H^{-1}`: the first iterate moves along `P g`. Where the
/// curvature is not positive, or the trust region ends, the last step goes to its boundary (Steihaug,
/// *The conjugate gradient method and trust regions in large scale optimization*, 1983).
pub(super) fn conjugate_gradients(
    g: Thin,
    until: &Until,
    precondition: impl Fn(&mut Thin),
    product: impl Fn(&Thin) -> Thin,
) -> Reached {
    let mut r = g;
    let mut x = Thin::zeros(r.rows(), r.width());
    let mut z = r.clone();
    precondition(&mut z);
    let mut p = z.clone();
    let mut size = r.dot(&z);
    let floor = until.tolerance.powi(2) * size;
    // <x, x>, <x, p> and <p, p> in the norm of P^{-1}.
    let (mut xx, mut xp, mut pp) = (0.0, 0.0, size);
    let (mut decrease, mut flat) = (0.0, false);
    let mut way: Vec<Iterate> = vec![];
    for _ in 0..until.steps {
        if size <= 0.0 || size.is_nan() {
            break;
        }
        let image = product(&p);
        let curvature = p.dot(&image);
        let step = size / curvature;
        let reach = xx + 2.0 * step * xp + step * step * pp;
        flat = curvature <= 0.0;
        let kept = way.last().map_or(0.0, |before| before.length);
        if xx > 4.0 * kept * kept {
            way.push(Iterate { x: x.clone(), length: xx.sqrt(), decrease });
        }
        if flat || reach >= until.radius.powi(2) {
            let room = until.radius.powi(2) - xx;
            let far = room / (xp + (xp * xp + pp * room).max(0.0).sqrt());
            if far.is_finite() {
                x.combine(1.0, far, &p);
                xx = until.radius.powi(2);
                decrease += far * size - 0.5 * far * far * curvature;
            }
            break;
        }
        x.combine(1.0, step, &p);
        (xx, xp) = (reach, xp + step * pp);
        decrease += 0.5 * step * size;
        r.combine(1.0, -step, &image);
        z.clone_from(&r);
        precondition(&mut z);
        let next = r.dot(&z);
        if next <= floor {
            break;
        }
        let turn = next / size;
        p.combine(turn, 1.0, &z);
        (xp, pp) = (turn * xp, next + turn * turn * pp);
        size = next;
    }
    Reached { end: Iterate { x, length: xx.max(0.0).sqrt(), decrease }, way, flat }
}
