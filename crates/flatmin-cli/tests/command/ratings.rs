//! Ratings: from files with ids of any kind to predictions with the same ids.

use crate::refusals::all_refused;
use crate::sandbox::{Elements::F8, Elements::I8, Sandbox, distance};
use flatmin::completion::ratings::{Centring, Holdout, Penalty, Ratings, RatingsModel, Weights};
use std::collections::HashSet;

const USERS: usize = 14;
const FILMS: usize = 11;

/// Numbers without pattern in `[0, 1)`.
fn noise(n: usize) -> f64 {
    ((n as f64 * 0.618_033_988_749_895).fract() * (n % 97 + 3) as f64).fract()
}

/// Stars of a user for a film: half ones from 0.5 to 5.
fn stars(user: usize, film: usize) -> f64 {
    let taste = if user % 2 == film % 2 { 1.0 } else { -1.0 };
    let raw = 2.8 + taste + 0.1 * user as f64 - 0.12 * film as f64 + noise(user * FILMS + film);
    ((2.0 * raw).round() / 2.0).clamp(0.5, 5.0)
}

/// What was rated, in an order that is none of the ids.
fn rated() -> Vec<(usize, usize, f64)> {
    let all = (0..USERS * FILMS).map(|n| n * 37 % (USERS * FILMS));
    let rated = all.filter(|n| n % 5 != 3).map(|n| (n / FILMS, n % FILMS));
    rated.map(|(user, film)| (user, film, stars(user, film))).collect()
}

fn lines(
    separator: &str,
    user: impl Fn(usize) -> String,
    film: impl Fn(usize) -> String,
) -> String {
    let line = |(u, f, stars): (usize, usize, f64)| {
        format!("{}{separator}{}{separator}{stars}{separator}97830{u}{f}\n", user(u), film(f))
    };
    rated().into_iter().map(line).collect()
}

/// Ids as MovieLens has them.
fn user(u: usize) -> String {
    (3 * u + 1).to_string()
}

fn film(f: usize) -> String {
    (1000 + 17 * f).to_string()
}

/// The sandbox with `ratings.csv` and `pairs.csv`: all pairs, rated or not.
fn movielens() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(
        "ratings.csv",
        format!("userId,movieId,rating,timestamp\n{}", lines(",", user, film)),
    );
    let all = (0..USERS * FILMS).map(|n| format!("{},{}\n", user(n / FILMS), film(n % FILMS)));
    sandbox.file("pairs.csv", format!("userId,movieId\n{}", all.collect::<String>()));
    sandbox
}

/// The same ratings for the library, by order of first appearance.
fn ratings() -> (Ratings, Vec<usize>, Vec<usize>) {
    let (mut users, mut films) = (Vec::new(), Vec::new());
    let place = |list: &mut Vec<usize>, id| {
        list.iter().position(|&i| i == id).unwrap_or_else(|| {
            list.push(id);
            list.len() - 1
        })
    };
    let (mut rows, mut cols, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (u, f, stars) in rated() {
        rows.push(place(&mut users, u));
        cols.push(place(&mut films, f));
        values.push(stars);
    }
    (Ratings::new(USERS, FILMS, &rows, &cols, values).unwrap(), users, films)
}

/// What the library predicts for all pairs, in the order of `pairs.csv`.
fn of_library(model: &RatingsModel, users: &[usize], films: &[usize]) -> Vec<f64> {
    let place = |list: &[usize], id| list.iter().position(|&i| i == id);
    let predict = |n| model.predict(place(users, n / FILMS), place(films, n % FILMS));
    (0..USERS * FILMS).map(predict).collect()
}

/// Lines `row,col,prediction` of a table.
fn table(text: &str) -> Vec<(String, String, f64)> {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("row,col,prediction"));
    let line = |line: &str| {
        let (ids, value) = line.rsplit_once(',').unwrap();
        let (row, col) = ids.split_once(',').unwrap();
        (row.to_owned(), col.to_owned(), value.parse().unwrap())
    };
    lines.map(line).collect()
}

impl Sandbox {
    fn table(&self, name: &str) -> Vec<(String, String, f64)> {
        table(&std::fs::read_to_string(self.path(name)).unwrap())
    }
}

