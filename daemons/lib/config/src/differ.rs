//! Differences of a value's type from the expected one: every place, with its path and a hint.

use crate::Problem;
use crate::path::join;
use dhall::syntax::{Const, Expr, ExprKind};
use serde_dhall::SimpleType;
use std::collections::HashMap;

/// Unions of one variant that stand in types for expressions that are no plain values.
const BARE_NONE: &str = "None";
const FUNCTION: &str = "a function";

/// A type with the functions in it replaced by unions that name them, so that the rest can be compared.
pub(crate) fn without_functions(ty: &Expr) -> Expr {
    let kind = match ty.kind() {
        ExprKind::Pi(_, argument, _) => {
            let bare = matches!(argument.kind(), ExprKind::Const(Const::Type));
            let name = if bare { BARE_NONE } else { FUNCTION };
            ExprKind::UnionType(std::iter::once((name.into(), None)).collect())
        }
        kind => kind.map_ref(without_functions),
    };
    Expr::new(kind, ty.span())
}

/// An expression with records in the place of lists, so that elements of several types can be compared with the one expected.
pub(crate) fn itemised(expr: &Expr) -> Expr {
    let kind = match expr.kind() {
        ExprKind::NEListLit(items) => {
            let items = items.iter().enumerate();
            ExprKind::RecordLit(
                items.map(|(index, item)| (index_label(index).into(), itemised(item))).collect(),
            )
        }
        kind => kind.map_ref(itemised),
    };
    Expr::new(kind, expr.span())
}

fn index_label(index: usize) -> String {
    format!("[{index}]")
}

/// All differences, sorted by path.
pub(crate) fn differences(expected: &SimpleType, found: &SimpleType) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(expected, found, "", &mut problems);
    problems.sort();
    problems
}

fn walk(expected: &SimpleType, found: &SimpleType, path: &str, problems: &mut Vec<Problem>) {
    match (expected, found) {
        (SimpleType::Record(want), SimpleType::Record(have)) => records(want, have, path, problems),
        (SimpleType::Optional(want), SimpleType::Optional(have)) => walk(want, have, path, problems),
        (SimpleType::List(want), SimpleType::List(have)) => walk(want, have, &format!("{path}[]"), problems),
        (SimpleType::List(want), SimpleType::Record(items)) if items.contains_key(&index_label(0)) => {
            for (label, have) in items {
                walk(want, have, &format!("{path}{label}"), problems);
            }
        }
        _ if expected == found => {}
        (SimpleType::Optional(want), have) if stands_for(have, BARE_NONE) => {
            problem(
                problems,
                path,
                format!("expected {}, found None: write None {}", name(expected), name(want)),
            );
        }
        (want @ SimpleType::Union(_), have) if stands_for(have, FUNCTION) => {
            let text = format!("expected {}, found a variant without its value", name(want));
            problem(problems, path, text);
        }
        (_, have) if stands_for(have, FUNCTION) => {
            problem(problems, path, format!("expected {}, found a function", name(expected)));
        }
        (SimpleType::Optional(want), have) if **want == *have => {
            problem(problems, path, format!("expected {}, wrap the value: Some …", name(expected)));
        }
        (SimpleType::Natural, SimpleType::Integer) => {
            problem(
                problems,
                path,
                "expected Natural, found Integer: write the number without a sign".to_owned(),
            );
        }
        _ => problem(problems, path, format!("expected {}, found {}", name(expected), name(found))),
    }
}

fn records(
    want: &HashMap<String, SimpleType>,
    have: &HashMap<String, SimpleType>,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    for (field, ty) in want {
        let place = join(path, field);
        match have.get(field) {
            Some(found) => walk(ty, found, &place, problems),
            None => problem(problems, &place, format!("missing, expected {}", name(ty))),
        }
    }
    for field in have.keys().filter(|field| !want.contains_key(*field)) {
        let near = nearest(field, want.keys().map(String::as_str));
        let hint = near.map_or_else(String::new, |known| format!(", did you mean `{known}`?"));
        problem(problems, &join(path, field), format!("unknown field{hint}"));
    }
}

fn stands_for(ty: &SimpleType, what: &str) -> bool {
    matches!(ty, SimpleType::Union(variants) if variants.len() == 1 && variants.contains_key(what))
}

fn problem(problems: &mut Vec<Problem>, path: &str, message: String) {
    problems.push(Problem { path: path.to_owned(), message });
}

/// A type in a few words: a record of sixty fields helps nobody.
pub(crate) fn name(ty: &SimpleType) -> String {
    match ty {
        SimpleType::Record(_) => "a record".to_owned(),
        SimpleType::Union(variants) => {
            let mut names: Vec<&str> = variants.keys().map(String::as_str).collect();
            names.sort_unstable();
            format!("one of < {} >", names.join(" | "))
        }
        SimpleType::Optional(inner) => format!("Optional {}", name(inner)),
        SimpleType::List(inner) => format!("List {}", name(inner)),
        plain => plain.to_string().trim().to_owned(),
    }
}

/// The name most like `wrong`, if one is like it at all.
pub fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (distance(name, wrong), name)).min();
    near.filter(|(distance, name)| *distance <= 2 && *distance < name.chars().count()).map(|(_, name)| name)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, pair) in b.iter().zip(row.windows(2)) {
            let (diagonal, above) = (pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0));
            left = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{differences, distance};
    use serde_dhall::SimpleType;

    fn check(expected: &str, found: &str, problems: &[&str]) {
        let ty = |text: &str| serde_dhall::from_str(text).parse::<SimpleType>().unwrap();
        let found: Vec<String> =
            differences(&ty(expected), &ty(found)).iter().map(ToString::to_string).collect();
        assert_eq!(found, problems);
    }

    #[test]
    fn every_difference_is_told_with_its_path() {
        check("{ a : Natural }", "{ a : Natural }", &[]);
        check(
            "{ a : { port : Natural } }",
            "{ a : { port : Text } }",
            &["a.port: expected Natural, found Text"],
        );
        check(
            "{ a : Optional Text }",
            "{ a : Text }",
            &["a: expected Optional Text, wrap the value: Some …"],
        );
        check(
            "{ a : Natural }",
            "{ a : Integer }",
            &["a: expected Natural, found Integer: write the number without a sign"],
        );
        check(
            "{ brokers : List Text, id : Natural }",
            "{ broker : List Text, id : List Text }",
            &[
                "broker: unknown field, did you mean `brokers`?",
                "brokers: missing, expected List Text",
                "id: expected Natural, found List Text",
            ],
        );
        check(
            "{ a : < X | Y : Natural > }",
            "{ a : < X | Z > }",
            &["a: expected one of < X | Y >, found one of < X | Z >"],
        );
    }

    #[test]
    fn distance_is_levenshtein() {
        for (a, b, expect) in
            [("", "", 0), ("kitten", "sitting", 3), ("broker", "brokers", 1), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), expect, "{a} {b}");
        }
    }
}
