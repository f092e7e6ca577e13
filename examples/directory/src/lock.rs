//! Locks that end with the process that holds them.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use gitops_core::{Class, Cx, Fault};

use crate::disk::io_fault;

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits for a lock, no longer than the context lasts. It is held until the file is dropped. Blocks.
pub(crate) fn take(path: &Path, cx: &Cx) -> Result<File, Fault> {
    cx.check()?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|error| io_fault(&error).at(path.display()))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(io_fault(&error).at(path.display())),
            Err(TryLockError::WouldBlock) => {}
        }
        cx.check().map_err(|fault| match fault.class {
            Class::Cancelled => fault.at(path.display()),
            class => Fault::new(class, "another process holds the lock").at(path.display()),
        })?;
        std::thread::sleep(PAUSE);
    }
}
