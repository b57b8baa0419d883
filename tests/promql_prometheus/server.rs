//! A real Prometheus: found, filled, started on loopback, asked, and ended by its own process id.

use std::env;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Where `tests/peers/get` put the binaries; `None`, with a notice, where it was never run.
///
/// With `ROLLCAST_PEERS` set, as in CI, binaries that are missing are a failure.
pub(crate) fn peers() -> Option<PathBuf> {
    let complete = |directory: &Path| {
        ["2.42", "3.16"].iter().all(|version| {
            ["prometheus", "promtool"]
                .iter()
                .all(|binary| home(directory, version).join(binary).is_file())
        })
    };
    if let Some(directory) = env::var_os("ROLLCAST_PEERS").map(PathBuf::from) {
        assert!(
            complete(&directory),
            "ROLLCAST_PEERS is {}, which lacks the binaries: run tests/peers/get",
            directory.display()
        );
        return Some(directory);
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let directory = cache?.join("rollcast-peers");
    if complete(&directory) {
        return Some(directory);
    }
    eprintln!("skipped: no real Prometheus here; `tests/peers/get` gets both versions");
    None
}

fn home(peers: &Path, version: &str) -> PathBuf {
    peers.join(format!("prometheus-{version}"))
}

/// A running Prometheus with a data directory of its own; both are gone when it is dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    directory: TempDir,
}

impl Server {
    /// Starts a version with the samples of an OpenMetrics text and waits until it answers.
    pub(crate) fn start(peers: &Path, version: &str, samples: &str) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("samples.om"), samples).unwrap();
        fs::write(path("prometheus.yml"), "global: {}\n").unwrap();
        let imported = Command::new(home(peers, version).join("promtool"))
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([path("samples.om"), path("data")])
            .output()
            .unwrap();
        assert!(
            imported.status.success(),
            "promtool {version} refuses the samples: {}",
            String::from_utf8_lossy(&imported.stderr)
        );
        let port = free_port();
        let log = File::create(path("log")).unwrap();
        let child = Command::new(home(peers, version).join("prometheus"))
            .arg(format!(
                "--config.file={}",
                path("prometheus.yml").display()
            ))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Server {
            child,
            port,
            directory,
        };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&self) {
        for _ in 0..600 {
            if self
                .request("GET", "/-/ready", "")
                .is_ok_and(|(status, _)| status == 200)
            {
                return;
            }
            sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        panic!("Prometheus does not get ready; its log: {log}");
    }

    /// What the HTTP API answers, errors included.
    pub(crate) fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let body: Vec<String> = parameters
            .iter()
            .map(|(key, value)| format!("{key}={}", encoded(value)))
            .collect();
        let (_, answer) = self.request("POST", path, &body.join("&")).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// One request on a connection of its own: HTTP 1.0 ends its answer with the connection.
    fn request(&self, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status.unwrap_or(0), body.to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing to save, and there is nothing to do about a child that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
