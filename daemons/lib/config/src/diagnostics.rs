//! Diagnostics of the evaluator, in words for those who write settings.

use crate::differ;
use dhall::syntax::{Expr, ExprKind};
use serde_dhall::SimpleType;
use std::collections::BTreeSet;
use std::path::Path;

/// An error of the evaluator about `file`, whose expression is `expr`.
pub(crate) fn type_error(text: &str, file: &Path, expr: &Expr) -> String {
    let text = text.replace("<current file>", &file.display().to_string());
    let text = text.strip_prefix("Type error: error: ").unwrap_or(&text);
    let unknown = |what: &str| {
        let wrong = pointed_at(text).rsplit('.').next().unwrap_or_default().to_owned();
        let mut names = BTreeSet::new();
        collect_names(expr, &mut names);
        let near = differ::nearest(&wrong, names.iter().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
        format!("unknown {what} `{wrong}`{hint}")
    };
    let (name, by) = if text.starts_with("MissingUnionField") {
        ("MissingUnionField", unknown("variant"))
    } else if text.starts_with("MissingRecordField") {
        ("MissingRecordField", unknown("field"))
    } else if text.starts_with("DuplicateFieldName") {
        ("DuplicateFieldName", "this field is set twice".to_owned())
    } else if let Some(differences) = mismatch(text) {
        return format!("{}\n{differences}", text.split("\n  = note:").next().unwrap_or(text));
    } else {
        return text.to_owned();
    };
    text.replace(name, &by)
}

/// An error of the parser, without the names of the grammar's rules.
pub(crate) fn parse_error(text: &str) -> String {
    let plain = |line: &str| match line.split_once("= expected ") {
        Some((margin, rules)) if rules.contains(", ") || rules.contains('_') => {
            format!(
                "{margin}= no expression goes on like this; a comma, a quote or a bracket may be missing before it"
            )
        }
        _ => line.to_owned(),
    };
    text.trim_start().lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// The code above the carets of an error.
fn pointed_at(text: &str) -> &str {
    let lines: Vec<&str> = text.lines().collect();
    let carets = lines.iter().position(|line| line.contains('^')).unwrap_or(0);
    let (line, below) = (lines.get(carets.wrapping_sub(1)), lines.get(carets));
    let range = below.and_then(|below| Some(below.find('^')?..below.rfind('^')? + 1));
    line.zip(range).and_then(|(line, range)| line.get(range)).unwrap_or_default()
}

/// The places where the two types of a note differ, one line each.
fn mismatch(text: &str) -> Option<String> {
    let quoted = |after: &str| text.split_once(after)?.1.split_once('`').map(|(ty, _)| ty);
    let parse = |ty: &str| serde_dhall::from_str(ty).parse::<SimpleType>().ok();
    let (expected, found) = (parse(quoted("expected type `")?)?, parse(quoted("found type `")?)?);
    let problems = differ::differences(&expected, &found);
    let lines: Vec<String> = problems.iter().map(|problem| format!("  = {problem}")).collect();
    Some(lines.join("\n"))
}

/// Every name that a field or a variant has somewhere in `expr`.
fn collect_names(expr: &Expr, names: &mut BTreeSet<String>) {
    match expr.kind() {
        ExprKind::RecordLit(fields) | ExprKind::RecordType(fields) => {
            names.extend(fields.keys().map(ToString::to_string));
        }
        ExprKind::UnionType(variants) => names.extend(variants.keys().map(ToString::to_string)),
        _ => {}
    }
    let _: ExprKind<()> = expr.kind().map_ref(|sub| collect_names(sub, names));
}
