//! Collection: removes snapshots that the rules do not keep, and files that nothing needs any more.

use crate::digest::Digest;
use crate::error::Error;
use crate::failpoints;
use crate::lease::{Collection, UPLOAD_AGE_MAX, age};
use crate::manifest::Id;
use crate::repository::{Repository, Shelf, object_key};
use crate::retain::{Content, Garbage, Rules, garbage};
use maidenlane_service::failpoint;
use std::collections::BTreeSet;

/// Files that are removed at a time: as many as a store takes in one request.
const BATCH: usize = 1_000;

/// Removes what the rules do not keep; without rules, every snapshot stays. A rehearsal removes nothing.
///
/// # Errors
/// When a manifest cannot be read: what it needs is not known then, and nothing is removed. When the repository refuses.
pub fn collect(repository: &Repository, rules: Option<&Rules>, rehearsal: bool) -> Result<Garbage, Error> {
    if is_empty(repository)? {
        return Ok(Garbage::default());
    }
    let mut collection = Collection::begin(repository)?;
    let collected = content(repository, &mut collection).and_then(|(content, dead)| {
        let garbage = garbage(&content, rules);
        if !rehearsal {
            remove(repository, &mut collection, &garbage, &dead)?;
        }
        Ok(garbage)
    });
    collection.end()?;
    collected
}

/// True where nothing was ever sent, or another directory was named: nothing is written there.
fn is_empty(repository: &Repository) -> Result<bool, Error> {
    let has = |shelf| Ok::<_, Error>(!repository.list(shelf)?.is_empty());
    Ok(!has(Shelf::Manifests)? && !has(Shelf::Uploads)? && repository.objects()?.is_empty())
}

/// Content of the repository, and uploads that were killed.
fn content(repository: &Repository, collection: &mut Collection<'_>) -> Result<(Content, Vec<Id>), Error> {
    let now = repository.now()?;
    let (mut content, mut dead) = (Content::default(), Vec::new());
    for upload in repository.list(Shelf::Uploads)? {
        let key = Shelf::Uploads.key(&upload.name).to_string();
        let foreign = |_| Error::Foreign { key, repository: repository.name().to_owned() };
        let id = upload.name.parse::<Id>().map_err(foreign)?;
        if age(now, upload.written) > UPLOAD_AGE_MAX {
            dead.push(id);
        } else if let Some(manifest) = repository.manifest(Shelf::Uploads, &id)? {
            content.uploading.extend(manifest.files.iter().map(|file| file.sha256));
        }
    }
    // After the uploads: one that ends meanwhile is found here.
    for id in repository.named(Shelf::Manifests)? {
        collection.goes_on()?;
        match repository.snapshot(&id) {
            Ok(snapshot) => content.snapshots.push(snapshot),
            // Deleted meanwhile.
            Err(Error::NoSnapshot { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    for shelf in [Shelf::Verified, Shelf::Pinned] {
        content.marked.extend(repository.named(shelf)?);
    }
    collection.goes_on()?;
    content.objects = repository.objects()?;
    Ok((content, dead))
}

/// Removes manifests first: a kill leaves files that the next collection finds, and no manifest without its files.
fn remove(
    repository: &Repository,
    collection: &mut Collection<'_>,
    garbage: &Garbage,
    dead: &[Id],
) -> Result<(), Error> {
    let keys = |shelf: Shelf, ids: &BTreeSet<Id>| {
        ids.iter().map(|id| shelf.key(&id.to_string())).collect::<Vec<_>>()
    };
    collection.goes_on()?;
    repository.delete(keys(Shelf::Manifests, &garbage.snapshots))?;
    repository.delete(keys(Shelf::Verified, &garbage.marks))?;
    repository.delete(keys(Shelf::Pinned, &garbage.marks))?;
    repository.delete(dead.iter().map(|id| Shelf::Uploads.key(&id.to_string())))?;
    failpoint(failpoints::AFTER_MANIFESTS);
    let digests: Vec<Digest> = garbage.objects.iter().map(|(digest, _)| *digest).collect();
    for batch in digests.chunks(BATCH) {
        collection.goes_on()?;
        repository.delete(batch.iter().map(|digest| object_key(*digest)))?;
        failpoint(failpoints::AFTER_FILES);
    }
    repository.sweep(UPLOAD_AGE_MAX);
    Ok(())
}
