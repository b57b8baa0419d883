//! `deploy/predict-job.yaml`: its pods' commands, run as its indices have them, are a whole prediction.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::{arg, files, printed, rollcast};

/// The object of this kind in the file.
fn object(kind: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/predict-job.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let mut found = documents.into_iter().filter(|one| one["kind"] == kind);
    found
        .next()
        .unwrap_or_else(|| panic!("the file has no {kind}"))
}

/// The arguments of the pod with this index, on few runs of a light scenario.
fn args(job: &Value, index: u64, out: &str) -> Vec<String> {
    let args = job["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array()
        .unwrap();
    let mut args: Vec<String> = args
        .iter()
        .map(|arg| {
            let arg = arg
                .as_str()
                .expect("arguments are strings, numbers in quotes");
            arg.replace("$(JOB_COMPLETION_INDEX)", &index.to_string())
                .replace("/scenario/", "scenarios/")
                .replace("/results", out)
        })
        .collect();
    let runs = args.iter().position(|arg| arg == "--runs").unwrap() + 1;
    args[runs] = "20".to_owned();
    args.extend(["--set", "traffic.rate=20/s", "--set", "run.horizon=90s"].map(str::to_owned));
    args
}

#[test]
fn the_indices_of_the_job_make_one_prediction() {
    let job = object("Job");
    let spec = &job["spec"];
    assert_eq!(spec["completionMode"], "Indexed");
    let completions = spec["completions"].as_u64().unwrap();
    assert_eq!(spec["parallelism"], completions);
    let dir = tempfile::tempdir().unwrap();
    let (parts, merged, whole) = (
        arg(&dir.path().join("parts")),
        arg(&dir.path().join("merged")),
        arg(&dir.path().join("whole")),
    );
    for index in 0..completions {
        let args = args(&job, index, &parts);
        let shard = args.iter().position(|arg| arg == "--shard").unwrap();
        assert_eq!(args[shard + 1], format!("{index}/{completions}"));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        printed(rollcast(&args), 0);
    }
    let shards: Vec<String> = files(Path::new(&parts))
        .into_keys()
        .map(|name| arg(&Path::new(&parts).join(name)))
        .collect();
    assert_eq!(shards.len() as u64, completions);
    let mut merge = vec!["merge", "--out", &merged];
    merge.extend(shards.iter().map(String::as_str));
    printed(rollcast(&merge), 0);

    let mut unsharded = args(&job, 0, &whole);
    let shard = unsharded.iter().position(|arg| arg == "--shard").unwrap();
    unsharded.drain(shard..shard + 2);
    let unsharded: Vec<&str> = unsharded.iter().map(String::as_str).collect();
    printed(rollcast(&unsharded), 0);
    assert_eq!(files(Path::new(&merged)), files(Path::new(&whole)));
}

#[test]
fn the_api_server_takes_the_job_and_its_controller_gives_every_part_to_a_pod() {
    let Some(plane) = ControlPlane::start() else {
        return;
    };
    let claim = object("PersistentVolumeClaim");
    plane.create("/api/v1/namespaces/default/persistentvolumeclaims", &claim);
    plane.create("/apis/batch/v1/namespaces/default/jobs", &object("Job"));
    let pods = plane.wait_for("a pod for each part", |plane| {
        let pods = plane
            .get("/api/v1/namespaces/default/pods?labelSelector=job-name%3Drollcast-predict")?;
        let pods = pods["items"].as_array()?.clone();
        (pods.len() == 8).then_some(pods)
    });
    let mut indices = BTreeSet::new();
    for pod in &pods {
        let index = &pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"];
        indices.insert(index.as_str().unwrap().parse::<u64>().unwrap());
        // The variable that the arguments name is there: Kubernetes expands it when the container starts.
        let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
        let names: Vec<&Value> = env.iter().map(|variable| &variable["name"]).collect();
        assert!(names.contains(&&json!("JOB_COMPLETION_INDEX")), "{env:?}");
    }
    assert_eq!(indices, (0..8).collect());
    for pod in &pods {
        let name = pod["metadata"]["name"].as_str().unwrap();
        // There is no kubelet: the test says what one would.
        let status = json!({ "status": { "phase": "Succeeded" } });
        plane.patch(
            &format!("/api/v1/namespaces/default/pods/{name}/status"),
            &status,
        );
    }
    let status = plane.wait_for("the end of the Job", |plane| {
        let job = plane.get("/apis/batch/v1/namespaces/default/jobs/rollcast-predict")?;
        let conditions = job["status"]["conditions"].as_array()?.clone();
        let complete = |one: &Value| one["type"] == "Complete" && one["status"] == "True";
        conditions
            .iter()
            .any(complete)
            .then(|| job["status"].clone())
    });
    assert_eq!(status["succeeded"], 8);
    assert_eq!(status["completedIndexes"], "0-7");
}
