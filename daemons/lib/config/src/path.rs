//! Dotted paths of fields: `feed.log.brokers`.

/// The path of `field` in the record at `path`, which is empty for the whole.
pub(crate) fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}
