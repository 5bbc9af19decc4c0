//! A SQLite VFS that wraps the default one and reports to a [`Recorder`] every change and sync of databases
//! and their journals below a folder.
//!
//! It has no memory mapping, so that every write is recorded. The shared memory of a write-ahead log is not
//! recorded: SQLite rebuilds it after a crash.

#![allow(
    unsafe_code,
    reason = "SQLite takes a VFS as a table of C functions; every one of them forwards its arguments"
)]

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::slice;
use std::sync::Arc;

use libsqlite3_sys as ffi;

use crate::recorder::{Change, Kind, Recorder};

/// Registers a VFS under a unique name, for the lifetime of the process, and returns the recorder of the
/// files below `root`.
pub(crate) fn register(name: &str, root: &Path) -> Arc<Recorder> {
    let recorder = Arc::new(Recorder::new(root).expect("the folder to record exists"));
    // SAFETY: SQLite allows this at any time; a null name asks for the default.
    let real = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    assert!(!real.is_null(), "SQLite has a default VFS");
    // SAFETY: registered VFS objects live as long as the process.
    let (size, path_bytes_max) = unsafe { ((*real).szOsFile, (*real).mxPathname) };
    let shared = Shared {
        real,
        recorder: Arc::clone(&recorder),
    };
    let vfs = ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: size + c_int::try_from(size_of::<File>()).expect("a file object is small"),
        mxPathname: path_bytes_max,
        pNext: ptr::null_mut(),
        zName: CString::new(name)
            .expect("a name without a zero")
            .into_raw(),
        pAppData: Box::into_raw(Box::new(shared)).cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        // Extensions are not loaded in tests.
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_ms),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    };
    // SAFETY: the object, its name and its data are leaked, so that they outlive every use.
    let status = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 0) };
    assert_eq!(status, ffi::SQLITE_OK, "the VFS is registered");
    recorder
}

/// Shared by all files of a registered VFS; `pAppData` points to it.
struct Shared {
    real: *mut ffi::sqlite3_vfs,
    recorder: Arc<Recorder>,
}

/// An open file. SQLite allocates it, followed by the object of the real VFS.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// From `Box::into_raw`; null unless the file is recorded.
    recorded: *mut Recorded,
}

struct Recorded {
    name: PathBuf,
    recorder: Arc<Recorder>,
}

const RECORDED_KINDS: c_int = ffi::SQLITE_OPEN_MAIN_DB
    | ffi::SQLITE_OPEN_MAIN_JOURNAL
    | ffi::SQLITE_OPEN_SUPER_JOURNAL
    | ffi::SQLITE_OPEN_WAL;

/// Version 2 has shared memory, but none of the functions for memory mapping.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
/// `vfs` must be one that [`register`] made.
unsafe fn shared<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Shared {
    // SAFETY: `register` set the pointer, and never frees what it points to.
    unsafe { &*(*vfs).pAppData.cast::<Shared>() }
}

