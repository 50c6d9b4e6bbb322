//! What is served, as an OpenAPI 3.1 document made from the schemas: for client generators, and for tools that test us by it.

use serde_json::{Map, Value, json};

use super::schema::{AttrType, Attribute, Kind, Mutability, ResourceType, Returned, SchemaRegistry};
use super::urn;

const SCIM_JSON: &str = "application/scim+json";

/// The document. `base_url` is the SCIM base.
pub fn document(registry: &SchemaRegistry, base_url: &str) -> Value {
    let mut paths = Map::new();
    for kind in [Kind::User, Kind::Group] {
        let ty = registry.get(kind);
        paths.insert(kind.endpoint().to_owned(), collection(ty));
        paths.insert(format!("{}/{{id}}", kind.endpoint()), resource(ty));
        let search = search(&format!("search{}s", kind.name()), &list_of(&answered(kind)));
        paths.insert(format!("{}/.search", kind.endpoint()), json!({ "post": search }));
    }
    let any = json!({ "anyOf": [answered(Kind::User), answered(Kind::Group)] });
    paths.insert("/.search".to_owned(), json!({ "post": search("search", &list_of(&any)) }));
    paths.insert("/Bulk".to_owned(), json!({ "post": bulk() }));
    let resource_type = || json!({ "type": "object", "required": ["schemas", "name", "endpoint", "schema"] });
    let schema = json!({ "type": "object", "required": ["schemas", "id", "name", "attributes"] });
    for (path, name, document) in [
        ("/ServiceProviderConfig", "serviceProviderConfig", service_provider_config_schema()),
        ("/ResourceTypes", "resourceTypes", list_of(&resource_type())),
        ("/ResourceTypes/User", "resourceTypeUser", resource_type()),
        ("/ResourceTypes/Group", "resourceTypeGroup", resource_type()),
        ("/Schemas", "schemas", list_of(&schema)),
    ] {
        let answers = answers(&[("200", "The document", Some(document))]);
        // How to sign in is public (RFC 7643 section 5, `authenticationSchemes`).
        let security = if name == "serviceProviderConfig" { json!([]) } else { json!([{ "bearer": [] }]) };
        paths.insert(path.to_owned(), json!({ "get": { "operationId": name, "security": security, "responses": answers } }));
    }
    let mut schemas = Map::new();
    for kind in [Kind::User, Kind::Group] {
        schemas.insert(kind.name().to_owned(), resource_schema(registry.get(kind)));
    }
    schemas.insert("Error".to_owned(), error_schema());
    schemas.insert("ListResponse".to_owned(), list_schema());
    schemas.insert("PatchOp".to_owned(), patch_schema());
    json!({
        "openapi": "3.1.0",
        "info": { "title": "scimgate", "version": env!("CARGO_PKG_VERSION"), "description": "SCIM 2.0 (RFC 7643, RFC 7644) in front of an LDAP directory" },
        "servers": [{ "url": base_url }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A resource as a client sends it: with everything that the schema requires.
fn sent(ty: &ResourceType) -> Value {
    let required = ty.attributes().filter(|path| path.extension.is_none() && path.attribute.required);
    let required: Vec<String> = required.map(|path| path.attribute.name.clone()).collect();
    json!({ "allOf": [reference(ty.kind.name())], "required": required })
}

/// A resource in an answer. What the client has not asked for is not in it, but for what is always returned.
fn answered(kind: Kind) -> Value {
    json!({ "allOf": [reference(kind.name())], "required": ["schemas", "id"] })
}

/// A list of these.
fn list_of(item: &Value) -> Value {
    json!({ "allOf": [reference("ListResponse")], "properties": { "Resources": { "items": item } } })
}

fn content(schema: &Value) -> Value {
    json!({ SCIM_JSON: { "schema": schema } })
}

/// Answers by status, and the error that any other status is.
fn answers(of: &[(&str, &str, Option<Value>)]) -> Value {
    let mut all = Map::new();
    for (status, description, schema) in of {
        let mut answer = json!({ "description": description });
        if let (Some(schema), Some(answer)) = (schema, answer.as_object_mut()) {
            answer.insert("content".to_owned(), content(schema));
        }
        all.insert((*status).to_owned(), answer);
    }
    all.insert("default".to_owned(), json!({ "description": "A SCIM error", "content": content(&reference("Error")) }));
    all.into()
}

fn query(name: &str, kind: &str, description: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": { "type": kind }, "description": description })
}

fn projection() -> [Value; 2] {
    [
        query("attributes", "string", "Attributes to return, separated by commas"),
        query("excludedAttributes", "string", "Attributes to leave out, separated by commas"),
    ]
}

fn collection(ty: &ResourceType) -> Value {
    let name = ty.kind.name();
    let mut parameters = vec![
        query("filter", "string", "RFC 7644 section 3.4.2.2"),
        query("sortBy", "string", "The attribute to sort by"),
        json!({ "name": "sortOrder", "in": "query", "schema": { "enum": ["ascending", "descending"] } }),
        query("startIndex", "integer", "The first resource of the page, from 1"),
        query("count", "integer", "Resources of the page at most"),
        query("cursor", "string", "The page by its cursor (RFC 9865); empty for the first"),
    ];
    parameters.extend(projection());
    let list = answers(&[("200", "A page of the list", Some(list_of(&answered(ty.kind))))]);
    let created = answers(&[("201", "Created", Some(answered(ty.kind)))]);
    json!({
        "get": { "operationId": format!("list{name}s"), "parameters": parameters, "responses": list },
        "post": {
            "operationId": format!("create{name}"),
            "parameters": projection(),
            "requestBody": { "required": true, "content": content(&sent(ty)) },
            "responses": created,
        },
    })
}

fn resource(ty: &ResourceType) -> Value {
    let name = ty.kind.name();
    let found = ("200", "The resource", Some(answered(ty.kind)));
    let body = |schema: &Value| json!({ "required": true, "content": content(schema) });
    let silent = ("204", "Done", None);
    json!({
        "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
        "get": {
            "operationId": format!("get{name}"),
            "parameters": projection(),
            "responses": answers(&[found.clone(), ("304", "Not modified", None)]),
        },
        "put": {
            "operationId": format!("replace{name}"),
            "parameters": projection(),
            "requestBody": body(&sent(ty)),
            "responses": answers(std::slice::from_ref(&found)),
        },
        "patch": {
            "operationId": format!("patch{name}"),
            "parameters": projection(),
            "requestBody": body(&reference("PatchOp")),
            "responses": answers(&[found, silent.clone()]),
        },
        "delete": { "operationId": format!("delete{name}"), "responses": answers(&[silent]) },
    })
}

fn search(operation: &str, list: &Value) -> Value {
    let names = json!({ "type": "array", "items": { "type": "string" } });
    let request = json!({
        "type": "object",
        "required": ["schemas"],
        "properties": {
            "schemas": { "type": "array", "items": { "const": urn::SEARCH_REQUEST }, "minItems": 1 },
            "filter": { "type": "string" },
            "sortBy": { "type": "string" },
            "sortOrder": { "enum": ["ascending", "descending"] },
            "startIndex": { "type": "integer" },
            "count": { "type": "integer" },
            "attributes": names,
            "excludedAttributes": names,
        },
    });
    json!({
        "operationId": operation,
        "requestBody": { "required": true, "content": content(&request) },
        "responses": answers(&[("200", "A page of the list", Some(list.clone()))]),
    })
}

fn bulk() -> Value {
    let operation = json!({
        "type": "object",
        "required": ["method", "path"],
        "properties": {
            "method": { "enum": ["POST", "PUT", "PATCH", "DELETE"] },
            "path": { "type": "string" },
            "bulkId": { "type": "string" },
            "version": { "type": "string" },
            "data": { "type": "object" },
        },
    });
    let request = json!({
        "type": "object",
        "required": ["schemas", "Operations"],
        "properties": {
            "schemas": { "type": "array", "items": { "const": urn::BULK_REQUEST }, "minItems": 1 },
            "failOnErrors": { "type": "integer", "minimum": 0 },
            "Operations": { "type": "array", "items": operation, "minItems": 1 },
        },
    });
    json!({
        "operationId": "bulk",
        "requestBody": { "required": true, "content": content(&request) },
        "responses": answers(&[("200", "The results of the operations", Some(json!({ "type": "object", "required": ["schemas", "Operations"] })))]),
    })
}

fn service_provider_config_schema() -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "patch", "bulk", "filter", "changePassword", "sort", "etag", "authenticationSchemes"],
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "status", "detail"],
        "properties": {
            "schemas": { "const": [urn::ERROR] },
            "status": { "type": "string", "pattern": "^[45][0-9][0-9]$" },
            "scimType": { "type": "string" },
            "detail": { "type": "string", "minLength": 1 },
        },
    })
}

