//! Import circles between the files of one crate: whoever wants to read one file of a circle must read them all.
//!
//! File A imports file B when A names something of B by a path that begins with `crate`, `self`, `super` or a module
//! below A. A name that B only imports itself belongs to where B has it from. No imports are `mod x;` and
//! `pub use x::…` of a parent, which say where a child stands, and the types that a child takes from its parents: they
//! are read first, as the words that the child is written in. Functions that a child calls in its parent are imports:
//! a parent that calls its children and is called by them is both above and below them.

use std::collections::{BTreeMap, BTreeSet};

/// The parts of a path: of a module in its crate, or of a name in code.
type Parts = Vec<String>;

struct Use {
    path: Parts,
    name: String,
    /// `pub use`, of any width.
    exports: bool,
}

#[derive(Default)]
struct File {
    path: String,
    uses: Vec<Use>,
    code: String,
}

/// The files of a crate, by module.
type Files = BTreeMap<Parts, File>;

/// Each circle of the crates in `sources`, by crate: its files, and what each of them imports of the others.
pub(crate) fn circles(sources: &[(String, String)]) -> BTreeMap<String, Vec<BTreeMap<String, Vec<String>>>> {
    let mut crates: BTreeMap<String, Files> = BTreeMap::new();
    for (path, text) in sources {
        let Some((folder, inner)) = path.split_once("/src/") else { continue };
        let name = inner.trim_end_matches(".rs").trim_end_matches("/mod");
        // A `main.rs` beside a `lib.rs` is a crate of its own; it names the library from outside.
        let module = name.split('/').filter(|part| *part != "lib").map(str::to_owned).collect();
        let file = File { path: path.clone(), ..taken_apart(text) };
        crates.entry(folder.to_owned()).or_default().insert(module, file);
    }
    crates.into_iter().map(|(folder, files)| (folder, circles_of(&files))).collect()
}

fn circles_of(files: &Files) -> Vec<BTreeMap<String, Vec<String>>> {
    let imports: BTreeMap<_, _> =
        files.iter().map(|(module, file)| (module, imports(files, module, file))).collect();
    let reach = |from: &Parts| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(module) = open.pop() {
            open.extend(imports[module].iter().filter(|next| reached.insert((*next).clone())));
        }
        reached
    };
    let reached: BTreeMap<_, _> = files.keys().map(|from| (from, reach(from))).collect();
    let mut circles = BTreeSet::new();
    for (module, far) in reached.iter().filter(|(module, far)| far.contains(**module)) {
        let members: Vec<_> = far.iter().filter(|other| reached[other].contains(*module)).collect();
        let path = |module: &Parts| files[module].path.clone();
        let within =
            |from| members.iter().filter(|to| imports[from].contains(**to)).map(|to| path(to)).collect();
        circles.insert(members.iter().map(|from| (path(from), within(*from))).collect());
    }
    circles.into_iter().collect()
}

/// The modules that the file of `module` imports.
fn imports(files: &Files, module: &Parts, file: &File) -> BTreeSet<Parts> {
    let used = file.uses.iter().map(|used| (used.path.clone(), used.exports));
    let named = paths(&file.code).map(|path| (path, false));
    let imported = used.chain(named).filter_map(|(path, exports)| {
        let (target, item) = resolve(files, module, &path, 0)?;
        let shows_a_child = exports && target.starts_with(module);
        let calls = item.is_some_and(|item| item.starts_with(|first: char| first.is_lowercase()));
        let of_a_parent = module.starts_with(&target) && !calls;
        (target != *module && !shows_a_child && !of_a_parent).then_some(target)
    });
    imported.collect()
}

/// The module that has what `path` names in `module`, and the item's name in it; `None` for other crates and locals.
fn resolve(files: &Files, module: &Parts, path: &[String], depth: usize) -> Option<(Parts, Option<String>)> {
    let below = |module: &Parts, name: &str| [module.as_slice(), &[name.to_owned()]].concat();
    let (first, mut rest) = path.split_first()?;
    let mut at = match first.as_str() {
        "crate" => Vec::new(),
        "self" => module.clone(),
        "super" => module.split_last()?.1.to_vec(),
        name => Some(below(module, name)).filter(|child| files.contains_key(child))?,
    };
    while let Some((name, after)) = rest.split_first() {
        let child = below(&at, name);
        if name == "super" {
            at.pop()?;
        } else if files.contains_key(&child) {
            at = child;
        } else {
            let used = files.get(&at)?.uses.iter().find(|used| used.name == *name && depth < 8);
            let origin = used.and_then(|used| resolve(files, &at, &used.path, depth + 1));
            return Some(origin.unwrap_or_else(|| (at, Some(name.clone()))));
        }
        rest = after;
    }
    Some((at, None))
}

fn taken_apart(text: &str) -> File {
    let mut file = File::default();
    let mut lines = super::shipped(text).map(|(_, line)| line.trim());
    while let Some(line) = lines.next() {
        let words =
            line.split_once("use ").filter(|(before, _)| before.is_empty() || before.starts_with("pub"));
        let Some((before, tree)) = words else {
            file.code.extend([line, "\n"]);
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.contains(';') {
            tree.extend(lines.next());
        }
        leaves(tree.trim_end_matches(';'), &[], &mut |path, name| {
            file.uses.push(Use { path, name, exports: !before.is_empty() });
        });
    }
    file
}

/// Each path of a `use` tree, and the name that it gets.
fn leaves(tree: &str, before: &[String], leaf: &mut impl FnMut(Parts, String)) {
    let parts = |path: &str| {
        path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    };
    if let Some((prefix, inner)) = tree.split_once('{') {
        let before = [before, Parts::as_slice(&parts(prefix))].concat();
        let mut depth = 0;
        let end = |c: char| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        };
        let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
        inner.split(end).for_each(|tree| leaves(tree, &before, leaf));
        return;
    }
    let (path, alias) =
        tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name.trim())));
    let mut path = [before, Parts::as_slice(&parts(path))].concat();
    path.pop_if(|last| last == "self");
    if let Some(last) = path.last().map(String::as_str) {
        let name = alias.unwrap_or(last).to_owned();
        leaf(path, name);
    }
}

/// Every path in code that has more than one part.
fn paths(code: &str) -> impl Iterator<Item = Parts> {
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    let paths = words.filter(|word| word.contains("::") && !word.starts_with(':'));
    paths.map(|path| path.split("::").map(|part| part.trim_matches(':').to_owned()).collect())
}
