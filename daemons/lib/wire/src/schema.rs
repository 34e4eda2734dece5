//! Published schemas: text and fingerprint.

/// Schema of one kind of record.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Lower-case record name; a later schema of the same record has its number behind it.
    pub name: &'static str,
    /// CRC-64-AVRO of the parsing canonical form, as it stands (little-endian) behind `C3 01`.
    pub fingerprint: u64,
    /// Text of the `.avsc`.
    pub text: &'static str,
}

macro_rules! schemas {
    ($($id:ident $name:literal $fingerprint:literal),* $(,)?) => {
        $(pub(crate) const $id: u64 = $fingerprint;)*
        /// All schemas of this build.
        pub const SCHEMAS: &[Schema] = &[
            $(Schema {
                name: $name,
                fingerprint: $fingerprint,
                text: include_str!(concat!("../schema/", $name, ".avsc")),
            }),*
        ];
    };
}

schemas! {
    OPEN "open" 0x76b7_f866_307d_e841,
    OPEN_2 "open-2" 0x330c_7495_2212_a414,
    GENESIS "genesis" 0xe51f_678d_8e24_cd1b,
    START "start" 0xaebe_f919_5daa_5ffe,
    ADVANCE "advance" 0xc9ea_5beb_03b7_cfa8,
    ADVANCE_2 "advance-2" 0xbd83_838f_991e_c5f0,
    UNDO "undo" 0xeafa_f400_f6b5_8aee,
    FINAL "final" 0x2c2e_a021_0826_9635,
    HEARTBEAT "heartbeat" 0xdc33_955f_6ec0_3f7a,
    PART "part" 0x80ba_6751_75bb_7816,
    FILTER_MOVED "filter-moved" 0x0e7e_315a_2755_3311,
    FILTER_CRITERIA "filter-criteria" 0x322b_a02d_ee05_cb28,
    NODE_SET "node-set" 0x9c59_e663_375d_0f95,
    NODE_PART "node-part" 0xaab9_f077_d92d_53a0,
    TRANSACTION "transaction" 0x9dfe_8bda_d0c5_2fcd,
    TRANSACTION_2 "transaction-2" 0x0891_50b4_93d7_893d,
    OUTCOME "outcome" 0xdaee_775e_a46e_17b5,
    REFUSAL "refusal" 0x60e4_2272_8ff5_cfc1,
    POOL_CHANGE "pool-change" 0xd70c_ad7a_36e5_cd40,
    BUNDLE "bundle" 0xb922_78a2_4126_688c,
    BUNDLE_2 "bundle-2" 0x8eff_911a_9765_cf8f,
    BUNDLE_CANCEL "bundle-cancel" 0x20be_0543_16b1_4f61,
    BUNDLE_FATE "bundle-fate" 0x792e_97ca_7b57_f1f7,
    RELAY_BEAT "relay-beat" 0xe1a4_8e84_1d91_3543,
    SEALED "sealed" 0xb75f_f430_35da_a220,
}