const FIT: &str = "--center row-col --penalty 0.02 --tol 1e-7";

#[test]
fn every_format_gives_the_predictions_of_the_library() {
    let (ratings, users, films) = ratings();
    let fit = ratings.fit().centring(Centring::RowCol).penalty(Penalty::Given(0.02));
    let model = fit.tolerance(1e-7).solve().unwrap();
    let expected = of_library(&model, &users, &films);
    assert!(model.recovery.rank > 0);

    let sandbox = movielens();
    let csv = lines(",", user, film);
    sandbox.file(
        "windows.csv",
        format!("\u{feff}userId,movieId,rating,timestamp\r\n{csv}")
            .replace("\n", "\r\n")
            .replace("\r\r", "\r"),
    );
    sandbox.file("u.data", lines("\t", user, film));
    sandbox.file("ratings.dat", lines("::", user, film));
    sandbox.file("ratings.tsv", format!("user\titem\trating\ttime\n{}", lines("\t", user, film)));
    sandbox.file("bare.csv", csv);
    let quoted = lines(",", |u| format!("\"{}\"", user(u)), |f| format!(" {} ", film(f)));
    sandbox.file("quoted.csv", format!("user,film,stars,at\n{quoted}"));
    let list = rated();
    let m = list.len();
    let column = |id: &dyn Fn(&(usize, usize, f64)) -> usize| -> Vec<i64> {
        list.iter().map(|r| id(r) as i64).collect()
    };
    let (row, col) = (column(&|r| 3 * r.0 + 1), column(&|r| 1000 + 17 * r.1));
    let values: Vec<f64> = list.iter().map(|r| r.2).collect();
    let fields: [(&str, &[usize], _); 3] =
        [("row", &[m], I8(&row)), ("col", &[m], I8(&col)), ("val", &[m], F8(&values))];
    sandbox.npz("ratings.npz", true, &fields);
    let entries = list.iter().map(|(u, f, s)| format!("{} {} {s}\n", user(*u), film(*f)));
    let head = format!("%%MatrixMarket matrix coordinate real general\n2000 2000 {m}\n");
    sandbox.file("ratings.mtx", head + &entries.collect::<String>());
    let pairs = |id: &dyn Fn(usize) -> i64| (0..USERS * FILMS).map(id).collect::<Vec<i64>>();
    let (row, col) =
        (pairs(&|n| (n / FILMS * 3 + 1) as i64), pairs(&|n| (1000 + n % FILMS * 17) as i64));
    let n = USERS * FILMS;
    sandbox.npz("pairs.npz", false, &[("row", &[n], I8(&row)), ("col", &[n], I8(&col))]);

    for data in [
        "ratings.csv",
        "windows.csv",
        "u.data",
        "ratings.dat",
        "ratings.tsv",
        "bare.csv --ids label",
        "quoted.csv",
        "ratings.npz --ids label",
        "ratings.mtx --ids label",
    ] {
        for pairs in ["pairs.csv", "pairs.npz"] {
            let line = format!("recover completion --entries {data} {FIT} --predict {pairs}");
            let answer = sandbox.json(&format!("{line} --predictions p.csv"));
            assert_eq!((&answer["d1"], &answer["d2"]), (&USERS.into(), &FILMS.into()), "{data}");
            assert_eq!((&answer["predictions"], &answer["unseen"]), (&n.into(), &0.into()));
            assert_eq!(
                (&answer["centring"], &answer["smoothing"]),
                (&"row-col".into(), &0.0.into())
            );
            assert_eq!(answer["warnings"], serde_json::json!([]), "{data}");
            let predictions = sandbox.table("p.csv");
            let values: Vec<f64> = predictions.iter().map(|p| p.2).collect();
            assert!(distance(&values, &expected) < 1e-9, "{data}, {pairs}");
            let ids = (0..n).map(|n| (user(n / FILMS), film(n % FILMS)));
            assert!(predictions.iter().map(|p| (p.0.clone(), p.1.clone())).eq(ids), "{data}");
        }
    }
}

