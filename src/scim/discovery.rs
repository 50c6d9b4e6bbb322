//! Discovery documents (RFC 7643 sections 5 to 7, RFC 7644 section 4).

use serde_json::{Value, json};

use super::schema::{Kind, ResourceType, Schema, SchemaRegistry};
use super::urn;

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthenticationScheme {
    /// `oauthbearertoken`, `oauth2`, `httpbasic`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
    /// One sentence.
    pub description: &'static str,
}

/// Pages by index and by cursor (RFC 9865 section 4); by index unless the client asks for a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pagination {
    /// Resources of a page when the client does not say.
    pub default_page_size: usize,
    /// Resources of a page at most.
    pub max_page_size: usize,
    /// Seconds a cursor can be used after it was given out.
    pub cursor_timeout: u64,
}

impl Pagination {
    fn to_json(self) -> Value {
        json!({
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": self.default_page_size,
            "maxPageSize": self.max_page_size,
            "cursorTimeout": self.cursor_timeout,
        })
    }
}

/// What is offered.
#[derive(Debug, Clone)]
pub struct Features {
    /// Operations of a bulk request; 0 while bulk is not offered, for one client splits its PATCHes by this number.
    pub bulk_max_operations: usize,
    /// Bytes of a bulk request.
    pub bulk_max_payload: usize,
    /// Resources of one page.
    pub filter_max_results: usize,
    /// Whether sortBy works.
    pub sort: bool,
    /// Whether If-Match is honoured.
    pub etag: bool,
    /// Whether passwords are stored.
    pub change_password: bool,
    /// `None` where there are no cursors.
    pub pagination: Option<Pagination>,
    /// The preferred one first.
    pub authentication_schemes: Vec<AuthenticationScheme>,
}

/// `/ServiceProviderConfig`.
pub fn service_provider_config(features: &Features, base_url: &str) -> Value {
    let schemes = features.authentication_schemes.iter().enumerate().map(
        |(n, scheme)| json!({ "type": scheme.kind, "name": scheme.name, "description": scheme.description, "primary": n == 0 }),
    );
    let mut document = json!({
        "schemas": [urn::SERVICE_PROVIDER_CONFIG],
        "patch": { "supported": true },
        "bulk": {
            "supported": features.bulk_max_operations > 0,
            "maxOperations": features.bulk_max_operations,
            "maxPayloadSize": features.bulk_max_payload,
        },
        "filter": { "supported": true, "maxResults": features.filter_max_results },
        "changePassword": { "supported": features.change_password },
        "sort": { "supported": features.sort },
        "etag": { "supported": features.etag },
        "authenticationSchemes": schemes.collect::<Vec<_>>(),
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{base_url}/ServiceProviderConfig") },
    });
    if let (Some(pagination), Some(document)) = (features.pagination, document.as_object_mut()) {
        document.insert("pagination".to_owned(), pagination.to_json());
    }
    document
}

/// `/ResourceTypes`.
pub fn resource_types(registry: &SchemaRegistry, base_url: &str) -> Vec<Value> {
    [Kind::User, Kind::Group].into_iter().map(|kind| type_document(registry.get(kind), base_url)).collect()
}

/// `/ResourceTypes/{name}`, without minding case.
pub fn resource_type(registry: &SchemaRegistry, name: &str, base_url: &str) -> Option<Value> {
    let kind = [Kind::User, Kind::Group].into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))?;
    Some(type_document(registry.get(kind), base_url))
}

fn type_document(ty: &ResourceType, base_url: &str) -> Value {
    let name = ty.kind.name();
    let extensions: Vec<Value> = ty.extensions.iter().map(|schema| json!({ "schema": &*schema.id, "required": false })).collect();
    json!({
        "schemas": [urn::RESOURCE_TYPE],
        "id": name,
        "name": name,
        "description": ty.schema.description,
        "endpoint": ty.kind.endpoint(),
        "schema": &*ty.schema.id,
        "schemaExtensions": extensions,
        "meta": { "resourceType": "ResourceType", "location": format!("{base_url}/ResourceTypes/{name}") },
    })
}

/// `/Schemas`.
pub fn schemas(registry: &SchemaRegistry, base_url: &str) -> Vec<Value> {
    registry.schemas().map(|schema| schema_document(schema, base_url)).collect()
}

/// `/Schemas/{uri}`, without minding case.
pub fn schema(registry: &SchemaRegistry, uri: &str, base_url: &str) -> Option<Value> {
    registry.schema(uri).map(|schema| schema_document(schema, base_url))
}

fn schema_document(schema: &Schema, base_url: &str) -> Value {
    let mut document = schema.to_json();
    if let Some(object) = document.as_object_mut() {
        object.insert("schemas".to_owned(), json!([urn::SCHEMA]));
        object.insert(
            "meta".to_owned(),
            json!({ "resourceType": "Schema", "location": format!("{base_url}/Schemas/{}", schema.id) }),
        );
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pagination_is_told_where_there_are_cursors() {
        let features = |pagination| Features {
            bulk_max_operations: 0,
            bulk_max_payload: 0,
            filter_max_results: 10,
            sort: true,
            etag: false,
            change_password: false,
            pagination,
            authentication_schemes: Vec::new(),
        };
        let told = Pagination { default_page_size: 5, max_page_size: 10, cursor_timeout: 600 };
        let document = service_provider_config(&features(Some(told)), "https://x");
        assert_eq!(document["pagination"]["defaultPaginationMethod"], "index");
        assert_eq!(document["pagination"]["cursorTimeout"], 600);
        assert!(service_provider_config(&features(None), "https://x").get("pagination").is_none());
    }

    #[test]
    fn documents_are_found_without_minding_case_and_hold_no_null() {
        let registry = SchemaRegistry::builtin();
        assert_eq!(resource_type(&registry, "user", "https://x").unwrap()["endpoint"], "/Users");
        assert_eq!(resource_types(&registry, "https://x").len(), 2);
        assert!(schema(&registry, &urn::ENTERPRISE_USER.to_uppercase(), "https://x").is_some());
        assert!(schema(&registry, "urn:none", "https://x").is_none());
        assert!(!serde_json::to_string(&schemas(&registry, "https://x")).unwrap().contains("null"));
    }
}
