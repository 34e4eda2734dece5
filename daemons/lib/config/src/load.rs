//! Loading of settings: from a file to validated settings, in a thread of its own.
//!
//! # Why a thread
//! The evaluator recurses as deep as the settings nest and panics on some inputs: 256 MiB of stack keep it from
//! aborting the process, and a join turns a panic into an error.

use crate::{Checker, Error, Problem, Settings, Version, diagnostics, differ, imports, secrets, simple};
use dhall::error::TypeError;
use dhall::operations::OpKind;
use dhall::syntax::{Expr, ExprKind};
use dhall::{Ctxt, Parsed, Typed};
use serde_dhall::{SimpleType, SimpleValue, StaticType};
use std::path::{Path, PathBuf};

const STACK_BYTES: usize = 256 << 20;

/// Validated settings, and the value of the file.
#[derive(Debug)]
pub struct Loaded<S> {
    /// Settings for the daemon to run with.
    pub settings: S,
    /// Value of the file, to be compared with another.
    pub version: Version,
    /// Fields that work, and most likely are not meant so.
    pub doubts: Vec<Problem>,
}

/// Loads, type-checks and validates settings.
///
/// # Errors
/// All problems at once, each with its dotted path.
pub fn load<S: Settings>(file: &Path) -> Result<Loaded<S>, Error> {
    isolated(file, version::<S>)
        .and_then(|version| loaded(version).map_err(|problems| Error { file: file.to_owned(), problems }))
}

pub(crate) fn loaded<S: Settings>(version: Version) -> Result<Loaded<S>, Vec<Problem>> {
    let mut problems = secrets::exposed(&version.value);
    let raw = serde_dhall::from_simple_value(version.value.clone())
        .map_err(|error| vec![Problem { path: String::new(), message: error.to_string() }])?;
    let mut checker = Checker::default();
    let settings = S::validate(raw, &mut checker);
    let (wrong, doubts) = checker.finish();
    problems.extend(wrong);
    match settings {
        Some(settings) if problems.is_empty() => Ok(Loaded { settings, version, doubts }),
        _ => Err(problems),
    }
}

impl<S: Settings> Loaded<S> {
    /// The settings of `older`, with the fields that reload taken from `newer`.
    ///
    /// # Errors
    /// When the two do not go together.
    pub fn merged(older: &Version, newer: &Version) -> Result<Self, Vec<Problem>> {
        loaded(older.reloaded::<S>(newer))
    }
}

/// The Dhall type of the settings, as committed under `dhall/`.
#[must_use]
pub fn type_text<T: StaticType>() -> String {
    crate::print::ty(&T::static_type())
}

fn isolated<T: Send + 'static>(
    file: &Path,
    work: impl FnOnce(&Path) -> Result<T, Vec<Problem>> + Send + 'static,
) -> Result<T, Error> {
    let path: PathBuf = file.to_owned();
    let thread = std::thread::Builder::new().name("dhall".to_owned()).stack_size(STACK_BYTES);
    let problems = |message: String| vec![Problem { path: String::new(), message }];
    let outcome = match thread.spawn(move || work(&path)) {
        Ok(thread) => thread
            .join()
            .unwrap_or_else(|_| Err(problems("the Dhall evaluator panicked on this file".to_owned()))),
        Err(error) => Err(problems(format!("start the evaluator's thread: {error}"))),
    };
    outcome.map_err(|problems| Error { file: file.to_owned(), problems })
}

pub(crate) fn version<S: Settings>(file: &Path) -> Result<Version, Vec<Problem>> {
    let whole = |message: String| vec![Problem { path: String::new(), message }];
    let expr =
        imports::gather(file, &mut |file, expr| match typed(file, expr, Clone::clone, |_, _| Ok(())) {
            // With the type of the whole, the field can be named.
            Err(problems) if mixes(&problems) => Ok(()),
            judged => judged,
        })?;
    let (found, value) = match typed(file, &expr, Clone::clone, evaluated) {
        Err(problems) if mixes(&problems) => {
            let each = typed(file, &expr, differ::itemised, evaluated).ok().and_then(|(found, _)| found.ok());
            let named = each.map(|found| differ::differences(&S::Raw::static_type(), &found));
            return Err(named.filter(|named| !named.is_empty()).unwrap_or(problems));
        }
        other => other?,
    };
    let found = found.map_err(|found| {
        whole(format!("expected a plain record of settings, found a value of type {found}"))
    })?;
    let problems = differ::differences(&S::Raw::static_type(), &found);
    if !problems.is_empty() {
        return Err(problems);
    }
    let value = value.ok_or_else(|| whole("expected a plain record of settings".to_owned()))?;
    Ok(Version { value })
}

/// Type of an expression, or the text of one that no settings have, and its value, where it is plain.
type Evaluated = (Result<SimpleType, String>, Option<SimpleValue>);

/// The type and the normal form of an expression.
fn evaluated<'cx>(typed: &Typed<'cx>, cx: Ctxt<'cx>) -> Result<Evaluated, TypeError> {
    let ty = differ::without_functions(&typed.get_type()?.to_expr(cx));
    let value = simple::value(&typed.normalize(cx).to_expr(cx));
    Ok((simple::ty(&ty).ok_or_else(|| ty.to_string()), value))
}

/// True of the evaluator's word that elements of a list have several types; it does not say where they differ.
fn mixes(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.message.starts_with("InvalidListElement"))
}

/// Value that `of` makes of the expression in `file`, typed as `shape` has it.
fn typed<T>(
    file: &Path,
    expr: &Expr,
    shape: impl FnOnce(&Expr) -> Expr,
    of: impl for<'cx> FnOnce(&Typed<'cx>, Ctxt<'cx>) -> Result<T, TypeError>,
) -> Result<T, Vec<Problem>> {
    let problem = |error: &dyn std::fmt::Display| {
        vec![Problem {
            path: String::new(),
            message: diagnostics::type_error(&error.to_string(), file, expr),
        }]
    };
    Ctxt::with_new(|cx| {
        let resolved = Parsed::from_expr_without_imports(expr.clone());
        let resolved = resolved.resolve(cx).map_err(|error| problem(&error))?;
        let relaxed = shape(&without_annotations(&resolved.to_expr(cx)));
        let resolved = Parsed::from_expr_without_imports(relaxed).skip_resolve(cx);
        let typed = resolved.map_err(|error| problem(&error))?.typecheck(cx);
        typed.and_then(|typed| of(&typed, cx)).map_err(|error| problem(&error))
    })
}

/// Drops type annotations. `Type::{ … }` means `(Type.default // { … }) : Type.Type`, and the evaluator reports a
/// missing field by printing both whole types; without the annotation, [`differ`] can report it by name.
fn without_annotations(expr: &Expr) -> Expr {
    match expr.kind() {
        ExprKind::Annot(inner, _) => without_annotations(inner),
        ExprKind::Op(OpKind::Completion(..)) => expr.clone(),
        kind => Expr::new(kind.map_ref(without_annotations), expr.span()),
    }
}
