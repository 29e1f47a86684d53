//! scratch
use flatmin::core::rng::{Role, Stream};
use flatmin::core::{Objective, Status};
use std::time::Instant;
fn main() {
    for d in [20usize, 40, 60, 100] {
        let st = |role| Stream::new(0, "bench", d as u64, 0, role);
        let m = 4 * 2 * (2 * d - 2);
        let p = flatmin::bilinear::Planted::gaussian(
            d,
            d,
            2,
            m,
            &mut st(Role::Truth),
            &mut st(Role::Measurements),
        )
        .unwrap();
        let mq = 4 * (3 * d - 3);
        let q = flatmin::quadnet::Planted::gaussian(
            d,
            2,
            1,
            mq,
            &mut st(Role::Truth),
            &mut st(Role::Measurements),
        )
        .unwrap();
        let c = flatmin::covariance::Planted::gaussian(
            d,
            2,
            4 * 2 * d,
            &mut st(Role::Truth),
            &mut st(Role::Measurements),
        )
        .unwrap();
        for (name, prog) in [
            ("bilinear", p.problem.program(Objective::Flat)),
            ("quadnet", q.problem.program(Objective::Flat)),
            ("covariance", c.problem.program(Objective::Flat)),
            ("cov nuc", c.problem.program(Objective::Nuclear)),
        ] {
            let t = Instant::now();
            let mut roads = Vec::new();
            let a = prog
                .observe(|p| {
                    roads.push(p.road);
                    std::ops::ControlFlow::Continue(())
                })
                .solve()
                .unwrap();
            let s = t.elapsed().as_secs_f64();
            let truth = match name {
                "bilinear" => &p.truth,
                "quadnet" => &q.truth,
                _ => &c.truth,
            };
            let mut runs: Vec<(&str, usize)> = Vec::new();
            for r in &roads {
                match runs.last_mut() {
                    Some(l) if l.0 == *r => l.1 += 1,
                    _ => runs.push((r, 1)),
                }
            }
            println!(
                "{name} d={d}: {:.4} s {} gap {:.1e} err {:.1e} unique {} {:?}",
                s,
                a.status,
                a.relative_gap,
                (a.matrix() - truth).norm_l2(),
                a.unique,
                runs
            );
            let _ = Status::Certified;
        }
    }
}
