//! Imports of settings: a file and all that it imports become one expression.
//!
//! # Why not the evaluator's own imports
//! Without network support it panics on a remote import, its `?` falls back on *any* failure of its left side, so that
//! `./broken.dhall ? default` would silently run with defaults, and it reports errors of an imported file without that
//! file's name. Here every local file is put in the place of its import; only `env:` and frozen imports are left to it.

use crate::Problem;
use crate::diagnostics;
use crate::secrets::CURE;
use dhall::Parsed;
use dhall::operations::{BinOp, OpKind};
use dhall::syntax::{Expr, ExprKind, FilePath, FilePrefix, Import, ImportMode, ImportTarget, Span};
use std::path::{Component, Path, PathBuf};

/// Maximum of imports, counting a file once per import; settings need fewer.
const IMPORTS_MAX: usize = 1_000;

/// Parts of the names of files and variables that hold secrets, and whole words of such names.
const SECRET_PARTS: [&str; 6] = ["secret", "passw", "token", "credential", "private", "jwt"];
const SECRET_WORDS: [&str; 2] = ["key", "pem"];

/// Judges the expression of one file.
type Judge<'a> = &'a mut dyn FnMut(&Path, &Expr) -> Result<(), Vec<Problem>>;

/// The expression in `file`; `each` judges every imported one, innermost first, with its path.
pub(crate) fn gather(file: &Path, each: Judge<'_>) -> Result<Expr, Vec<Problem>> {
    let mut walk = Walk { each, open: Vec::new(), count: 0, problems: Vec::new() };
    let expr = walk.file(file);
    match expr {
        Some(expr) if walk.problems.is_empty() => Ok(expr),
        _ => Err(walk.problems),
    }
}

struct Walk<'a> {
    each: Judge<'a>,
    /// Files whose imports are being followed, outermost first; an import of one of them is a circle.
    open: Vec<PathBuf>,
    count: usize,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    /// The expression in `file`, with its imports. `None` if a problem was noted.
    fn file(&mut self, file: &Path) -> Option<Expr> {
        self.count += 1;
        let file = plain(file);
        if self.open.contains(&file) {
            return self.refuse(&file, "imports itself");
        }
        if self.count > IMPORTS_MAX {
            return self.refuse(&file, "more than 1000 imports");
        }
        let parsed = match parse(&file) {
            Ok(parsed) => parsed,
            Err(message) => return self.note(message),
        };
        self.open.push(file.clone());
        let before = self.problems.len();
        let expr = self.expr(&parsed.to_expr(), &file);
        self.open.pop();
        if self.problems.len() > before {
            return None;
        }
        if self.open.is_empty() {
            // Whoever asked for it judges it.
            return Some(expr);
        }
        match (self.each)(&file, &expr) {
            Ok(()) => Some(expr),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    fn expr(&mut self, expr: &Expr, file: &Path) -> Expr {
        let kind = match expr.kind() {
            ExprKind::Import(import) => {
                let whole = || expr.clone();
                return self.import(import, &expr.span(), file).unwrap_or_else(whole);
            }
            ExprKind::Op(OpKind::BinOp(BinOp::ImportAlt, left, _)) if !falls_back_safely(left) => {
                self.refuse::<Expr>(
                    file,
                    "`?` may only follow an `env:` import: it would hide a broken file",
                );
                return expr.clone();
            }
            kind => kind.map_ref(|sub| self.expr(sub, file)),
        };
        Expr::new(kind, expr.span())
    }

    /// The expression in the place of an import; `None` where a problem was noted or nothing changes.
    fn import(&mut self, import: &Import<Expr>, span: &Span, file: &Path) -> Option<Expr> {
        let path = match &import.location {
            ImportTarget::Remote(url) => {
                let text = format!("remote import of {} refused; vendor it under dhall/", url.authority);
                return self.refuse(file, &text);
            }
            ImportTarget::Env(name) => {
                self.judge_name(name, file)?;
                return None;
            }
            ImportTarget::Missing => return None,
            ImportTarget::Local(prefix, path) => self.resolve(prefix, path, file)?,
        };
        match (import.mode, &import.hash) {
            (ImportMode::Code, None) => self.file(&path),
            (ImportMode::RawText, None) => {
                self.judge_name(&path.display().to_string(), file)?;
                match std::fs::read_to_string(&path) {
                    Ok(text) => Some(Expr::new(ExprKind::TextLit(text.into()), span.clone())),
                    Err(error) => self.note(format!("read {}: {error}", path.display())),
                }
            }
            (mode, hash) => {
                let names = path.components().filter_map(|part| match part {
                    Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                    _ => None,
                });
                let location =
                    ImportTarget::Local(FilePrefix::Absolute, FilePath { file_path: names.collect() });
                let import = Import { mode, location, hash: hash.clone() };
                Some(Expr::new(ExprKind::Import(import), span.clone()))
            }
        }
    }

    fn resolve(&mut self, prefix: &FilePrefix, path: &FilePath, file: &Path) -> Option<PathBuf> {
        let base = file.parent().unwrap_or(Path::new("."));
        let mut target = match prefix {
            FilePrefix::Absolute => PathBuf::from("/"),
            FilePrefix::Here => base.to_owned(),
            FilePrefix::Parent => base.join(".."),
            FilePrefix::Home => {
                return self.refuse(file, "imports from `~` are refused; name the full path");
            }
        };
        target.extend(&path.file_path);
        Some(target)
    }

    /// Refuses names of secrets: text from elsewhere becomes part of the normal form, which everybody can read.
    fn judge_name(&mut self, name: &str, file: &Path) -> Option<()> {
        let low = name.to_lowercase();
        let mut words = low.split(|c: char| !c.is_alphanumeric());
        if SECRET_PARTS.iter().any(|part| low.contains(part))
            || words.any(|word| SECRET_WORDS.contains(&word))
        {
            let text =
                format!("`{name}` looks like a secret, and settings are readable by everybody: {CURE}");
            return self.refuse(file, &text);
        }
        Some(())
    }

    fn refuse<T>(&mut self, file: &Path, message: &str) -> Option<T> {
        self.note(format!("{}: {message}", file.display()))
    }

    fn note<T>(&mut self, message: String) -> Option<T> {
        let problem = Problem { path: String::new(), message };
        // A file that is imported twice is wrong once.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        None
    }
}

fn parse(file: &Path) -> Result<Parsed, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("read {}: {error}", file.display()))?;
    if !text.ends_with('\n') {
        return Err(format!("{} does not end in a newline; add one", file.display()));
    }
    Parsed::parse_str(&text)
        .map_err(|error| format!("{}: {}", file.display(), diagnostics::parse_error(&error.to_string())))
}

/// Canonical path of a file; the path itself if there is no such file.
fn plain(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn falls_back_safely(left: &Expr) -> bool {
    matches!(left.kind(), ExprKind::Import(Import { location: ImportTarget::Env(_), hash: None, .. }))
}
