//! Values and types in normal form, as data. Not by way of their text: the parser needs a tenth of a second for a record with
//! unions in it, and settings have many.

use dhall::builtins::Builtin;
use dhall::operations::OpKind;
use dhall::syntax::{Expr, ExprKind};
use serde_dhall::{SimpleType, SimpleValue};

/// The value, unless it holds a function, a type, or a text that depends on something.
pub(crate) fn value(expr: &Expr) -> Option<SimpleValue> {
    Some(match expr.kind() {
        ExprKind::Num(number) => SimpleValue::Num(number.clone()),
        ExprKind::TextLit(text) if text.tail().is_empty() => SimpleValue::Text(text.head().to_owned()),
        ExprKind::SomeLit(inner) => SimpleValue::Optional(Some(Box::new(value(inner)?))),
        ExprKind::EmptyListLit(_) => SimpleValue::List(Vec::new()),
        ExprKind::NEListLit(items) => SimpleValue::List(items.iter().map(value).collect::<Option<_>>()?),
        ExprKind::RecordLit(fields) => {
            let fields = fields.iter().map(|(name, field)| Some((name.to_string(), value(field)?)));
            SimpleValue::Record(fields.collect::<Option<_>>()?)
        }
        ExprKind::Op(OpKind::Field(union, variant)) => matches!(union.kind(), ExprKind::UnionType(_))
            .then(|| SimpleValue::Union(variant.to_string(), None))?,
        ExprKind::Op(OpKind::App(function, argument)) => match function.kind() {
            ExprKind::Builtin(Builtin::OptionalNone) => SimpleValue::Optional(None),
            ExprKind::Op(OpKind::Field(_, variant)) => {
                SimpleValue::Union(variant.to_string(), Some(Box::new(value(argument)?)))
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// The type, unless it is one of functions.
pub(crate) fn ty(expr: &Expr) -> Option<SimpleType> {
    Some(match expr.kind() {
        ExprKind::Builtin(Builtin::Bool) => SimpleType::Bool,
        ExprKind::Builtin(Builtin::Natural) => SimpleType::Natural,
        ExprKind::Builtin(Builtin::Integer) => SimpleType::Integer,
        ExprKind::Builtin(Builtin::Double) => SimpleType::Double,
        ExprKind::Builtin(Builtin::Text) => SimpleType::Text,
        ExprKind::Op(OpKind::App(function, argument)) => match function.kind() {
            ExprKind::Builtin(Builtin::Optional) => SimpleType::Optional(Box::new(ty(argument)?)),
            ExprKind::Builtin(Builtin::List) => SimpleType::List(Box::new(ty(argument)?)),
            _ => return None,
        },
        ExprKind::RecordType(fields) => {
            let fields = fields.iter().map(|(name, field)| Some((name.to_string(), ty(field)?)));
            SimpleType::Record(fields.collect::<Option<_>>()?)
        }
        ExprKind::UnionType(variants) => {
            let variants = variants.iter().map(|(name, variant)| {
                let variant = match variant {
                    Some(variant) => Some(ty(variant)?),
                    None => None,
                };
                Some((name.to_string(), variant))
            });
            SimpleType::Union(variants.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{ty, value};
    use dhall::{Ctxt, Parsed};
    use serde_dhall::{SimpleType, SimpleValue};

    /// Normal form and type of a text, as this module sees them.
    fn read(text: &str) -> (Option<SimpleValue>, Option<SimpleType>) {
        Ctxt::with_new(|cx| {
            let resolved = Parsed::parse_str(text).unwrap().resolve(cx).unwrap();
            let typed = resolved.typecheck(cx).unwrap();
            let of = typed.get_type().unwrap();
            (value(&typed.normalize(cx).to_expr(cx)), ty(&of.to_expr(cx)))
        })
    }

    #[test]
    fn every_shape_reads_as_its_text_does() {
        for text in [
            "True",
            "7",
            "+7",
            "2.5",
            "\"a\" ++ \"b\"",
            "\"${Natural/show 7}!\"",
            "None Text",
            "Some [ 1, 2 ]",
            "[] : List { a : Bool }",
            "{ a = 1, `b c` = { d = \"\" } }",
            "< A | B : Natural >.A",
            "let u = < A | B : { x : Optional Text } > in [ u.A, u.B { x = Some \"y\" } ]",
            "{ Type = { a : Bool, b : Text }, default.a = True }::{ b = \"c\" }",
        ] {
            let expected = serde_dhall::from_str(text).parse::<SimpleValue>().unwrap();
            let (found, of) = read(text);
            assert_eq!(found, Some(expected), "{text}");
            let of = of.unwrap();
            serde_dhall::from_str(text).type_annotation(&of).parse::<SimpleValue>().unwrap();
        }
        for text in ["Natural/show", "{ a = λ(x : Bool) → x }", "Text"] {
            assert_eq!(read(text).0, None, "{text}");
        }
    }
}
