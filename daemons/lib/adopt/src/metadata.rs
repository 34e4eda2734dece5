//! Output of `geth db metadata`: a table of fields and values.

use crate::error::Error;
use maidenlane_chain::B256;
use std::str::FromStr;

/// Fields of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Number of the newest executed block.
    pub(crate) head: u64,
    /// Hash of that block.
    pub(crate) head_hash: B256,
    /// Root of its state.
    pub(crate) head_root: B256,
    /// Root of the state that is on the disk.
    pub(crate) disk_root: B256,
    /// True if all of that state is there as flat rows.
    pub(crate) flat: bool,
}

impl Metadata {
    /// Reads the table.
    ///
    /// # Errors
    /// [`Error::Unreadable`] names the field that is missing.
    pub(crate) fn parse(table: &str) -> Result<Self, Error> {
        let value = |field: &'static str| {
            let mut rows = table.lines().filter_map(|line| line.trim_matches(['|', ' ']).split_once('|'));
            let found = rows.find(|(name, _)| name.trim() == field).map(|(_, value)| value.trim());
            found.ok_or(Error::Unreadable { what: "db metadata", field })
        };
        // A number comes in decimal and, behind a space, in hexadecimal.
        let number = value("headBlock.Number")?.split(' ').next();
        Ok(Self {
            head: parsed("headBlock.Number", number.unwrap_or_default())?,
            head_hash: parsed("headBlock.Hash", value("headBlock.Hash")?)?,
            head_root: parsed("headBlock.Root", value("headBlock.Root")?)?,
            disk_root: parsed("snapshotRoot", value("snapshotRoot")?)?,
            flat: value("snapshotGenerator")?.contains("Done: true"),
        })
    }
}

fn parsed<T: FromStr>(field: &'static str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Unreadable { what: "db metadata", field })
}

#[cfg(test)]
mod tests {
    use super::Metadata;
    use maidenlane_chain::B256;

    /// Printed by geth 1.17.5.
    const TABLE: &str = "\
+-------------------------+--------------------------------------------------------------------+
|          Field          |                               Value                                |
+-------------------------+--------------------------------------------------------------------+
|      headBlockHash      | 0x3e8776637fc03814896fc4ecedd2ccd48ce0b98397fee777b094faacc31f6b94 |
|    snapshotDisabled     |                               false                                |
|      snapshotRoot       | 0x1067e19536546aa8a9a50d0c0a1c56ce6e2aec96ce54101aca56e294f5c5e690 |
|         frozen          |                              0 items                               |
|    snapshotGenerator    |      Done: true, Accounts: 0, Slots: 0, Storage: 0, Marker:        |
|     headBlock.Hash      | 0x3e8776637fc03814896fc4ecedd2ccd48ce0b98397fee777b094faacc31f6b94 |
|     headBlock.Root      | 0x166a5c8c89f7eb13b08f7a1320de0fdb1ce76983f2532c20fd9ddd5ff5b497cc |
|    headBlock.Number     |                             200 (0xc8)                             |
+-------------------------+--------------------------------------------------------------------+
";

    #[test]
    fn a_table_is_read() {
        let hash = |text: &str| text.parse::<B256>().unwrap();
        let expected = Metadata {
            head: 200,
            head_hash: hash("0x3e8776637fc03814896fc4ecedd2ccd48ce0b98397fee777b094faacc31f6b94"),
            head_root: hash("0x166a5c8c89f7eb13b08f7a1320de0fdb1ce76983f2532c20fd9ddd5ff5b497cc"),
            disk_root: hash("0x1067e19536546aa8a9a50d0c0a1c56ce6e2aec96ce54101aca56e294f5c5e690"),
            flat: true,
        };
        assert_eq!(Metadata::parse(TABLE).unwrap(), expected);
        let unfinished = TABLE.replace("Done: true", "Done: false");
        assert!(!Metadata::parse(&unfinished).unwrap().flat);
    }

    #[test]
    fn a_missing_field_is_named() {
        let without = TABLE.replace("headBlock.Root", "headBlock.Other");
        let said = Metadata::parse(&without).unwrap_err().to_string();
        assert!(said.contains("headBlock.Root"), "{said}");
    }
}
