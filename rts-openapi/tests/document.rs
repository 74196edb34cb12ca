//! The document agrees with the parser: requests made from it are accepted, up to each bound and
//! not beyond.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_openapi::{Action, Call, Error, ErrorCode, Method, Query, Route};
use serde_json::{Map, Value, json};

/// A parameter of an operation.
#[derive(Clone, Debug)]
struct Parameter {
    name: String,
    place: Place,
    schema: Value,
    is_needed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Path,
    Query,
    Body,
}

impl Parameter {
    fn example(&self) -> Value {
        match self.schema["type"].as_str() {
            Some("boolean") => json!(false),
            _ => self.schema["examples"][0].clone(),
        }
    }
}

/// An operation, with a value for each parameter.
#[derive(Clone, Debug)]
struct Operation {
    method: Method,
    path: String,
    parameters: Vec<Parameter>,
    values: Map<String, Value>,
}

impl Operation {
    fn with(&self, name: &str, value: Value) -> Result<Call, Error> {
        let mut changed = self.clone();
        changed.values.insert(name.to_owned(), value);
        changed.ask()
    }

    fn without(&self, name: &str) -> Result<Call, Error> {
        let mut changed = self.clone();
        changed.values.remove(name);
        changed.ask()
    }

    /// Calls the operation as a generated client does.
    fn ask(&self) -> Result<Call, Error> {
        let (mut path, mut pairs, mut body) = (self.path.clone(), Vec::new(), Map::new());
        for parameter in &self.parameters {
            let name = parameter.name.as_str();
            let Some(value) = self.values.get(name) else { continue };
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match parameter.place {
                Place::Path => path = path.replace(&format!("{{{name}}}"), &escaped(&text)),
                Place::Query => pairs.push((name.to_owned(), text)),
                Place::Body => drop(body.insert(name.to_owned(), value.clone())),
            }
        }
        let body = match self.method {
            Method::Get => Vec::new(),
            Method::Post => Value::Object(body).to_string().into_bytes(),
        };
        let route =
            Route::find(self.method, &path).unwrap_or_else(|| panic!("{path} is not a route"));
        route.parse(&Query::of(pairs), &body)
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn document() -> Value {
    serde_json::to_value(rts_openapi::document()).expect("JSON")
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().expect("paths");
    let both = [("get", Method::Get), ("post", Method::Post)];
    let mut operations = Vec::new();
    for (path, item) in paths {
        for (name, method) in both {
            let Some(operation) = item.get(name) else { continue };
            let mut parameters = outside(operation);
            parameters.extend(inside(document, operation));
            let values = parameters.iter().map(|p| (p.name.clone(), p.example())).collect();
            operations.push(Operation { method, path: path.clone(), parameters, values });
        }
    }
    operations
}

fn outside(operation: &Value) -> Vec<Parameter> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameter = |parameter: &Value| Parameter {
        name: parameter["name"].as_str().expect("a name").to_owned(),
        place: if parameter["in"] == "path" { Place::Path } else { Place::Query },
        schema: parameter["schema"].clone(),
        is_needed: parameter["required"] == true,
    };
    parameters.map(parameter).collect()
}

fn inside(document: &Value, operation: &Value) -> Vec<Parameter> {
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let Some(pointer) = body["$ref"].as_str().and_then(|pointer| pointer.strip_prefix('#')) else {
        return Vec::new();
    };
    let body = document.pointer(pointer).expect("a schema");
    let needed = body["required"].as_array().expect("AppId at least");
    let properties = body["properties"].as_object().expect("fields").iter();
    let parameter = |(name, schema): (&String, &Value)| Parameter {
        name: name.clone(),
        place: Place::Body,
        schema: schema.clone(),
        is_needed: needed.iter().any(|other| other == name),
    };
    properties.map(parameter).collect()
}

#[test]
fn every_action_occurs_once_under_its_name() {
    let document = document();
    let operations = operations(&document);
    assert_eq!(operations.len(), Action::ALL.len());
    for action in Action::ALL {
        let method = if action.method() == Method::Get { "get" } else { "post" };
        let operation = &document["paths"][action.path()][method];
        let id = operation["operationId"].as_str().expect("a name");
        assert!(id.eq_ignore_ascii_case(action.name()) && id.starts_with(char::is_lowercase));
        let responses = operation["responses"].as_object().expect("responses");
        let statuses: Vec<_> = responses.keys().map(String::as_str).collect();
        assert_eq!(
            statuses,
            ["200", "400", "401", "403", "404", "415", "429", "500", "501", "503", "504"]
        );
    }
    let send = &document["components"]["schemas"]["SendUnicast"];
    assert_eq!(send["required"], json!(["AppId", "From", "To", "Message"]));
}

#[test]
fn references_resolve_and_only_failures_have_errors() {
    let document = document();
    let text = document.to_string();
    let schemas = &document["components"]["schemas"];
    let names: Vec<_> = text
        .split("\"#/components/schemas/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(names.len() > Action::ALL.len());
    for name in names {
        assert!(schemas[name].is_object(), "{name} is not there");
    }
    assert!(schemas["Metadata"]["properties"].get("Error").is_none());
    let needed = schemas["FailedMetadata"]["required"].as_array().expect("a list");
    assert!(needed.contains(&json!("Error")), "{needed:?}");
    // Only a failed answer has a null. Absent fields are left out.
    let nulls = text.matches("\"null\"").count();
    assert_eq!(
        (nulls, &schemas["FailedAnswer"]["properties"]["Result"]["type"]),
        (1, &json!("null"))
    );
}

#[test]
fn examples_parse_and_only_required_fields_are_required() {
    for operation in operations(&document()) {
        let path = &operation.path;
        operation.ask().unwrap_or_else(|error| panic!("{path}: {error}"));
        for parameter in operation.parameters.iter().filter(|p| p.place != Place::Path) {
            let name = &parameter.name;
            match operation.without(name) {
                Ok(_) => assert!(!parameter.is_needed, "{path}: {name} is not needed"),
                Err(error) => {
                    assert!(parameter.is_needed, "{path}: {name}: {error}");
                    assert_eq!(error.code, ErrorCode::MissingParameter, "{path}: {name}");
                }
            }
        }
    }
}

/// Values at the bounds of the schema, and values just beyond.
fn edges(parameter: &Parameter, schema: &Value) -> (Vec<Value>, Vec<Value>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let letters = |count: u64| json!("a".repeat(usize::try_from(count).expect("short")));
    let number = |name: &str| schema[name].as_u64();
    match schema["type"].as_str().expect("a type") {
        "string" => {
            if let Some(max) = number("maxLength").filter(|_| parameter.name != "Message") {
                good.push(letters(max));
                bad.push(letters(max + 1));
            }
            if let Some(min) = number("minLength") {
                good.push(letters(min));
                // An optional field that is empty counts as absent, or is refused.
                bad.extend(parameter.is_needed.then(|| letters(min - 1)));
            }
            if let Some(pattern) = schema["pattern"].as_str() {
                let class = pattern.strip_prefix("^[A-Za-z0-9").expect("the form of an id");
                let more = class.strip_suffix("]+$").expect("the form of an id");
                let rest = "a".repeat(number("minLength").map_or(0, |min| min as usize - 1));
                for character in ' '..='~' {
                    let is_allowed = character.is_ascii_alphanumeric() || more.contains(character);
                    let list = if is_allowed { &mut good } else { &mut bad };
                    list.push(json!(format!("{character}{rest}")));
                }
                bad.push(json!(format!("ä{rest}")));
            }
        }
        "integer" => {
            let min = number("minimum").expect("no number here is below zero");
            good.push(json!(min));
            bad.push(json!(min as i64 - 1));
            if let Some(max) = number("maximum") {
                good.push(json!(max));
                bad.push(json!(max + 1));
            }
        }
        "array" => {
            let (items_good, items_bad) = edges(parameter, &schema["items"]);
            good.extend(items_good.into_iter().map(|item| json!([item])));
            bad.extend(items_bad.into_iter().map(|item| json!([item])));
            let max = number("maxItems").expect("all lists here have bounds") as usize;
            good.push(json!(vec!["bob"; max]));
            bad.push(json!(vec!["bob"; max + 1]));
            assert_eq!(number("minItems"), Some(1));
            bad.push(json!([]));
        }
        "boolean" => {
            good.push(json!(false));
            bad.push(json!("false"));
        }
        other => panic!("{other}: {parameter:?}"),
    }
    (good, bad)
}

#[test]
fn bounds_equal_those_of_the_parser() {
    for operation in operations(&document()) {
        for parameter in &operation.parameters {
            let (path, name) = (&operation.path, &parameter.name);
            let (good, bad) = edges(parameter, &parameter.schema);
            for value in good {
                let read = operation.with(name, value.clone());
                read.unwrap_or_else(|error| panic!("{path}: {name} {value}: {error}"));
            }
            for value in bad {
                let read = operation.with(name, value.clone());
                let error = read.expect_err(&format!("{path}: {name} {value}"));
                assert!(error.message.contains(name.as_str()), "{path}: {name} {value}: {error}");
            }
        }
    }
}

/// The core checks the bounds of messages. This test compares their description.
#[test]
fn message_description_has_its_bytes_and_encoded_length() {
    let mut seen = 0;
    for operation in operations(&document()) {
        let bytes_max = if operation.path.contains("/members/") { 20_480 } else { 65_536 };
        for message in operation.parameters.iter().filter(|p| p.name == "Message") {
            let longest = BASE64_STANDARD.encode(vec![0; bytes_max]).len();
            assert_eq!(message.schema["maxLength"], json!(longest), "{}", operation.path);
            let description = message.schema["description"].as_str().expect("a text");
            assert!(description.contains(&format!("{bytes_max} bytes of UTF-8")), "{description}");
            seen += 1;
        }
    }
    assert_eq!(seen, 4, "the four send actions");
}
