//! Names that Kubernetes generates: the shape is upstream's, the letters are derived, not drawn.
//!
//! A template's hash is upstream FNV-32a over a Go dump of the template (`pkg/controller/controller_utils.go`,
//! `ComputeHash`), which only Go can print; here it is FNV-32a over the template's JSON. Pod suffixes are random
//! upstream (`k8s.io/apiserver/pkg/storage/names/generate.go`); here they follow from the ReplicaSet and the pod's number.

use crate::k8s::PodTemplate;

/// The letters of generated names: no vowels, nothing that reads like another (`k8s.io/apimachinery/pkg/util/rand`).
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Value of `pod-template-hash`. `collisions` sets two templates apart that hash alike.
pub(super) fn template_hash(template: &PodTemplate, collisions: u32) -> String {
    let mut hash = fnv32a(FNV_OFFSET, template.json().to_string().as_bytes());
    if collisions > 0 {
        hash = fnv32a(hash, &collisions.to_le_bytes());
    }
    hash.to_string().bytes().map(letter).collect()
}

/// The five letters that end a pod's name; no two pods of a ReplicaSet have the same.
pub(super) fn pod_suffix(replica_set: &str, number: u32) -> String {
    // The step is coprime to the number of suffixes and near its golden section, so all are met before one repeats.
    let first = u64::from(fnv32a(FNV_OFFSET, replica_set.as_bytes()));
    let mut rest = (first + u64::from(number) * SUFFIX_STEP) % SUFFIXES;
    (0..5)
        .map(|_| {
            let digit = (rest % LETTERS.len() as u64) as u8;
            rest /= LETTERS.len() as u64;
            letter(digit)
        })
        .collect()
}

/// A number that stands for a pod's random UID, where Kubernetes breaks ties by it.
pub(super) fn pod_uid(replica_set: &str, number: u32) -> u32 {
    let hash = fnv32a(FNV_OFFSET, replica_set.as_bytes());
    fnv32a(hash, &number.to_le_bytes()).wrapping_mul(0x9e37_79b9)
}

const SUFFIXES: u64 = 27_u64.pow(5);
const SUFFIX_STEP: u64 = 8_867_611;

const FNV_OFFSET: u32 = 0x811c_9dc5;

fn fnv32a(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

fn letter(byte: u8) -> char {
    LETTERS[usize::from(byte) % LETTERS.len()].into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn pods_of_one_replica_set_never_share_a_name() {
        let suffixes: BTreeSet<String> = (0..20_000).map(|n| pod_suffix("app-7d4b9", n)).collect();
        assert_eq!(suffixes.len(), 20_000);
        assert!(suffixes.iter().all(|s| s.len() == 5));
    }

    #[test]
    fn a_template_hashes_to_the_same_letters_everywhere() {
        let template = PodTemplate::from(json!({"spec": {"containers": [{"image": "app:v1"}]}}));
        assert_eq!(template_hash(&template, 0), "69c5644c5c");
        assert_ne!(template_hash(&template, 0), template_hash(&template, 1));
    }
}
