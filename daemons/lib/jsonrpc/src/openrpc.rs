//! OpenRPC 1.3 document at `/openrpc.json`: the methods that a listener serves.

use crate::json::{Object, push_list, push_str};

/// Path of the document.
pub(crate) const PATH: &str = "/openrpc.json";

/// Method as the document describes it: name, and parameters in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// Method name, such as `eth_getBalance`.
    pub name: &'static str,
    /// Parameter names separated by spaces, `?` behind those that may be left out: `address block?`.
    pub params: &'static str,
}

pub(crate) fn document(methods: &[Described], served: impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    object.raw("openrpc", "\"1.3.2\"");
    let mut info = Object::new(object.value("info"));
    info.raw("title", "\"Maidenlane JSON-RPC\"");
    push_str(info.value("version"), env!("CARGO_PKG_VERSION"));
    info.end();
    let mut methods: Vec<&Described> = methods.iter().filter(|method| served(method.name)).collect();
    methods.sort_unstable_by_key(|method| method.name);
    object.list("methods", methods, write);
    object.end();
    out
}

fn write(out: &mut String, method: &Described) {
    let mut object = Object::new(out);
    push_str(object.value("name"), method.name);
    object.raw("paramStructure", "\"by-position\"");
    push_list(object.value("params"), method.params.split_whitespace(), |out, param| {
        let mut object = Object::new(out);
        push_str(object.value("name"), param.trim_end_matches('?'));
        object.raw("required", if param.ends_with('?') { "false" } else { "true" });
        // Any value: the shapes are geth's, which publishes no schema of them.
        object.raw("schema", "true");
        object.end();
    });
    object.raw("result", r#"{"name":"result","schema":true}"#);
    object.end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn says_what_is_served_and_no_more() {
        let methods = [
            Described { name: "net_version", params: "" },
            Described { name: "eth_getBalance", params: "address block?" },
            Described { name: "debug_getRawBlock", params: "block" },
        ];
        let document = document(&methods, |method| !method.starts_with("debug"));
        let document: Value = serde_json::from_str(&document).expect("JSON");
        let names: Vec<&Value> =
            document["methods"].as_array().expect("a list").iter().map(|m| &m["name"]).collect();
        assert_eq!(names, [&json!("eth_getBalance"), &json!("net_version")]);
        assert_eq!(
            document["methods"][0]["params"],
            json!([
                {"name": "address", "required": true, "schema": true},
                {"name": "block", "required": false, "schema": true},
            ])
        );
    }
}
