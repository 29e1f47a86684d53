//! Where descent methods end, beside the flat optimum that the convex program certifies.
//!
//! ```text
//! cargo run --release -p flatmin-core --example descent
//! ```

use flatmin_core::descent::{
    Descent, Direction, Gradient, LabelNoise, Multipliers, Sam, Smoothed, TraceOf, Trajectory,
    WeightDecay, settle, start,
};
use flatmin_core::loss::{Factorised, Traced};
use flatmin_core::rng::{Role, Stream};
use flatmin_core::{DenseMap, Domain, Error, Measured, planted};

fn main() -> Result<(), Error> {
    // Rank 2, and factors of 10 columns.
    let stream = |role| Stream::new(0, "descent example", 0, 0, role);
    let truth = planted::low_rank(10, 10, 2, &mut stream(Role::Truth))?;
    let map = DenseMap::new(10, 10, stream(Role::Measurements).gaussian_vector(80 * 100))?;
    let targets = planted::targets(&truth, &map)?;
    let problem = Measured::new(map, targets, Domain::General)?;
    let flat = problem.flat().solve()?;
    println!("least scaled trace {:.6}, {}", flat.scaled_trace, flat.status);

    let loss = problem.loss()?.of_width(10)?;
    let from = start(&loss, 1.0, 0)?;
    let mut methods: [Box<dyn Direction + '_>; 6] = [
        Box::new(Gradient::new(&loss)),
        Box::new(WeightDecay::new(&loss)),
        Box::new(Sam::new(&loss)),
        Box::new(Sam::of_batch(&loss, 1)?),
        Box::new(Smoothed::new(&loss)),
        Box::new(LabelNoise::new(&loss)),
    ];
    println!("{:46}{:>14}{:>14}{:>8}{:>10}  ended", "", "trace / least", "error", "steps", "path");
    for method in &mut methods {
        let mut way = Trajectory::new(&loss).optimum(flat.scaled_trace).truth(truth.as_ref());
        let mut descent = Descent::default().observer(|seen| way.record(seen));
        let end = descent.run(method.as_mut(), &from)?;
        drop(descent);
        let seen = way.finish()?.len();
        // Onto the zero set, where traces can be compared.
        let on = settle(&loss, &end.x, 1e-10)?;
        let trace = loss.trace_and_gradient(&on.x, &mut vec![0.0; on.x.len()])?;
        let error = (loss.matrix(&on.x)? - &truth).norm_l2();
        let batch = method.batch().map_or(String::new(), |b| format!(", {b} at a time"));
        println!(
            "{:46}{:14.5}{error:14.1e}{:8}{:10.2}  {}, seen {seen} times",
            format!("{}{batch}", method.name()),
            trace / flat.scaled_trace,
            end.steps,
            end.path,
            end.end
        );
    }
    let least = Multipliers::default().minimise(&TraceOf(&loss), &loss, &from)?;
    println!("{:46}{:14.5}", "method of multipliers", least.value / flat.scaled_trace);
    Ok(())
}
