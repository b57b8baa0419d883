//! What every object carries: name, namespace, labels, annotations, generation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// `metadata`. Fields that neither Flagger nor the simulated controllers look at are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Name.
    pub name: String,
    /// Namespace; empty where a manifest gave none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Labels.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub annotations: BTreeMap<String, String>,
    /// Counts changes of the spec; the API server keeps it.
    #[serde(skip_serializing_if = "is_zero")]
    pub generation: i64,
    /// Finalizers.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub finalizers: Vec<String>,
    /// The controller that owns the object, by kind and name.
    #[serde(skip)]
    pub owner: Option<ObjectReference>,
}

/// `apiVersion`, `kind`, `name`, as `targetRef`, `autoscalerRef` and `ingressRef` write them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectReference {
    /// API group and version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace, where the reference may cross namespaces.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// A moment as API objects carry it (`metav1.Time`): cut to whole seconds. Zero of the clock in use is taken as one.
pub fn api_time(moment: Timestamp) -> Timestamp {
    Timestamp::from_secs(moment.as_millis().div_euclid(1000))
}

/// Reads `null` as the default, as the API server does for maps and lists.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}
