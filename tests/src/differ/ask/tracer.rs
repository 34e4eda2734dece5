//! Configurations of `debug_trace*`.

use serde_json::{Map, Value, json};

use super::{Asker, Index};

/// Tracers with what may be set of them.
const TRACERS: [(&str, &[&str]); 6] = [
    ("callTracer", &["onlyTopCall", "withLog"]),
    ("flatCallTracer", &["convertParityErrors", "includePrecompiles"]),
    ("prestateTracer", &["diffMode", "disableCode", "disableStorage", "includeEmpty"]),
    ("4byteTracer", &[]),
    ("noopTracer", &[]),
    ("muxTracer", &[]),
];
/// Settings of the struct logger.
const LOGGER: [&str; 4] = ["enableMemory", "disableStack", "disableStorage", "enableReturnData"];

/// An unknown tracer geth takes for JavaScript, and of a block it then tells the failure of each transaction.
pub(super) fn no_script(config: &mut Value) {
    let known = |name: &Value| !name.is_string() || TRACERS.iter().any(|(tracer, _)| name == tracer);
    if let Some(name) = config.get_mut("tracer").filter(|name| !known(name)) {
        *name = json!("noopTracer");
    }
}

impl Asker {
    /// How a block or transaction is to be traced.
    pub(super) fn tracer(&mut self) -> Value {
        let mut config = Map::new();
        if self.dice.one_in(4) {
            for name in LOGGER {
                if self.dice.one_in(3) {
                    config.insert(name.to_owned(), json!(!self.dice.one_in(4)));
                }
            }
            if self.dice.one_in(4) {
                config.insert("limit".to_owned(), json!(self.dice.roll(40)));
            }
        } else {
            let (name, settings) = self.dice.choice(&TRACERS).unwrap_or(("noopTracer", &[]));
            config.insert("tracer".to_owned(), json!(name));
            if let Some(settings) = self.settings(name, settings) {
                config.insert("tracerConfig".to_owned(), settings);
            }
        }
        if self.dice.one_in(16) {
            let timeout = self.dice.choice(&["5s", "2m0s", "soon", ""]);
            config.insert("timeout".to_owned(), json!(timeout));
        }
        if self.dice.one_in(24) {
            let names = ["tracer", "tracerConfig", "limit", "enableMemory", "reexec"];
            let name = self.dice.choice(&names).unwrap_or_default();
            config.insert(name.to_owned(), self.spoilt());
        }
        Value::Object(config)
    }

    fn settings(&mut self, name: &str, known: &[&str]) -> Option<Value> {
        if name == "muxTracer" {
            let mut inner = Map::new();
            for (name, known) in TRACERS.iter().take(5) {
                if self.dice.one_in(3) {
                    let settings = self.settings(name, known);
                    inner.insert((*name).to_owned(), settings.unwrap_or_default());
                }
            }
            if self.dice.one_in(4) {
                let nested = self.settings(name, known);
                inner.insert(name.to_owned(), nested.unwrap_or_default());
            }
            return Some(Value::Object(inner));
        }
        if self.dice.one_in(2) {
            return None;
        }
        let mut settings = Map::new();
        for name in known {
            if self.dice.one_in(2) {
                settings.insert((*name).to_owned(), json!(!self.dice.one_in(4)));
            }
        }
        Some(Value::Object(settings))
    }

    /// The same for a call, which may run on another state, block, and place in the block.
    pub(super) fn call_tracer(&mut self) -> Value {
        let mut config = self.tracer();
        if let Some(fields) = config.as_object_mut() {
            if self.dice.one_in(4) {
                fields.insert("stateOverrides".to_owned(), self.overrides());
            }
            if self.dice.one_in(6) {
                fields.insert("blockOverrides".to_owned(), self.block_overrides(0));
            }
            if self.dice.one_in(24) {
                fields.insert("tracer".to_owned(), json!("noSuchTracer"));
            }
            if self.dice.one_in(12) {
                fields.insert("txIndex".to_owned(), self.parameter(Index));
            }
        }
        config
    }
}