/// # Safety
/// `file` must be one that [`open`] was given.
unsafe fn real_file(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` asks for room for both objects; the first one ends where a pointer may begin.
    unsafe { file.cast::<File>().add(1).cast() }
}

/// # Safety
/// `file` must be open.
unsafe fn recorded<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Recorded> {
    // SAFETY: `open` set the pointer, and `close` frees what it points to.
    unsafe { (*file.cast::<File>()).recorded.as_ref() }
}

/// # Safety
/// `path` must be null or end with a zero.
unsafe fn path_of<'a>(path: *const c_char) -> Option<&'a Path> {
    // SAFETY: as the caller promises.
    let bytes = (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) }.to_bytes())?;
    Some(Path::new(OsStr::from_bytes(bytes)))
}

/// Calls a method of the real file behind one of ours.
macro_rules! real_method {
    ($file:ident . $method:ident ( $($argument:expr),* )) => {{
        // SAFETY: SQLite calls methods of open files only, and of those the real one is open too
        // and has every method of version 2.
        unsafe {
            let real = real_file($file);
            let method = (*(*real).pMethods).$method.expect("the default VFS has every method");
            method(real $(, $argument)*)
        }
    }};
}

/// Calls a function of the real VFS behind one of ours.
macro_rules! real_function {
    ($vfs:ident . $function:ident ( $($argument:expr),* )) => {{
        // SAFETY: SQLite passes the VFS that was registered; the default one has every function.
        unsafe {
            let real = shared($vfs).real;
            let function = (*real).$function.expect("the default VFS has every function");
            function(real $(, $argument)*)
        }
    }};
}

/// Defines methods that only forward their arguments.
macro_rules! forward_methods {
    ($($name:ident = $method:ident ( $($argument:ident : $type:ty),* );)+) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $type)*) -> c_int {
            real_method!(file.$method($($argument),*))
        }
    )+};
}

/// Defines functions of the VFS that only forward their arguments.
macro_rules! forward_functions {
    ($($name:ident = $function:ident ( $($argument:ident : $type:ty),* );)+) => {$(
        unsafe extern "C" fn $name(vfs: *mut ffi::sqlite3_vfs $(, $argument: $type)*) -> c_int {
            real_function!(vfs.$function($($argument),*))
        }
    )+};
}

forward_functions! {
    access = xAccess(path: *const c_char, flags: c_int, result: *mut c_int);
    full_pathname = xFullPathname(path: *const c_char, size: c_int, result: *mut c_char);
    randomness = xRandomness(size: c_int, result: *mut c_char);
    sleep = xSleep(microseconds: c_int);
    current_time = xCurrentTime(result: *mut f64);
    last_error = xGetLastError(size: c_int, result: *mut c_char);
    current_time_ms = xCurrentTimeInt64(result: *mut ffi::sqlite3_int64);
}

forward_methods! {
    read = xRead(into: *mut c_void, size: c_int, offset: ffi::sqlite3_int64);
    file_size = xFileSize(size: *mut ffi::sqlite3_int64);
    lock = xLock(level: c_int);
    unlock = xUnlock(level: c_int);
    check_reserved_lock = xCheckReservedLock(result: *mut c_int);
    file_control = xFileControl(operation: c_int, argument: *mut c_void);
    sector_size = xSectorSize();
    shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, result: *mut *mut c_void);
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int);
    shm_unmap = xShmUnmap(delete: c_int);
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    real_method!(file.xShmBarrier());
}

/// Without atomic batch writes, which would bypass the recorder.
unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    let real: c_int = real_method!(file.xDeviceCharacteristics());
    real & !ffi::SQLITE_IOCAP_BATCH_ATOMIC
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes a VFS that was registered, and null or a path that ends with a zero.
    let (shared, opened) = unsafe { (shared(vfs), path_of(path)) };
    let name = opened
        .filter(|_| flags & RECORDED_KINDS != 0)
        .and_then(|path| shared.recorder.recorded_name(path));
    if let Some(name) = &name {
        let kind = if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
            Kind::Database
        } else {
            Kind::Journal
        };
        shared.recorder.before_open(name, kind);
    }
    // SAFETY: SQLite gives `szOsFile` bytes, so there is room for both objects.
    let real = unsafe { real_file(file) };
    // SAFETY: the real VFS sets the methods only if the file is open, so they must be null before.
    unsafe { (*real).pMethods = ptr::null() };
    let status = real_function!(vfs.xOpen(path, real, flags, flags_out));
    let is_open = status == ffi::SQLITE_OK;
    let recorded = name.filter(|_| is_open).map(|name| Recorded {
        name,
        recorder: Arc::clone(&shared.recorder),
    });
    let opened = File {
        base: ffi::sqlite3_file {
            pMethods: if is_open {
                &raw const METHODS
            } else {
                ptr::null()
            },
        },
        recorded: recorded.map_or(ptr::null_mut(), |recorded| {
            Box::into_raw(Box::new(recorded))
        }),
    };
    // SAFETY: there is room, as above, and nothing there that would have to be dropped.
    unsafe { file.cast::<File>().write(opened) };
    status
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let status = real_method!(file.xClose());
    // SAFETY: a file is closed once; the pointer is null or from `Box::into_raw` in `open`.
    unsafe {
        let recorded = (*file.cast::<File>()).recorded;
        if !recorded.is_null() {
            drop(Box::from_raw(recorded));
        }
    }
    status
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    size: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the file is open.
    let Some(recorded) = (unsafe { recorded(file) }) else {
        return real_method!(file.xWrite(from, size, offset));
    };
    // SAFETY: SQLite passes that many bytes.
    let bytes = unsafe { slice::from_raw_parts(from.cast::<u8>(), as_size(size.into())) };
    let change = Change::Write {
        offset: as_size(offset),
        bytes: bytes.to_vec(),
    };
    let mut status = ffi::SQLITE_OK;
    recorded.recorder.change(&recorded.name, change, || {
        status = real_method!(file.xWrite(from, size, offset));
        status == ffi::SQLITE_OK
    });
    status
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: the file is open.
    let Some(recorded) = (unsafe { recorded(file) }) else {
        return real_method!(file.xTruncate(size));
    };
    let change = Change::Resize {
        size: as_size(size),
    };
    let mut status = ffi::SQLITE_OK;
    recorded.recorder.change(&recorded.name, change, || {
        status = real_method!(file.xTruncate(size));
        status == ffi::SQLITE_OK
    });
    status
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the file is open.
    let Some(recorded) = (unsafe { recorded(file) }) else {
        return real_method!(file.xSync(flags));
    };
    let mut status = ffi::SQLITE_OK;
    recorded.recorder.sync(&recorded.name, || {
        status = real_method!(file.xSync(flags));
        status == ffi::SQLITE_OK
    });
    status
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: SQLite passes a VFS that was registered, and a path that ends with a zero.
    let (shared, deleted) = unsafe { (shared(vfs), path_of(path)) };
    let Some(name) = deleted.and_then(|path| shared.recorder.recorded_name(path)) else {
        return real_function!(vfs.xDelete(path, sync_folder));
    };
    let mut status = ffi::SQLITE_OK;
    shared.recorder.delete(&name, sync_folder != 0, || {
        status = real_function!(vfs.xDelete(path, sync_folder));
        status == ffi::SQLITE_OK
    });
    status
}

fn as_size(number: ffi::sqlite3_int64) -> usize {
    usize::try_from(number).expect("SQLite passes no negative sizes and offsets")
}
