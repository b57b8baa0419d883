//! A real etcd, kube-apiserver and Job controller on the loopback, for tests that apply manifests. `tests/peers/get` builds
//! them; where they are not there, tests say so and skip.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

const TOKEN: &str = "administrator";
/// Looks at what is waited for, half a second apart.
const LOOKS: usize = 240;

/// A control plane that ends with its test.
pub(crate) struct ControlPlane {
    dir: tempfile::TempDir,
    port: u16,
    children: Vec<Child>,
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl ControlPlane {
    /// Starts one; `None`, with a word on the standard error, where there is no program for it.
    pub(crate) fn start() -> Option<ControlPlane> {
        let Some(program) = program() else {
            eprintln!("skipped: there is no control plane; tests/peers/get builds one");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let ports: [u16; 4] = free_ports();
        let mut plane = ControlPlane {
            dir,
            port: ports[2],
            children: Vec::new(),
        };
        let at = |name: &str| plane.dir.path().join(name).display().to_string();
        let (key, public, tokens, config) =
            (at("sa.key"), at("sa.pub"), at("tokens.csv"), at("config"));
        openssl(&["genrsa", "-out", &key, "2048"]);
        openssl(&["rsa", "-in", &key, "-pubout", "-out", &public]);
        fs::write(&tokens, format!("{TOKEN},admin,1,\"system:masters\"\n")).unwrap();
        fs::write(&config, kubeconfig(plane.port)).unwrap();
        let [client, peer, _, controllers] = ports;
        let (data, certs, other_certs) = (at("etcd"), at("certs"), at("certs-controllers"));
        let client = format!("http://127.0.0.1:{client}");
        let peer = format!("http://127.0.0.1:{peer}");
        let api = plane.port.to_string();
        let controllers = controllers.to_string();
        let etcd = [
            ("--data-dir", &*data),
            ("--listen-client-urls", &client),
            ("--advertise-client-urls", &client),
            ("--listen-peer-urls", &peer),
            ("--initial-advertise-peer-urls", &peer),
            ("--initial-cluster", &format!("default={peer}")),
        ];
        plane.spawn(&program, "etcd", &etcd, &["--unsafe-no-fsync"]);
        let apiserver = [
            ("--etcd-servers", &*client),
            ("--bind-address", "127.0.0.1"),
            ("--advertise-address", "127.0.0.1"),
            ("--secure-port", &api),
            ("--cert-dir", &certs),
            ("--service-account-issuer", "https://kubernetes.default.svc"),
            ("--service-account-key-file", &public),
            ("--service-account-signing-key-file", &key),
            ("--authorization-mode", "RBAC"),
            ("--token-auth-file", &tokens),
            ("--service-cluster-ip-range", "10.0.0.0/24"),
            ("--disable-admission-plugins", "ServiceAccount"),
            ("--endpoint-reconciler-type", "none"),
        ];
        plane.spawn(&program, "kube-apiserver", &apiserver, &[]);
        plane.wait_for("the API server", |plane| {
            plane.get("/api/v1/namespaces/default").map(|_| ())
        });
        let manager = [
            ("--kubeconfig", &*config),
            ("--bind-address", "127.0.0.1"),
            ("--secure-port", &controllers),
            ("--cert-dir", &other_certs),
            ("--controllers", "job-controller"),
        ];
        plane.spawn(
            &program,
            "kube-controller-manager",
            &manager,
            &["--leader-elect=false"],
        );
        Some(plane)
    }

    fn spawn(&mut self, program: &Path, component: &str, flags: &[(&str, &str)], bare: &[&str]) {
        let log = fs::File::create(self.dir.path().join(format!("{component}.log"))).unwrap();
        let child = Command::new(program)
            .arg(component)
            .args(flags.iter().map(|(flag, value)| format!("{flag}={value}")))
            .args(bare)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.children
            .push(child.unwrap_or_else(|error| panic!("{component}: {error}")));
    }

    /// Looks again and again until there is something to see.
    pub(crate) fn wait_for<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        for _ in 0..LOOKS {
            if let Some(seen) = look(self) {
                return seen;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        let log = |name: &str| {
            let text = fs::read_to_string(self.dir.path().join(format!("{name}.log")));
            let text = text.unwrap_or_default();
            text.lines().rev().take(8).collect::<Vec<_>>().join("\n")
        };
        panic!(
            "waited in vain for {what}\n{}\n{}",
            log("kube-apiserver"),
            log("kube-controller-manager")
        );
    }

    /// What the API server has at a path, if it has it.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.ask("GET", path, "application/json", None).ok()
    }

    /// Makes an object.
    pub(crate) fn create(&self, path: &str, object: &Value) {
        self.ask("POST", path, "application/json", Some(object))
            .unwrap_or_else(|refused| panic!("{path}: {refused}"));
    }

    /// Changes an object.
    pub(crate) fn patch(&self, path: &str, patch: &Value) {
        self.ask("PATCH", path, "application/merge-patch+json", Some(patch))
            .unwrap_or_else(|refused| panic!("{path}: {refused}"));
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let url = format!("https://127.0.0.1:{}{path}", self.port);
        let (token, kind) = (
            format!("Authorization: Bearer {TOKEN}"),
            format!("Content-Type: {kind}"),
        );
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--insecure",
            "--noproxy",
            "*",
            "--fail-with-body",
            "--request",
            method,
        ]);
        curl.args(["--header", &token, "--header", &kind]);
        if let Some(body) = body {
            curl.args(["--data", &body.to_string()]);
        }
        let output = curl.arg(&url).output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(text);
        }
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

/// Where `tests/peers/get` has put it. With `ROLLCAST_PEERS` set, as in CI, a program that is missing is a failure.
fn program() -> Option<PathBuf> {
    const PROGRAM: &str = "kubernetes-1.36/controlplane";
    if let Some(peers) = std::env::var_os("ROLLCAST_PEERS").map(PathBuf::from) {
        let program = peers.join(PROGRAM);
        assert!(
            program.exists(),
            "ROLLCAST_PEERS is {}, which lacks {PROGRAM}: run tests/peers/get",
            peers.display()
        );
        return Some(program);
    }
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache"),
    };
    let program = cache.join("rollcast-peers").join(PROGRAM);
    program.exists().then_some(program)
}

fn free_ports<const N: usize>() -> [u16; N] {
    // All are held until all are known, so that they differ.
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn openssl(args: &[&str]) {
    let output = Command::new("openssl").args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn kubeconfig(port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{ name: test, cluster: {{ server: \"https://127.0.0.1:{port}\", insecure-skip-tls-verify: true }} }}]\n\
         users: [{{ name: test, user: {{ token: {TOKEN} }} }}]\n\
         contexts: [{{ name: test, context: {{ cluster: test, user: test }} }}]\n"
    )
}
