//! Types and values as Dhall text, in one layout.

use serde_dhall::{NumKind, SimpleType, SimpleValue};

/// Width beyond which a type is broken into one field or variant per line.
const LINE_CHARS: usize = 80;

/// Text of a type; fields and variants are sorted.
pub(crate) fn ty(ty: &SimpleType) -> String {
    write(ty, 0) + "\n"
}

/// A value of type `ty`, complete with the types that an empty list, `None` and a union's variant need.
pub(crate) fn value(value: &SimpleValue, ty: &SimpleType) -> String {
    write_value(value, ty, 0) + "\n"
}

fn write_value(value: &SimpleValue, ty: &SimpleType, depth: usize) -> String {
    match (value, ty) {
        (SimpleValue::Num(NumKind::Bool(true)), _) => "True".to_owned(),
        (SimpleValue::Num(NumKind::Bool(false)), _) => "False".to_owned(),
        (SimpleValue::Num(NumKind::Natural(number)), _) => number.to_string(),
        (SimpleValue::Num(NumKind::Integer(number)), _) => format!("{number:+}"),
        (SimpleValue::Num(NumKind::Double(number)), _) => format!("{:?}", f64::from(*number)),
        (SimpleValue::Text(text), _) => text_literal(text),
        (SimpleValue::Optional(Some(inner)), SimpleType::Optional(ty)) => {
            format!("Some {}", argument(inner, ty, depth))
        }
        (SimpleValue::Optional(_), SimpleType::Optional(ty)) => applied("None", ty, depth),
        (SimpleValue::List(items), SimpleType::List(inner)) if items.is_empty() => {
            format!("[] : {}", applied("List", inner, depth))
        }
        (SimpleValue::List(items), SimpleType::List(ty)) => {
            let items = items.iter().map(|item| write_value(item, ty, depth + 1));
            layout(["[", ",", "]"], &items.collect::<Vec<_>>(), depth)
        }
        (SimpleValue::Record(fields), SimpleType::Record(_)) if fields.is_empty() => "{=}".to_owned(),
        (SimpleValue::Record(fields), SimpleType::Record(types)) => {
            let field = |(name, value): (&String, &SimpleValue)| {
                types.get(name).map(|ty| format!("{name} = {}", write_value(value, ty, depth + 2)))
            };
            layout(["{", ",", "}"], &fields.iter().filter_map(field).collect::<Vec<_>>(), depth)
        }
        (SimpleValue::Union(name, inner), SimpleType::Union(variants)) => {
            let payload = inner.as_deref().zip(variants.get(name).and_then(Option::as_ref));
            let payload =
                payload.map_or_else(String::new, |(inner, ty)| format!(" {}", argument(inner, ty, depth)));
            format!("{}.{name}{payload}", write(ty, depth))
        }
        // No value of this type: the evaluator reports it better.
        (other, _) => format!("{other:?}"),
    }
}

/// Text of a value behind `Some` or a variant.
fn argument(value: &SimpleValue, ty: &SimpleType, depth: usize) -> String {
    let text = write_value(value, ty, depth);
    let alone = match value {
        SimpleValue::Optional(_) => false,
        SimpleValue::List(items) => !items.is_empty(),
        SimpleValue::Union(_, payload) => payload.is_none(),
        _ => true,
    };
    if alone { text } else { format!("({text})") }
}

fn text_literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '$' => literal.extend(['\\', c]),
            c if c.is_control() => literal += &format!("\\u{:04x}", u32::from(c)),
            c => literal.push(c),
        }
    }
    literal + "\""
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
