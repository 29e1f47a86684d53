use flatmin_core::rng::{Role, Stream};
use flatmin_core::*;
use std::time::Instant;
fn main() {
    let a: Vec<f64> = std::env::args()
        .skip(2)
        .map(|v| v.parse().unwrap())
        .collect();
    let kind = std::env::args().nth(1).unwrap();
    let (d, mult, trials) = (a[0] as usize, a[1], a[2] as u64);
    let r = 2;
    for seed in 0..trials {
        let mut t = Stream::new(seed, "probe", d as u64, 0, Role::Truth);
        let mut s = Stream::new(seed, "probe", d as u64, 0, Role::Measurements);
        let truth = planted::low_rank(d, d, r, &mut t).unwrap();
        let m = (mult * (r * (2 * d - r)) as f64) as usize;
        let map: Box<dyn LinearMap> = if kind == "s" {
            Box::new(DenseMap::new(d, d, s.gaussian_vector(d * d * m)).unwrap())
        } else {
            let p = m as f64 / (d * d) as f64;
            let (mut i, mut j) = (vec![], vec![]);
            for a in 0..d {
                for b in 0..d {
                    if s.uniform() < p {
                        i.push(a);
                        j.push(b);
                    }
                }
            }
            Box::new(Entries::new(d, d, &i, &j).unwrap())
        };
        let m = map.dims().measurements;
        let mut b = vec![0.0; m];
        map.apply(truth.as_ref(), &mut b);
        for obj in [Objective::Flat, Objective::Nuclear] {
            let t0 = Instant::now();
            let road =
                std::cell::RefCell::new(std::collections::BTreeMap::<&str, (usize, f64)>::new());
            let last = std::cell::Cell::new(Instant::now());
            let x = Program::new(map.as_ref(), &b, obj)
                .observe(|p| {
                    let mut road = road.borrow_mut();
                    let e = road.entry(p.road).or_default();
                    e.0 += 1;
                    e.1 += last.get().elapsed().as_secs_f64();
                    last.set(Instant::now());
                    if std::env::var("V").is_ok() {
                        println!(
                            "  {} {} obj {:.6e} low {:.6e} feas {:.1e} rank {}",
                            p.iteration, p.road, p.objective, p.lower_bound, p.feasibility, p.rank
                        );
                    }
                    std::ops::ControlFlow::Continue(())
                })
                .solve()
                .unwrap();
            println!(
                "{kind} d={d} m={m} seed {seed} {obj:7} {:10} gap {:.1e} feas {:.1e} rank {} uniq {} err {:.1e} it {} {:.1} ms {:?}",
                x.status.to_string(),
                x.relative_gap,
                x.feasibility,
                x.rank,
                x.unique,
                (x.matrix() - &truth).norm_l2(),
                x.iterations,
                t0.elapsed().as_secs_f64() * 1e3,
                road.borrow()
            );
        }
    }
}
