//! Ctrl-C: the first one asks for what is known so far, the second one ends the program.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a program ended by SIGINT.
const INTERRUPTED: i32 = 130;

/// Becomes true with the first Ctrl-C.
pub(super) fn flag() -> &'static AtomicBool {
    static FLAG: OnceLock<AtomicBool> = OnceLock::new();
    FLAG.get_or_init(|| {
        // Where no handler can be set, Ctrl-C ends the program as it always did.
        let _ = ctrlc::set_handler(|| {
            if flag().swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED);
            }
        });
        AtomicBool::new(false)
    })
}
