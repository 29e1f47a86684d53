use flatmin_rpca::core::rng::{Role, Stream};
use flatmin_rpca::{Planted, RobustPca};
use std::time::Instant;
fn main() {
    let a: Vec<f64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let (d, r, p, miss, form, tol, threads) =
        (a[0] as usize, a[1] as usize, a[2], a[3], a[4], a[5], a[6] as usize);
    let s = |role| Stream::new(1, "probe", 0, 0, role);
    let mut planted =
        Planted::bernoulli(d, d, r, p, 10.0, &mut s(Role::Truth), &mut s(Role::Noise)).unwrap();
    if miss > 0.0 {
        planted = planted.hidden(miss, &mut s(Role::Measurements)).unwrap();
    }
    let problem: &RobustPca = &planted.problem;
    let t = Instant::now();
    let mut last = (t, "");
    let mut log: Vec<String> = vec![];
    let program = if form == 0.0 {
        problem.penalised(problem.default_lambda())
    } else {
        problem.constrained(form * planted.tau())
    };
    let out = program
        .tolerance(tol)
        .threads(threads)
        .observe(|p| {
            if p.road != last.1 {
                log.push(format!(
                    "{:7.1} ms it {} {} obj {:.9e} low {:.9e} feas {:.1e} rank {}",
                    t.elapsed().as_secs_f64() * 1e3,
                    p.iteration,
                    p.road,
                    p.objective,
                    p.lower_bound,
                    p.feasibility,
                    p.rank
                ));
                last.1 = p.road;
            }
            if p.iteration % 200 == 0 {
                log.push(format!(
                    "   {} {:.9e} {:.9e} {:.1e} {}",
                    p.iteration, p.objective, p.lower_bound, p.feasibility, p.rank
                ));
            }
            std::ops::ControlFlow::Continue(())
        })
        .solve()
        .unwrap();
    let e = t.elapsed().as_secs_f64();
    for l in log {
        println!("{l}");
    }
    let err = (&out.matrix() - &planted.truth).norm_l2() / planted.truth.norm_l2();
    println!(
        "{:.1} ms {} gap {:.1e} obj {:.10} err {err:.1e} rank {} its {} nnz {} lam {:.4} tau {:.6} (planted {:.6}) feas {:.1e} {:?}",
        e * 1e3,
        out.status,
        out.relative_gap,
        out.objective,
        out.rank,
        out.iterations,
        out.sparse_entries(),
        out.lambda,
        out.tau,
        planted.tau(),
        out.feasibility,
        out.warnings
    );
}
