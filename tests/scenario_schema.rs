//! The committed JSON Schema is the one the code makes.

use std::path::Path;

use rollcast::scenario::json_schema;

/// With `BLESS=1` in the environment the file is written instead of compared.
#[test]
fn the_committed_schema_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/scenario.schema.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(&path, json_schema()).expect("the schema can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == json_schema(),
        "schema/scenario.schema.json is out of date; run BLESS=1 cargo test --test scenario_schema"
    );
}
