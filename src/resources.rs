//! The data files that ship with the program: SCIM schemas and attribute maps. A folder given in the configuration replaces them
//! file by file, and schema documents of one's own extend them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::DataConfig;
use crate::mapping::{MapFile, MapFiles};
use crate::scim::{Schema, SchemaRegistry};

const USER_MAP: (&str, &str) = ("mapping/user.inetorgperson.toml", include_str!("../config/mapping/user.inetorgperson.toml"));
const GROUP_MAP: (&str, &str) = ("mapping/group.groupofnames.toml", include_str!("../config/mapping/group.groupofnames.toml"));
const AD_USER_MAP: (&str, &str) =
    ("mapping/user.active-directory.toml", include_str!("../config/mapping/user.active-directory.toml"));
const AD_GROUP_MAP: (&str, &str) =
    ("mapping/group.active-directory.toml", include_str!("../config/mapping/group.active-directory.toml"));

const POSIX_GROUP_MAP: (&str, &str) = ("mapping/group.posixgroup.toml", include_str!("../config/mapping/group.posixgroup.toml"));

/// A data file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct ResourceError {
    file: String,
    reason: String,
}

/// What the data files hold.
#[derive(Debug, PartialEq)]
pub struct Resources {
    /// The schemas, extensions included.
    pub registry: SchemaRegistry,
    /// The attribute maps.
    pub maps: MapFiles,
}

impl Resources {
    /// Reads them.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub fn load(config: &DataConfig) -> Result<Self, ResourceError> {
        let folder = config.folder.as_deref();
        let mut registry = SchemaRegistry::builtin();
        if let Some(folder) = folder {
            let named = |name: &str| Some(folder.join("schemas").join(name)).filter(|path| path.exists());
            let replacement = |name: &str| named(name).map(|path| schema(&path)).transpose();
            registry =
                registry.replaced(replacement("user.json")?, replacement("enterprise-user.json")?, replacement("group.json")?);
        }
        registry = registry.extended(schemas(&config.user_extensions)?, schemas(&config.group_extensions)?);
        let maps = MapFiles {
            inet_org_person: [map(folder, USER_MAP)?, map(folder, GROUP_MAP)?],
            active_directory: [map(folder, AD_USER_MAP)?, map(folder, AD_GROUP_MAP)?],
            posix_group: map(folder, POSIX_GROUP_MAP)?,
        };
        Ok(Self { registry, maps })
    }
}

fn schemas(paths: &[PathBuf]) -> Result<Vec<Schema>, ResourceError> {
    paths.iter().map(|path| schema(path)).collect()
}

fn schema(path: &Path) -> Result<Schema, ResourceError> {
    let wrong = |reason: String| ResourceError { file: path.display().to_string(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let document: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    Schema::from_json(&document).map_err(wrong)
}

fn map(folder: Option<&Path>, (name, built_in): (&str, &str)) -> Result<MapFile, ResourceError> {
    let path = folder.map(|folder| folder.join(name)).filter(|path| path.exists());
    let file = path.as_ref().map_or_else(|| name.to_owned(), |path| path.display().to_string());
    let wrong = |reason: String| ResourceError { file: file.clone(), reason };
    let text = match &path {
        Some(path) => std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?,
        None => built_in.to_owned(),
    };
    toml::from_str(&text).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_files_are_whole() {
        let resources = Resources::load(&DataConfig::default()).unwrap();
        assert_eq!(resources.registry.schemas().count(), 3);
        let MapFiles { inet_org_person, active_directory, posix_group } = resources.maps;
        assert_eq!(posix_group.rdn, "cn");
        assert!(inet_org_person.iter().chain(&active_directory).all(|map| !map.attributes.is_empty()));
    }

    #[test]
    fn a_folder_replaces_and_a_document_extends() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mapping")).unwrap();
        std::fs::write(
            folder.path().join(GROUP_MAP.0),
            "object_classes = [\"posixGroup\"]\nrdn = \"ou\"\n[attributes]\ndisplayName = \"ou\"\n",
        )
        .unwrap();
        let extension = folder.path().join("acme.json");
        std::fs::write(
            &extension,
            r#"{"id": "urn:acme:User", "name": "Acme", "attributes": [{"name": "badge", "type": "string"}]}"#,
        )
        .unwrap();
        let config =
            DataConfig { folder: Some(folder.path().to_owned()), user_extensions: vec![extension], group_extensions: Vec::new() };
        let resources = Resources::load(&config).unwrap();
        assert!(resources.registry.user.resolve_str("urn:acme:User:badge").is_some());
        assert_eq!(resources.maps.inet_org_person[1].attributes["displayName"].as_str(), Some("ou"));
        assert!(resources.maps.inet_org_person[0].attributes.contains_key("userName"));
        std::fs::write(folder.path().join(GROUP_MAP.0), "[attributes\n").unwrap();
        assert!(Resources::load(&config).unwrap_err().to_string().contains("group.groupofnames.toml"));
    }
}
