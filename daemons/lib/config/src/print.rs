//! Types as Dhall text, in the one layout that is committed.

use serde_dhall::SimpleType;

/// Longer types are broken into one field or variant per line.
const LINE_CHARS: usize = 80;

/// Fields and variants are sorted.
pub(crate) fn ty(ty: &SimpleType) -> String {
    write(ty, 0) + "\n"
}

fn write(ty: &SimpleType, depth: usize) -> String {
    match ty {
        SimpleType::Record(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let parts = fields.into_iter().map(|(name, ty)| format!("{name} : {}", write(ty, depth + 2)));
            layout(["{", ",", "}"], &parts.collect::<Vec<_>>(), depth)
        }
        SimpleType::Union(variants) => {
            let mut variants: Vec<_> = variants.iter().collect();
            variants.sort_by_key(|(name, _)| *name);
            let parts = variants.into_iter().map(|(name, ty)| match ty {
                Some(ty) => format!("{name} : {}", write(ty, depth + 2)),
                None => name.clone(),
            });
            layout(["<", " |", ">"], &parts.collect::<Vec<_>>(), depth)
        }
        SimpleType::Optional(inner) => applied("Optional", inner, depth),
        SimpleType::List(inner) => applied("List", inner, depth),
        plain => plain.to_string().trim().to_owned(),
    }
}

fn layout([open, between, close]: [&str; 3], parts: &[String], depth: usize) -> String {
    let line = format!("{open} {} {close}", parts.join(&format!("{between} ")));
    if line.len() <= LINE_CHARS && !line.contains('\n') {
        return line;
    }
    let indent = "  ".repeat(depth);
    let lines = parts.join(&format!("\n{indent}{} ", between.trim_start()));
    format!("{open} {lines}\n{indent}{close}")
}

fn applied(function: &str, inner: &SimpleType, depth: usize) -> String {
    let nested = matches!(inner, SimpleType::Optional(_) | SimpleType::List(_));
    let text = write(inner, depth);
    if nested { format!("{function} ({text})") } else { format!("{function} {text}") }
}

#[cfg(test)]
mod tests {
    use super::ty;
    use serde_dhall::SimpleType;

    #[test]
    fn a_printed_type_reads_back_as_itself() {
        let long = "a_name_that_needs_more_than_half_of_a_line_of_text";
        for text in [
            "Natural",
            "{ a : List (Optional Text), b : < X : { y : Bool } | Z > }",
            &format!("{{ {long} : {{ {long} : < {long} | {long}2 : {{ {long} : Text }} >, b : Text }} }}"),
        ] {
            let parse = |text: &str| serde_dhall::from_str(text).parse::<SimpleType>().unwrap();
            let printed = ty(&parse(text));
            assert_eq!(parse(&printed), parse(text), "{printed}");
            assert_eq!(ty(&parse(&printed)), printed);
        }
    }
}
