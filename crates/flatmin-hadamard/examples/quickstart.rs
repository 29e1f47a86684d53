//! A sparse vector from linear measurements of it: products of two factors find it, products of three do not.
//!
//! ```text
//! cargo run --release -p flatmin-hadamard --example quickstart
//! ```

use flatmin_core::rng::{Role, Stream};
use flatmin_hadamard::{Error, Planted};

fn main() -> Result<(), Error> {
    let stream = |role| Stream::new(0, "quickstart", 0, 0, role);
    let (mut truth, mut draws) = (stream(Role::Truth), stream(Role::Measurements));

    let Planted { problem, truth } = Planted::gaussian(100, 200, 10, &mut truth, &mut draws)?;

    for depth in [2, 3] {
        let flat = problem.flat(depth).solve()?;
        println!("{} with gap {:.1e}: {}", flat.objective, flat.relative_gap, flat.status);
        println!("{} nonzeros, trace of the Hessian {}", flat.rank, flat.trace);
        let squares = flat.x.iter().zip(&truth).map(|(x, truth)| (x - truth).powi(2));
        println!("distance to the planted vector: {:.1e}", squares.sum::<f64>().sqrt());
    }
    Ok(())
}
