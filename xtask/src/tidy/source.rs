//! Enough of Rust's lexis to tell code from comments, strings and tests.

/// The code with comments and the contents of literals blanked out, line for line.
pub(super) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut k = 0;
    while let Some(&c) = chars.get(k) {
        let next = chars.get(k + 1).copied();
        let end = match (c, next) {
            ('/', Some('/')) => find(&chars, k, |c| c == '\n'),
            ('/', Some('*')) => block_comment(&chars, k),
            ('"', _) => quoted(&chars, k, '"'),
            ('r', Some('"' | '#')) if starts_literal(&chars, k) => raw_string(&chars, k),
            ('\'', Some('\\')) => quoted(&chars, k, '\''),
            ('\'', Some(_)) if chars.get(k + 2) == Some(&'\'') => k + 3,
            _ => {
                out.push(c);
                k += 1;
                continue;
            }
        };
        let end = end.clamp(k + 1, chars.len());
        out.extend(chars[k..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        k = end;
    }
    out
}

fn find(chars: &[char], from: usize, what: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|&c| what(c)).map_or(chars.len(), |n| from + n)
}

fn block_comment(chars: &[char], from: usize) -> usize {
    let (mut k, mut depth) = (from, 0);
    while k < chars.len() {
        match (chars[k], chars.get(k + 1)) {
            ('/', Some('*')) => (depth, k) = (depth + 1, k + 2),
            ('*', Some('/')) => (depth, k) = (depth - 1, k + 2),
            _ => k += 1,
        }
        if depth == 0 {
            break;
        }
    }
    k
}

fn quoted(chars: &[char], from: usize, quote: char) -> usize {
    let mut k = from + 1;
    while k < chars.len() && chars[k] != quote {
        k += if chars[k] == '\\' { 2 } else { 1 };
    }
    k + 1
}

/// Whether the `r` at `at` begins a raw string and is not the end of a name or a raw name.
fn starts_literal(chars: &[char], at: usize) -> bool {
    let named = |c: &char| c.is_alphanumeric() || *c == '_';
    let before = at.checked_sub(1).and_then(|k| chars.get(k));
    let byte = before == Some(&'b') && !at.checked_sub(2).is_some_and(|k| named(&chars[k]));
    let after = find(chars, at + 1, |c| c != '#');
    (byte || !before.is_some_and(named)) && chars.get(after) == Some(&'"')
}

fn raw_string(chars: &[char], from: usize) -> usize {
    let open = find(chars, from + 1, |c| c != '#');
    let hashes = open - from - 1;
    let mut k = open + 1;
    while k < chars.len() {
        let closing = chars[k + 1..].iter().take_while(|&&c| c == '#').count();
        if chars[k] == '"' && closing >= hashes {
            return k + 1 + hashes;
        }
        k += 1;
    }
    k
}

/// For each line of blanked code, whether it belongs to an item under `#[cfg(test)]`.
pub(super) fn test_lines(code: &str) -> Vec<bool> {
    let mut marks = vec![false; code.lines().count()];
    let line_of = |at: usize| code[..at].matches('\n').count();
    let mut from = 0;
    while let Some(at) = code[from..].find("#[cfg(test)]").map(|n| from + n) {
        let mut depth = 0_usize;
        let item = code[at..].char_indices().skip_while(|(_, c)| *c != ']');
        let end = item
            .skip(1)
            .find(|&(_, c)| {
                match c {
                    '{' => depth += 1,
                    '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 0 && (c == '}' || c == ';')
            })
            .map_or(code.len() - 1, |(n, _)| at + n);
        let (first, last) = (line_of(at), line_of(end));
        marks.iter_mut().take(last + 1).skip(first).for_each(|mark| *mark = true);
        from = end + 1;
        if from >= code.len() {
            break;
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_line_for_line() {
        for (text, expected) in [
            ("a // panic!()\nb", "a            \nb"),
            ("a /* x /* y */ z */ b", "a                   b"),
            ("f(\"a \\\" b\") c", "f(        ) c"),
            ("f(\"a\nb\")", "f(  \n  )"),
            ("r#\"a \" b\"# c", "           c"),
            ("br\"a\" c", "b     c"),
            ("var\"a\"", "var   "),
            ("r#type + 1", "r#type + 1"),
            ("'\\'' 'x' '{' &'a str", "             &'a str"),
            ("\"open", "     "),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn test_items_end_with_their_brace() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { {} }\n}\nfn c() {}\n\
                    #[cfg(test)]\nuse x;\nfn d() {}";
        let marks = test_lines(&code(text));
        assert_eq!(marks, [false, true, true, true, true, false, true, true, false]);
        assert_eq!(test_lines("#[cfg(test)]\nmod a {"), [true, true]);
    }
}
