//! Tests against Apache's implementation: it reads what we write, sees in it what we see, and writes the same bytes.

use super::sample;
use crate::schema::{SCHEMAS, Schema};
use crate::{Order, Stamped, encode, to_json};
use apache_avro::Schema as ApacheSchema;
use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use maidenlane_chain::Bytes;
use proptest::prelude::*;
use serde_json::Value;

fn parsed(schema: &Schema) -> ApacheSchema {
    ApacheSchema::parse_str(schema.text).unwrap()
}

#[test]
fn fingerprints_are_those_of_the_schemas() {
    for schema in SCHEMAS {
        let bytes = parsed(schema).fingerprint::<Rabin>().bytes;
        assert_eq!(schema.fingerprint.to_le_bytes().as_slice(), bytes, "{}", schema.name);
    }
}

fn check(stamped: &Stamped) {
    check_bytes(&encode(stamped), to_json(stamped));
}

fn check_bytes(bytes: &[u8], ours: Value) {
    let (head, datum) = bytes.split_at(10);
    let schema = SCHEMAS.iter().find(|schema| schema.fingerprint.to_le_bytes() == head[2..]).unwrap();
    let schema = parsed(schema);
    let mut rest = datum;
    let value = GenericDatumReader::builder(&schema).build().unwrap().read_value(&mut rest).unwrap();
    assert!(rest.is_empty(), "all of it is read");
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    assert_eq!(writer.write_value_to_vec(value.clone()).unwrap(), datum, "the same bytes are written");

    let Value::Object(mut ours) = ours else { panic!("a record is an object") };
    ours.remove("record");
    assert_eq!(Value::Object(ours), json(value), "the same fields are seen");
}

fn json(value: Avro) -> Value {
    match value {
        Avro::Null => Value::Null,
        Avro::Boolean(value) => value.into(),
        Avro::Int(value) => value.into(),
        Avro::Long(value) => value.into(),
        Avro::String(value) | Avro::Enum(_, value) => value.into(),
        Avro::Bytes(value) | Avro::Fixed(_, value) => serde_json::to_value(Bytes::from(value)).unwrap(),
        Avro::Union(_, value) => json(*value),
        Avro::Array(items) => items.into_iter().map(json).collect(),
        Avro::Record(fields) => fields.into_iter().map(|(name, value)| (name, json(value))).collect(),
        other => panic!("no schema has {other:?}"),
    }
}

#[test]
fn one_of_each_kind() {
    sample::all().iter().for_each(check);
    let transaction = sample::transaction();
    check_bytes(&transaction.encode(), transaction.to_json());
    let tagged = sample::tagged_transaction();
    check_bytes(&tagged.encode(), tagged.to_json());
    for (_, outcome) in sample::outcomes() {
        check_bytes(&outcome.encode(), outcome.to_json());
    }
    for refusal in [sample::refusal(), sample::refusal_of_somebody()] {
        check_bytes(&refusal.encode(), refusal.to_json());
    }
    for (_, change) in sample::pool_changes() {
        check_bytes(&change.encode(), change.to_json());
    }
    for filter in sample::filters() {
        check_bytes(&filter.encode(), filter.to_json());
    }
    for cancel in sample::bundle_cancels().map(Order::Cancel) {
        check_bytes(&cancel.encode(), cancel.to_json());
    }
    for (_, fate) in sample::bundle_fates() {
        check_bytes(&fate.encode(), fate.to_json());
    }
    check_bytes(&sample::relay_beat().encode(), sample::relay_beat().to_json());
    check_bytes(&sample::sealed().encode(), sample::sealed().to_json());
    check_bytes(&sample::node_set().encode(), sample::node_set().to_json());
    check_bytes(&sample::node_part().encode(), sample::node_part().to_json());
}

proptest! {
    #[test]
    fn any_record(stamped in sample::stamped()) {
        check(&stamped);
    }

    #[test]
    fn any_bundle(bundle in sample::bundles()) {
        let order = Order::Bundle(Box::new(bundle));
        check_bytes(&order.encode(), order.to_json());
    }

    #[test]
    fn any_set_of_nodes(set in sample::node_sets()) {
        check_bytes(&set.encode(), set.to_json());
    }
}
