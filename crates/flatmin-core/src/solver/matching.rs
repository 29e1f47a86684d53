//! The penalty that a bound on the misfit amounts to.
//!
//! The misfit of the penalised form rises with `rho`, and where it is `delta` the two forms have one
//! solution: a root of `log(misfit / delta)` as a function of `log rho`, by a safeguarded secant. An
//! error in `rho` enters the gap by its square.

/// Slopes that a secant is believed.
const SLOPES: (f64, f64) = (0.05, 2.0);

/// Longest step.
const LONGEST: f64 = 7.0;

/// Width of the bracket at which nothing more is to be had.
const NARROW: f64 = 1e-12;

/// The search for `log rho`.
pub(super) struct Matching {
    log: f64,
    low: f64,
    high: f64,
    /// The last `log rho`, and how far off the misfit was.
    before: Option<(f64, f64)>,
}

impl Matching {
    /// From a guess of `rho`, and a value that it cannot exceed.
    pub(super) fn new(guess: f64, largest: f64) -> Matching {
        let (log, high) = (guess.ln(), largest.ln());
        Matching { log, low: f64::NEG_INFINITY, high, before: None }
    }

    pub(super) fn rho(&self) -> f64 {
        self.log.exp()
    }

    /// Takes `off = log(misfit / delta)` at [`Matching::rho`] and moves on; `false` at the end.
    pub(super) fn advance(&mut self, off: f64) -> bool {
        if off > 0.0 {
            self.high = self.high.min(self.log);
        } else {
            self.low = self.low.max(self.log);
        }
        let slope = self.before.map_or(1.0, |(log, before)| (off - before) / (self.log - log));
        self.before = Some((self.log, off));
        let step = off / slope.clamp(SLOPES.0, SLOPES.1);
        let next = self.log - step.clamp(-LONGEST, LONGEST);
        let held = next > self.low && next < self.high;
        let (low, high) = (self.low.max(self.log - LONGEST), self.high.min(self.log + LONGEST));
        self.log = if held { next } else { 0.5 * (low + high) };
        self.log.is_finite() && self.high - self.low > NARROW && off != 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Misfits that rise like a power, with a kink, and up to a limit.
    #[test]
    fn roots_are_found() {
        let misfits: [fn(f64) -> f64; 3] =
            [|rho| rho.powf(0.7), |rho| rho.min(2.0 * rho.sqrt()), |rho| rho / (1.0 + rho)];
        for misfit in misfits {
            for root in [1e-8, 0.3, 40.0] {
                let delta = misfit(root);
                let mut search = Matching::new(1e3, 1e4);
                let found = (0..60).any(|_| {
                    let off = (misfit(search.rho()) / delta).ln();
                    off.abs() < 1e-12 || !search.advance(off)
                });
                let off = (misfit(search.rho()) / delta).ln();
                assert!(found && off.abs() < 1e-11, "{root}: {} off by {off:e}", search.rho());
            }
        }
    }
}