#[test]
fn labels_are_mapped_back() {
    let sandbox = Sandbox::new();
    let text = "critic,film,stars\n\"Doe, J.\",Ran,4\n\"Doe, J.\",Ikiru,2\nanna,Ran,2\nanna,\"M\",3\n\"Doe, J.\",M,6\n";
    sandbox.file("list.csv", text);
    let line = "recover completion --entries list.csv --out X.csv --factors L.npy R.npy \
                --row-ids rows.csv --col-ids cols.csv";
    let answer = sandbox.json(line);
    assert_eq!((&answer["d1"], &answer["d2"], &answer["m"]), (&2.into(), &3.into(), &5.into()));
    assert!(answer.get("centring").is_none() && answer.get("predictions").is_none());
    let read = |name: &str| std::fs::read_to_string(sandbox.path(name)).unwrap();
    assert_eq!(read("rows.csv"), "index,id\n0,\"Doe, J.\"\n1,anna\n");
    assert_eq!(read("cols.csv"), "index,id\n0,Ran\n1,Ikiru\n2,M\n");
    let x = sandbox.array("X.csv");
    assert!(distance(&[x.values[0], x.values[1], x.values[3]], &[4.0, 2.0, 2.0]) < 1e-6);
    // Exactly the entry that makes the matrix one of rank one.
    sandbox.file("pair.csv", "anna,Ikiru\n");
    let line = "recover completion --entries list.csv --predict pair.csv --no-clip";
    let text = String::from_utf8(sandbox.run(line).stdout).unwrap();
    assert!((table(&text)[0].2 - 1.0).abs() < 1e-6, "{text}");
    // The indices of a list of indices are their own ids.
    sandbox.file("index.csv", "0,0,1\n1,2,1\n");
    sandbox.json("recover completion --entries index.csv --col-ids cols.csv");
    assert_eq!(read("cols.csv"), "index,id\n0,0\n1,1\n2,2\n");
}

