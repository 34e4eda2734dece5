//! Types as Dhall text, in the one layout that is committed.

use serde_dhall::SimpleType;

/// Fields sorted, one per line.
pub(crate) fn ty(ty: &SimpleType) -> String {
    let mut text = String::new();
    write(ty, 0, &mut text);
    text.push('\n');
    text
}

fn write(ty: &SimpleType, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match ty {
        SimpleType::Record(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            for (index, (name, ty)) in fields.into_iter().enumerate() {
                text.push_str(if index == 0 { "{ " } else { &indent });
                text.push_str(if index == 0 { "" } else { ", " });
                text.push_str(name);
                text.push_str(" : ");
                write(ty, depth + 1, text);
                text.push('\n');
            }
            text.push_str(&indent);
            text.push('}');
        }
        SimpleType::Union(variants) => {
            let mut variants: Vec<_> = variants.iter().collect();
            variants.sort_by_key(|(name, _)| *name);
            text.push('<');
            for (index, (name, ty)) in variants.into_iter().enumerate() {
                text.push_str(if index == 0 { " " } else { " | " });
                text.push_str(name);
                if let Some(ty) = ty {
                    text.push_str(" : ");
                    write(ty, depth + 1, text);
                }
            }
            text.push_str(" >");
        }
        SimpleType::Optional(inner) => applied("Optional", inner, depth, text),
        SimpleType::List(inner) => applied("List", inner, depth, text),
        plain => text.push_str(plain.to_string().trim()),
    }
}

fn applied(function: &str, inner: &SimpleType, depth: usize, text: &mut String) {
    text.push_str(function);
    text.push(' ');
    let nested = matches!(inner, SimpleType::Optional(_) | SimpleType::List(_));
    text.push_str(if nested { "(" } else { "" });
    write(inner, depth, text);
    text.push_str(if nested { ")" } else { "" });
}
