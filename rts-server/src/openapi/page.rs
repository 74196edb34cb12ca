//! The OpenAPI document as a page of plain HTML, without other resources.

use std::fmt::Write as _;

use serde_json::Value;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
    color:#1a1a1a;background:#fff}code,pre{font:14px/1.5 ui-monospace,monospace;background:#f3f3f3}\
    pre{padding:.75rem;overflow-x:auto}code{padding:.1rem .25rem}table{border-collapse:collapse;width:100%}\
    td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ddd}\
    @media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}code,pre{background:#262626}\
    td,th{border-color:#3a3a3a}a{color:#8ab4f8}}";

/// The page of a document.
pub(super) fn page(document: &Value) -> String {
    let mut out = String::from("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">");
    out.push_str(
        "<meta name=\"viewport\" content=\"width=device-width\"><title>RTS OpenAPI</title>",
    );
    let description = prose(&document["info"]["description"]);
    let version = text(&document["info"]["version"]);
    let _ = write!(out, "<style>{STYLE}</style><h1>RTS OpenAPI {version}</h1>{description}");
    out.push_str("<p>The same for programs: <a href=\"openapi.json\">openapi.json</a></p><ul>");
    let operations = operations(document);
    for (path, ..) in &operations {
        let _ =
            write!(out, "<li><a href=\"#{}\"><code>{}</code></a></li>", anchor(path), escape(path));
    }
    out.push_str("</ul>");
    for (path, method, operation) in &operations {
        let _ = write!(
            out,
            "<h2 id=\"{}\">{}</h2><p><code>{} {}</code></p>",
            anchor(path),
            text(&operation["summary"]),
            method.to_ascii_uppercase(),
            escape(path)
        );
        out.push_str(&prose(&operation["description"]));
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
            let needed = if parameter["required"] == true { ", needed" } else { "" };
            let kind = kind(document, &parameter["schema"]);
            let what = marked(&parameter["description"]);
            let _ =
                write!(out, "<p>In the {place}{needed}: <code>{name}</code> ({kind}). {what}</p>");
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let body = resolve(document, body);
        if body.is_object() {
            out.push_str("<p>In the body:</p>");
            fields(&mut out, document, body);
        }
        let answer = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        out.push_str("<h3>Result</h3>");
        fields(&mut out, document, result_of(document, answer));
        out.push_str("<h3>Errors</h3><table><tr><th>status<th>codes</tr>");
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            if status != "200" {
                let codes = text(&response["description"]);
                let _ = write!(out, "<tr><td>{}<td>{codes}</tr>", escape(status));
            }
        }
        out.push_str("</table>");
    }
    out
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    operations.collect()
}

/// A table of an object's fields.
fn fields(out: &mut String, document: &Value, schema: &Value) {
    let required = schema["required"].as_array();
    out.push_str("<table><tr><th>field<th>type<th>needed<th>what</tr>");
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let is_required = required.is_some_and(|names| names.iter().any(|other| other == name));
        let needed = if is_required { "yes" } else { "" };
        let (kind, what) = (kind(document, field), marked(&field["description"]));
        let _ = write!(
            out,
            "<tr><td><code>{}</code><td>{kind}<td>{needed}<td>{what}</tr>",
            escape(name)
        );
    }
    out.push_str("</table>");
}

fn kind(document: &Value, field: &Value) -> String {
    let field = resolve(document, field);
    let names = match &field["type"] {
        Value::Array(names) => names.iter().map(text).filter(|name| name != "null").collect(),
        Value::String(_) => vec![text(&field["type"])],
        _ => alternatives(field).map(|other| kind(document, other)).collect(),
    };
    let names = names.join(" or ");
    let mut kind = match field["items"].is_object() {
        true => format!("{names} of {}", kind(document, &field["items"])),
        false => names,
    };
    for (min, max, unit) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " of them"),
    ] {
        let max = &field[max];
        if max.is_u64() {
            let min = field[min].as_u64().unwrap_or(0);
            let _ = write!(kind, ", {min} to {max}{unit}");
        }
    }
    kind
}

/// The schema of `Result` in an envelope.
fn result_of<'a>(document: &'a Value, envelope: &'a Value) -> &'a Value {
    resolve(document, &resolve(document, envelope)["properties"]["Result"])
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    schema["oneOf"].as_array().into_iter().flatten()
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|name| name.strip_prefix('#'));
    reference.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

fn anchor(path: &str) -> String {
    path.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Formats a description in paragraphs.
fn prose(value: &Value) -> String {
    let paragraphs = value.as_str().unwrap_or_default().split("\n\n");
    paragraphs.map(|text| format!("<p>{}</p>", marked(&text.into()))).collect()
}

/// Formats text between backticks as code.
fn marked(value: &Value) -> String {
    let text = text(value);
    let parts = text.split('`').enumerate();
    let part = |(number, part): (usize, &str)| match number % 2 {
        0 => part.to_owned(),
        _ => format!("<code>{part}</code>"),
    };
    parts.map(part).collect()
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
