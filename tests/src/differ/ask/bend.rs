//! Requests as other clients write them: nulls anywhere, names in any case, members twice, letters escaped.

use serde_json::Value;

use super::Asker;

impl Asker {
    /// Makes a value anywhere within null, or spoils it.
    pub(super) fn bend(&mut self, within: &mut Value) {
        let children = match &*within {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        };
        let at = self.dice.below(children);
        let child = match within {
            Value::Array(items) => items.get_mut(at),
            Value::Object(fields) => fields.values_mut().nth(at),
            _ => None,
        };
        match child {
            Some(child) if (child.is_array() || child.is_object()) && !self.dice.one_in(3) => {
                self.bend(child);
            }
            Some(child) if self.dice.one_in(3) => *child = self.spoilt(),
            Some(child) => *child = Value::Null,
            None => {}
        }
    }

    /// A request as text whose names are written as no program of ours writes them.
    pub(super) fn bent(&mut self, value: &Value) -> String {
        match value {
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.bent(item)).collect();
                format!("[{}]", items.join(","))
            }
            Value::Object(fields) => {
                let mut members = Vec::new();
                for (name, value) in fields {
                    // What comes twice counts as it comes last.
                    if self.dice.one_in(8) {
                        let earlier = if self.dice.one_in(2) { value.clone() } else { Value::Null };
                        members.push(format!("{}:{earlier}", self.name(name)));
                    }
                    members.push(format!("{}:{}", self.name(name), self.bent(value)));
                }
                format!("{{{}}}", members.join(","))
            }
            scalar => scalar.to_string(),
        }
    }

    fn name(&mut self, name: &str) -> String {
        let mut text = String::from("\"");
        // Addresses and slots are no names of members, nor are those of tracers.
        let cased = !name.starts_with("0x") && !name.ends_with("Tracer") && self.dice.one_in(3);
        for letter in name.chars() {
            let letter = match self.dice.roll(3) {
                0 if cased => letter.to_ascii_uppercase(),
                1 if cased => letter.to_ascii_lowercase(),
                _ => letter,
            };
            if !name.starts_with("0x") && self.dice.one_in(24) {
                text.push_str(&format!("\\u{:04x}", u32::from(letter)));
            } else {
                text.push(letter);
            }
        }
        text.push('"');
        text
    }
}
