//! What settings may not do, checked before anything is evaluated: fetch from the network, or hide a broken file.
//!
//! # Why
//! Without network support the evaluator panics on a remote import, and its `?` falls back on *any* failure of its
//! left side, so `./broken.dhall ? default` would silently run with defaults.

use crate::Problem;
use dhall::Parsed;
use dhall::operations::{BinOp, OpKind};
use dhall::syntax::{Expr, ExprKind, FilePrefix, Import, ImportMode, ImportTarget};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// More files than this are no settings.
const FILES_MAX: usize = 256;

/// Parses `file` and everything it imports; returns the first file that does not parse, or all forbidden imports.
pub(crate) fn parse(file: &Path) -> Result<Parsed, Vec<Problem>> {
    let parsed = parse_one(file)?;
    let mut walk = Walk { seen: BTreeSet::new(), problems: Vec::new() };
    walk.seen.insert(file.to_owned());
    walk.expr(&parsed.to_expr(), file);
    if walk.problems.is_empty() { Ok(parsed) } else { Err(walk.problems) }
}

fn parse_one(file: &Path) -> Result<Parsed, Vec<Problem>> {
    let text =
        std::fs::read_to_string(file).map_err(|error| whole(format!("read {}: {error}", file.display())))?;
    if !text.ends_with('\n') {
        return Err(whole(format!("{} does not end in a newline; add one", file.display())));
    }
    Parsed::parse_file(file).map_err(|error| whole(format!("{}: {error}", file.display())))
}

fn whole(message: String) -> Vec<Problem> {
    vec![Problem { path: String::new(), message }]
}

struct Walk {
    seen: BTreeSet<PathBuf>,
    problems: Vec<Problem>,
}

impl Walk {
    fn expr(&mut self, expr: &Expr, file: &Path) {
        match expr.kind() {
            ExprKind::Import(import) => self.import(import, file),
            ExprKind::Op(OpKind::BinOp(BinOp::ImportAlt, left, _)) if !falls_back_safely(left) => {
                self.refuse(file, "`?` may only follow an `env:` import: it would hide a broken file");
            }
            ExprKind::Op(OpKind::BinOp(BinOp::ImportAlt, _, right)) => self.expr(right, file),
            kind => {
                let _: ExprKind<()> = kind.map_ref(|sub| self.expr(sub, file));
            }
        }
    }

    fn import(&mut self, import: &Import<Expr>, file: &Path) {
        match &import.location {
            ImportTarget::Remote(url) => {
                let text = format!("remote import of {} refused; vendor it under dhall/", url.authority);
                self.refuse(file, &text);
            }
            ImportTarget::Local(prefix, path) if import.mode == ImportMode::Code => {
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
                self.file(target);
            }
            ImportTarget::Local(..) | ImportTarget::Env(_) | ImportTarget::Missing => {}
        }
    }

    fn file(&mut self, target: PathBuf) {
        if self.seen.contains(&target) {
            return;
        }
        if self.seen.len() >= FILES_MAX {
            return self.refuse(&target, "more than 256 imported files");
        }
        match parse_one(&target) {
            Ok(parsed) => {
                self.seen.insert(target.clone());
                self.expr(&parsed.to_expr(), &target);
            }
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn refuse(&mut self, file: &Path, message: &str) {
        self.problems.extend(whole(format!("{}: {message}", file.display())));
    }
}

fn falls_back_safely(left: &Expr) -> bool {
    matches!(left.kind(), ExprKind::Import(Import { location: ImportTarget::Env(_), hash: None, .. }))
}