fn list_schema() -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "totalResults", "itemsPerPage", "Resources"],
        "properties": {
            "schemas": { "const": [urn::LIST_RESPONSE] },
            "totalResults": { "type": "integer", "minimum": 0 },
            "itemsPerPage": { "type": "integer", "minimum": 0 },
            "startIndex": { "type": "integer", "minimum": 1 },
            "nextCursor": { "type": "string" },
            "previousCursor": { "type": "string" },
            "Resources": { "type": "array", "items": { "type": "object" } },
        },
    })
}

fn patch_schema() -> Value {
    let path = json!({ "type": "string", "minLength": 1 });
    let write = json!({ "enum": ["add", "replace"] });
    let operation = json!({
        "type": "object",
        "anyOf": [
            { "required": ["op", "path", "value"], "properties": { "op": write, "path": path } },
            { "required": ["op", "value"], "properties": { "op": write, "path": false, "value": { "type": "object" } } },
            { "required": ["op", "path"], "properties": { "op": { "const": "remove" }, "path": path } },
        ],
    });
    json!({
        "type": "object",
        "required": ["schemas", "Operations"],
        "properties": {
            "schemas": { "type": "array", "items": { "const": urn::PATCH_OP }, "minItems": 1 },
            "Operations": { "type": "array", "items": operation, "minItems": 1 },
        },
    })
}

