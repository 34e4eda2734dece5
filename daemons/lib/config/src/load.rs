//! From a file to validated settings, in a thread of its own.
//!
//! # Why a thread
//! The evaluator recurses as deep as the settings nest and panics on some inputs: 256 MiB of stack keep it from
//! aborting the process, and a join turns a panic into an error.

use crate::{Checker, Error, Problem, Settings, differ, guard};
use dhall::operations::OpKind;
use dhall::syntax::{Expr, ExprKind};
use dhall::{Ctxt, Parsed};
use serde_dhall::{SimpleType, StaticType};
use std::path::{Path, PathBuf};

const STACK_BYTES: usize = 256 << 20;

/// Loads, type-checks and validates settings.
///
/// # Errors
/// All problems at once, each with its dotted path.
pub fn load<S: Settings>(file: &Path) -> Result<S, Error> {
    let raw = isolated(file, |file| raw::<S>(file).map(|(raw, _)| raw))?;
    let mut checker = Checker::default();
    let settings = S::validate(raw, &mut checker);
    let problems = checker.finish();
    match settings {
        Some(settings) if problems.is_empty() => Ok(settings),
        _ => Err(Error { file: file.to_owned(), problems }),
    }
}

/// The settings as one self-contained Dhall expression without imports: what a build can pin.
///
/// # Errors
/// As [`load`].
pub fn normalize<S: Settings>(file: &Path) -> Result<String, Error> {
    load::<S>(file)?;
    isolated(file, |file| raw::<S>(file).map(|(_, normal)| normal + "\n"))
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

fn raw<S: Settings>(file: &Path) -> Result<(S::Raw, String), Vec<Problem>> {
    let whole = |message: String| vec![Problem { path: String::new(), message }];
    let parsed = guard::parse(file)?;
    let (found, normal) = Ctxt::with_new(|cx| {
        let resolved = parsed.resolve(cx).map_err(|error| whole(error.to_string()))?;
        let relaxed = without_annotations(&resolved.to_expr(cx));
        let resolved = Parsed::from_expr_without_imports(relaxed)
            .skip_resolve(cx)
            .map_err(|error| whole(error.to_string()))?;
        let typed = resolved.typecheck(cx).map_err(|error| whole(error.to_string()))?;
        let ty = typed.get_type().map_err(|error| whole(error.to_string()))?;
        Ok::<_, Vec<Problem>>((ty.to_expr(cx).to_string(), typed.normalize(cx).to_expr(cx).to_string()))
    })?;
    let found: SimpleType = serde_dhall::from_str(&found)
        .parse()
        .map_err(|_| whole(format!("expected a plain record of settings, found a value of type {found}")))?;
    let problems = differ::differences(&S::Raw::static_type(), &found);
    if !problems.is_empty() {
        return Err(problems);
    }
    let raw = serde_dhall::from_str(&normal)
        .static_type_annotation()
        .parse()
        .map_err(|error| whole(error.to_string()))?;
    Ok((raw, normal))
}

/// `Type::{ … }` means `(Type.default // { … }) : Type.Type`, and the evaluator tells a missing field by printing
/// both whole types. Annotations are dropped here so that [`differ`] can tell it by name.
fn without_annotations(expr: &Expr) -> Expr {
    match expr.kind() {
        ExprKind::Annot(inner, _) => without_annotations(inner),
        ExprKind::Op(OpKind::Completion(..)) => expr.clone(),
        kind => Expr::new(kind.map_ref(without_annotations), expr.span()),
    }
}
