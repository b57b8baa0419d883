//! The HelmRelease that installs Flagger: the flags of the controller, as the chart's values have them.
//!
//! Follows `charts/flagger/values.yaml` and `templates/deployment.yaml` of Flagger v1.44.0: `meshProvider` becomes
//! `-mesh-provider`, `metricsServer` `-metrics-server`, `namespace` `-namespace`. Left out: values from ConfigMaps and
//! Secrets (`valuesFrom`), and every other value, since none changes what a rollout decides.

use crate::canary::Provider;
use crate::diagnostic::Diagnostic;
use crate::k8s::manifest::Document;

use super::model::FlaggerRelease;

/// Flagger's flags, if this is the HelmRelease of its chart. `namespace` is the Canary's; a provider that is not simulated is
/// passed over where the scenario has one of its own (`overruled`).
pub(super) fn flagger(
    document: &Document,
    namespace: &str,
    overruled: bool,
) -> Result<Option<FlaggerRelease>, Diagnostic> {
    let text = |pointer: &str| {
        document
            .node
            .pointer(pointer)
            .and_then(|node| node.as_str())
    };
    let chart = text("/spec/chart/spec/chart").or_else(|| text("/spec/chartRef/name"));
    if chart != Some("flagger") {
        return Ok(None);
    }
    let refuse = |pointer: &str, message: String| {
        Diagnostic::new(format!("HelmRelease `{}`: {message}", document.name))
            .at_place(&document.place_of(pointer))
    };
    if let Some(watched) = text("/spec/values/namespace")
        && !watched.is_empty()
        && watched != namespace
    {
        return Err(refuse(
            "/spec/values/namespace",
            format!("Flagger watches the namespace `{watched}` alone, and the Canary is in `{namespace}`"),
        )
        .help("it would never see the Canary: leave the value out, or move the Canary"));
    }
    let mesh_provider = match text("/spec/values/meshProvider") {
        None | Some("") => None,
        Some(name) if overruled => Provider::parse(name),
        Some(name) => Some(Provider::parse(name).ok_or_else(|| {
            refuse(
                "/spec/values/meshProvider",
                format!("the provider `{}` is not simulated", name.escape_debug()),
            )
            .help(
                "`nginx`, `kubernetes` and `gatewayapi:v1` are: set the scenario's `provider` (with -f, --as nginx), or leave the file out",
            )
        })?),
    };
    let metrics_server = text("/spec/values/metricsServer").filter(|address| !address.is_empty());
    Ok(Some(FlaggerRelease {
        mesh_provider,
        metrics_server: metrics_server.map(str::to_owned),
    }))
}