/// What was never seen gets the offsets' prediction, and is counted.
#[test]
fn unseen_ids() {
    let sandbox = movielens();
    let (ratings, users, _) = ratings();
    let offsets = ratings.offsets(Centring::RowCol, Default::default()).unwrap();
    let known = users.iter().position(|&u| u == 5);
    let (user, seen) = (user(5), film(1));
    sandbox.file("pairs.csv", format!("nobody,{seen}\n{user},none\n{user},x\n{user},{seen}\n"));
    let line = format!("recover completion --entries ratings.csv {FIT} --predict pairs.csv");
    let answer = sandbox.json(&format!("{line} --predictions p.csv"));
    assert_eq!((&answer["predictions"], &answer["unseen"]), (&4.into(), &3.into()));
    let warnings = answer["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].as_str().unwrap().starts_with("3 of 4 pairs"));
    let predictions = sandbox.table("p.csv");
    assert_eq!((&*predictions[0].0, &*predictions[1].1), ("nobody", "none"));
    assert!((predictions[1].2 - offsets.at(known, None)).abs() < 1e-9);
    assert_eq!(predictions[1].2, predictions[2].2);
    // Of indices, those beyond the matrix or without an entry.
    sandbox.file("list.csv", "0,0,1\n0,1,2\n2,0,4\n");
    sandbox.file("pairs.csv", "row,col\n0,0\n1,0\n9,0\n0,7\n");
    let line = "recover completion --entries list.csv --center global --predict pairs.csv";
    assert_eq!(sandbox.json(line)["unseen"], 3);
}

#[test]
fn a_penalty_is_chosen() {
    let (ratings, users, films) = ratings();
    let sandbox = movielens();
    let line = "recover completion --entries ratings.csv --center row-col --penalty auto --tol 1e-7 \
                --predict pairs.csv --predictions p.csv";
    type Choice = (&'static str, Weights, Holdout<'static>, u64);
    let cases: [Choice; 4] = [
        ("--smoothing 0", Weights::Smoothed(0.0), Holdout::Tenth, 0),
        ("--smoothing 0.5 --seed 3", Weights::Smoothed(0.5), Holdout::Tenth, 3),
        ("--objective nuclear --folds 3", Weights::Nuclear, Holdout::Folds(3), 0),
        ("--smoothing auto --seed 1", Weights::Auto, Holdout::Tenth, 1),
    ];
    for (options, weights, holdout, seed) in cases {
        let fit = ratings.fit().centring(Centring::RowCol).weights(weights).holdout(holdout);
        let model = fit.seed(seed).tolerance(1e-7).solve().unwrap();
        let answer = sandbox.json(&format!("{line} {options}"));
        let number = |name: &str| answer[name].as_f64().unwrap();
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-14;
        assert!(close(number("penalty"), model.penalty), "{options}");
        assert_eq!(number("smoothing"), model.smoothing, "{options}");
        let best = model.selection.iter().map(|t| t.rmse).min_by(f64::total_cmp);
        assert!(close(number("validation_rmse"), best.unwrap()), "{options}");
        assert_eq!(answer["selection"].as_array().unwrap().len(), model.selection.len());
        let values: Vec<f64> = sandbox.table("p.csv").iter().map(|p| p.2).collect();
        assert!(distance(&values, &of_library(&model, &users, &films)) < 1e-12, "{options}");
    }
    let output = sandbox.run(&format!("{line} --smoothing 0"));
    let text = String::from_utf8(output.stdout).unwrap();
    for word in [
        "centring      row-col",
        "validation    RMSE",
        "lambda     RMSE  rank",
        "* ",
        "wrote p.csv",
    ] {
        assert!(text.contains(word), "{word} is missing from {text}");
    }
}

/// Of matrix and predictions: offsets included, and kept within the range of the ratings if wished.
#[test]
fn the_matrix_holds_the_predictions() {
    let sandbox = movielens();
    let line =
        format!("recover completion --entries ratings.csv {FIT} --out X.npy --predict pairs.csv");
    let (_, users, films) = ratings();
    let place = |list: &[usize], id| list.iter().position(|&i| i == id).unwrap();
    for clip in ["--clip", "--no-clip"] {
        sandbox.json(&format!("{line} {clip} --predictions p.csv"));
        let x = sandbox.array("X.npy");
        let at = |n| x.values[place(&users, n / FILMS) * FILMS + place(&films, n % FILMS)];
        let expected: Vec<f64> = (0..USERS * FILMS).map(at).collect();
        let values: Vec<f64> = sandbox.table("p.csv").iter().map(|p| p.2).collect();
        assert!(distance(&values, &expected) < 1e-12, "{clip}");
        assert_eq!(clip == "--clip", values.iter().all(|v| (0.5..=5.0).contains(v)), "{clip}");
    }
}

#[test]
fn the_best_columns_of_rows() {
    let sandbox = movielens();
    let line = format!("recover completion --entries ratings.csv {FIT} --no-clip --top 2");
    let answer = sandbox
        .json(&format!("{line} --recommendations all.csv --predict pairs.csv --predictions p.csv"));
    let all = sandbox.table("all.csv");
    assert_eq!(answer["recommendations"], all.len());
    let predictions = sandbox.table("p.csv");
    let seen: HashSet<_> = rated().iter().map(|&(u, f, _)| (user(u), film(f))).collect();
    for u in 0..USERS {
        let mut open: Vec<_> = predictions.iter().filter(|p| p.0 == user(u)).collect();
        open.retain(|p| !seen.contains(&(p.0.clone(), p.1.clone())));
        open.sort_by(|a, b| b.2.total_cmp(&a.2));
        open.truncate(2);
        let best: Vec<_> = all.iter().filter(|p| p.0 == user(u)).collect();
        assert_eq!(best, open, "user {u}");
    }
    // One row, one that was never seen, and the object of JSON.
    let line = format!("{line} --top-for {} --top-for -who", user(4));
    let answer = sandbox.json(&line);
    let recommended = answer["recommended"].as_array().unwrap();
    assert_eq!((recommended.len(), answer["recommendations"].as_u64()), (4, Some(4)));
    assert_eq!((&recommended[0]["row"], &recommended[2]["row"]), (&user(4).into(), &"-who".into()));
    assert!(answer["warnings"][0].as_str().unwrap().contains("1 of 2 rows of --top-for"));
    let text = String::from_utf8(sandbox.run(&line).stdout).unwrap();
    assert_eq!(table(&text).len(), 4);
}

#[test]
fn a_pipe_gets_the_table_alone() {
    let sandbox = movielens();
    let line =
        format!("recover completion --entries ratings.csv {FIT} --predict pairs.csv --out X.npy");
    let output = sandbox.run(&line);
    assert_eq!(output.status.code(), Some(0));
    let predictions = table(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(predictions.len(), USERS * FILMS);
    let report = String::from_utf8(output.stderr).unwrap();
    for word in ["completion: flat solution", "centring      row-col", "wrote X.npy"] {
        assert!(report.contains(word), "{word} is missing from {report}");
    }
    let predicted = &sandbox.json(&line)["predicted"];
    let values: Vec<f64> =
        predicted.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let expected: Vec<f64> = predictions.iter().map(|p| p.2).collect();
    assert!(distance(&values, &expected) < 1e-14);
}

/// Twenty thousand lines: a matrix of rank one that ratings tell exactly.
#[test]
fn twenty_thousand_lines() {
    let sandbox = Sandbox::new();
    let value = |i: usize, j: usize| (1.0 + noise(i)) * (1.0 + noise(7 * j + 2));
    let seen = (0..30_000).filter(|n| noise(*n) < 0.67 || n / 150 == n % 150);
    let lines =
        seen.map(|n| (n / 150, n % 150)).map(|(i, j)| format!("u{i},i{j},{}\n", value(i, j)));
    sandbox.file("ratings.csv", format!("user_id,item_id,rating\n{}", lines.collect::<String>()));
    sandbox.file("pairs.csv", "u3,i140\nu199,i0\n");
    let line = "recover completion --entries ratings.csv --tol 1e-4 --predict pairs.csv --no-clip";
    let answer = sandbox.json(line);
    assert!(answer["m"].as_u64().unwrap() > 19_000, "{}", answer["m"]);
    for (n, (i, j)) in [(3, 140), (199, 0)].into_iter().enumerate() {
        let predicted = answer["predicted"][n].as_f64().unwrap();
        assert!((predicted / value(i, j) - 1.0).abs() < 1e-6, "{predicted}");
    }
}

#[test]
fn malformed_lines_are_named() {
    let sandbox = Sandbox::new();
    let head = "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n";
    let cases: [(&str, String, &[&str]); 12] = [
        (
            "r.csv",
            format!("{head}1,1029,three,1260759179\n"),
            &["line 3", "1,1029,three", "row,col,value"],
        ),
        ("r.csv", format!("{head}1,,3,1260759179\n"), &["line 3", "`1,,3,1260759179`"]),
        ("r.csv", format!("{head}1,1029\n"), &["line 3", "`1,1029`", "row,col,value"]),
        ("r.csv", format!("{head}1,1029,3\n"), &["line 3", "3 columns", "first line has 4"]),
        ("r.csv", format!("{head}1,1029,NaN,1260759179\n"), &["line 3", "not finite"]),
        ("r.csv", format!("{head}\n1,31,4,0\n"), &["lines 2 and 4", "row `1`, column `31`"]),
        ("r.csv", "userId,movieId,rating,timestamp\n".into(), &["no data"]),
        ("r.csv", String::new(), &["is empty"]),
        ("u.data", "196\t242\t3\t881250949\n186\t30".into(), &["line 2", "`186\\t30`"]),
        ("r.dat", "1::1193::5::978300760\n1::661::".into(), &["line 2", "`1::661::`"]),
        ("r.dat", "1::1193::5::978300760\n1::661::3::9::7\n".into(), &["line 2", "5 columns"]),
        ("r.csv", format!("{head}1,\"1029,3,1260759179\n"), &["line 3", "quoted"]),
    ];
    for (name, text, words) in cases {
        sandbox.file(name, text);
        let words = [&[name], words].concat();
        all_refused(&sandbox, &[(&format!("recover completion --entries {name}"), &words)]);
    }
    let cases: [(&str, &[&str]); 4] = [
        ("0,1\n0\n", &["p.csv", "line 2", "`0` is not row,col"]),
        ("0,1\nx,1\n", &["p.csv", "line 2", "`x,1`", "--ids label"]),
        ("row,col\n", &["p.csv", "no data"]),
        ("", &["p.csv is empty"]),
    ];
    sandbox.file("list.csv", "0,0,1\n0,1,2\n");
    for (text, words) in cases {
        sandbox.file("p.csv", text);
        let line = "recover completion --entries list.csv --predict p.csv";
        all_refused(&sandbox, &[(line, words)]);
    }
}

#[test]
fn combinations_that_make_no_sense() {
    let sandbox = movielens();
    sandbox.file("list.csv", "0,0,1\n0,1,2\n");
    sandbox.npy("b.npy", &[1], &[1.0]);
    sandbox.npy("A.npy", &[1, 2, 2], &[1.0; 4]);
    let cases: [(&str, &[&str]); 18] = [
        ("--predictions p.csv", &["--predict <PAIRS>"]),
        ("--top-for 3", &["--top <N>"]),
        ("--recommendations r.csv", &["--top <N>"]),
        ("--folds 5", &["--folds", "--penalty auto"]),
        ("--folds 5 --penalty 1", &["--folds", "--penalty auto"]),
        ("--folds 1 --penalty auto", &["--folds"]),
        ("--smoothing auto", &["--smoothing auto", "--penalty auto"]),
        ("--smoothing 2", &["--smoothing", "from 0 to 1"]),
        ("--smoothing 0.5 --objective nuclear", &["--smoothing", "nuclear"]),
        ("--penalty best", &["--penalty", "positive number", "auto"]),
        ("--penalty auto --noise 1", &["--penalty", "--noise"]),
        ("--center rows", &["--center", "row-col"]),
        ("--no-clip", &["--no-clip", "--predict"]),
        ("--clip", &["--clip", "--out"]),
        ("--predict pairs.csv --top 3", &["--top", "standard output"]),
        ("--predict pairs.txt", &["pairs.txt", ".csv, .tsv, .data, .dat or .npz"]),
        ("--row-ids ids.npy", &["ids.npy", ".csv"]),
        ("--shape 20,20", &["--shape", "labels"]),
    ];
    for (options, words) in cases {
        let line = format!("recover completion --entries ratings.csv {options}");
        all_refused(&sandbox, &[(&line, words)]);
    }
    let sensing = "recover sensing --measurements A.npy --targets b.npy";
    all_refused(
        &sandbox,
        &[
            (&format!("{sensing} --penalty auto"), &["--penalty auto", "completion"]),
            (&format!("{sensing} --center global"), &["--center"]),
            ("recover rpca --matrix A.npy --predict pairs.csv", &["--predict"]),
            (
                "recover completion --entries list.csv --top 3 --top-for x",
                &["--top-for x", "whole numbers", "--ids label"],
            ),
            ("recover completion --matrix A.npy --ids label", &["--ids", "--matrix"]),
        ],
    );
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let sandbox = movielens();
    sandbox.npy("b.npy", &[1], &[1.0]);
    sandbox.npy("A.npy", &[1, 2, 2], &[1.0; 4]);
    std::fs::create_dir(sandbox.path("folder")).unwrap();
    let ratings = "recover completion --entries ratings.csv";
    for (line, path) in [
        (format!("{ratings} --out ratings.csv"), "ratings.csv"),
        (format!("{ratings} --row-ids folder/../ratings.csv"), "folder/../ratings.csv"),
        (format!("{ratings} --predict pairs.csv --predictions pairs.csv"), "pairs.csv"),
        (format!("{ratings} --top 1 --recommendations ./ratings.csv"), "./ratings.csv"),
        ("recover sensing --measurements A.npy --targets b.npy --dual b.npy".into(), "b.npy"),
        ("recover rpca --matrix A.npy --sparse ./A.npy".into(), "./A.npy"),
    ] {
        let said = sandbox.refusal(&line);
        assert!(said.contains(&format!("{path} is read, and would be written over")), "{said}");
    }
    let twice = sandbox.refusal(&format!("{ratings} --row-ids i.csv --col-ids folder/../i.csv"));
    assert!(twice.contains("named for two outputs"), "{twice}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("ratings.csv", sandbox.path("link.csv")).unwrap();
        let said = sandbox.refusal(&format!("{ratings} --out link.csv"));
        assert!(said.contains("link.csv is read"), "{said}");
    }
    assert!(std::fs::read_to_string(sandbox.path("ratings.csv")).unwrap().starts_with("userId"));
}
