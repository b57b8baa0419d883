//! AlertProviders (`pkg/apis/flagger/v1beta1/alert.go`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::k8s::ObjectMeta;

/// An AlertProvider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AlertProvider {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Type, channel, address, as written.
    pub spec: Value,
}
