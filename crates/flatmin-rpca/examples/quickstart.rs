//! A matrix of rank two of which every tenth entry is grossly wrong, with the proof that the answer
//! is optimal.
//!
//! ```text
//! cargo run --release -p flatmin-rpca --example quickstart
//! ```

use flatmin_core::rng::{Role, Stream};
use flatmin_rpca::{Error, Planted};

fn main() -> Result<(), Error> {
    let stream = |role| Stream::new(0, "quickstart", 0, 0, role);
    let (mut truth, mut noise) = (stream(Role::Truth), stream(Role::Noise));

    let planted = Planted::bernoulli(40, 30, 2, 0.1, 5.0, &mut truth, &mut noise)?;
    let wrong = planted.corruptions();
    let Planted { problem, truth, .. } = planted;

    let parts = problem.penalised(problem.default_lambda()).solve()?;
    println!("{} with gap {:.1e}: {}", parts.objective, parts.relative_gap, parts.status);
    let (left, right) = parts.factors();
    println!(
        "factors {:?} and {:?}, scaled trace {}",
        left.shape(),
        right.shape(),
        parts.scaled_trace
    );
    println!("{} wrong entries found of {wrong}", parts.sparse_entries());
    let distance = (parts.matrix() - &truth).norm_l2() / truth.norm_l2();
    println!("relative distance to the planted matrix: {distance:.1e}");
    Ok(())
}