fn resource_schema(ty: &ResourceType) -> Value {
    let mut properties = Map::new();
    properties.insert("schemas".to_owned(), json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }));
    properties.insert("id".to_owned(), json!({ "type": "string", "readOnly": true }));
    properties.insert("meta".to_owned(), meta_schema(ty.kind));
    for path in ty.attributes() {
        let schema = attribute_schema(&path.attribute);
        let name = path.attribute.name.clone();
        match &path.extension {
            None => {
                properties.insert(name, schema);
            }
            Some(urn) => {
                let extension = properties.entry(&**urn).or_insert_with(|| json!({ "type": "object", "properties": {} }));
                if let Some(inner) = extension.get_mut("properties").and_then(Value::as_object_mut) {
                    inner.insert(name, schema);
                }
            }
        }
    }
    json!({ "type": "object", "description": ty.schema.description, "properties": properties })
}

fn meta_schema(kind: Kind) -> Value {
    let instant = json!({ "type": "string", "format": "date-time" });
    json!({
        "type": "object",
        "readOnly": true,
        "properties": {
            "resourceType": { "const": kind.name() },
            "created": instant,
            "lastModified": instant,
            "location": { "type": "string", "format": "uri" },
            "version": { "type": "string" },
        },
    })
}

fn attribute_schema(attribute: &Attribute) -> Value {
    let mut one = match attribute.kind {
        AttrType::String if attribute.required => json!({ "type": "string", "minLength": 1 }),
        AttrType::String | AttrType::Reference => json!({ "type": "string" }),
        AttrType::Boolean => json!({ "type": "boolean" }),
        AttrType::Decimal => json!({ "type": "number" }),
        AttrType::Integer => json!({ "type": "integer" }),
        AttrType::DateTime => json!({ "type": "string", "format": "date-time" }),
        AttrType::Binary => json!({ "type": "string", "contentEncoding": "base64" }),
        AttrType::Complex => {
            let subs = attribute.sub_attributes.iter().map(|sub| (sub.name.clone(), attribute_schema(sub)));
            json!({ "type": "object", "properties": subs.collect::<Map<_, _>>() })
        }
    };
    if attribute.multi_valued {
        one = json!({ "type": "array", "items": one });
    }
    if let Some(schema) = one.as_object_mut() {
        schema.insert("description".to_owned(), attribute.description.clone().into());
        if attribute.mutability == Mutability::ReadOnly {
            schema.insert("readOnly".to_owned(), true.into());
        }
        if attribute.mutability == Mutability::WriteOnly || attribute.returned == Returned::Never {
            schema.insert("writeOnly".to_owned(), true.into());
        }
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_of_the_schemas_is_in_it() {
        let document = document(&SchemaRegistry::builtin(), "https://x/scim/v2");
        let user = &document["components"]["schemas"]["User"];
        assert_eq!(
            document["paths"]["/Users"]["post"]["requestBody"]["content"][SCIM_JSON]["schema"]["required"],
            json!(["userName"])
        );
        assert_eq!(user["properties"]["emails"]["items"]["properties"]["primary"]["type"], "boolean");
        assert_eq!(user["properties"]["groups"]["readOnly"], true);
        assert_eq!(user["properties"]["password"]["writeOnly"], true);
        assert_eq!(user["properties"][urn::ENTERPRISE_USER]["properties"]["department"]["type"], "string");
        assert_eq!(document["paths"]["/Groups/{id}"]["patch"]["operationId"], "patchGroup");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, into: &mut Vec<String>) {
            match value {
                Value::Object(object) => {
                    into.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    object.values().for_each(|inner| references(inner, into));
                }
                Value::Array(items) => items.iter().for_each(|inner| references(inner, into)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document = document(&SchemaRegistry::builtin(), "https://x");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 10);
        for reference in found {
            // `$ref` is a sub-attribute of SCIM too, whose schema is no text.
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }
}
