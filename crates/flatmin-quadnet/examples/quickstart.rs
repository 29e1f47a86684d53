//! A network of two hidden units from its outputs, with the proof that the answer is optimal.
//!
//! ```text
//! cargo run --release -p flatmin-quadnet --example quickstart
//! ```

use flatmin_core::rng::{Role, Stream};
use flatmin_quadnet::{Error, Planted};

fn main() -> Result<(), Error> {
    let stream = |role| Stream::new(0, "quickstart", 0, 0, role);
    let (mut truth, mut draws) = (stream(Role::Truth), stream(Role::Measurements));

    let Planted { problem, truth } = Planted::gaussian(40, 1, 1, 400, &mut truth, &mut draws)?;

    let flat = problem.flat().solve()?;
    println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
    let (left, right) = flat.factors();
    println!(
        "factors {:?} and {:?}, scaled trace {}",
        left.shape(),
        right.shape(),
        flat.scaled_trace
    );
    println!("distance to the planted matrix: {:.1e}", (flat.matrix() - truth).norm_l2());
    Ok(())
}
