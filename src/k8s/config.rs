//! `v1` ConfigMaps and Secrets, as Flagger's config tracking sees them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::meta::{ObjectMeta, null_is_default};

/// A ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigMap {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Text values; `binaryData` is not tracked by Flagger.
    #[serde(deserialize_with = "null_is_default")]
    pub data: BTreeMap<String, String>,
}

/// A Secret. Values stay in base64, as manifests carry them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// `Opaque` and the like.
    #[serde(rename = "type")]
    pub kind: String,
    /// Base64 values.
    #[serde(deserialize_with = "null_is_default")]
    pub data: BTreeMap<String, String>,
    /// Plain values, which the API server folds into `data`.
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub string_data: BTreeMap<String, String>,
}
