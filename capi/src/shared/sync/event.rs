//! `madang_event_*`: events for C.

use std::ffi::{c_char, c_int};

use madang_core::Event;

use crate::deadline::limit;
use crate::error::call;
use crate::handle::{Handle, shell};
use crate::pointer::{self, Place};
use crate::shared::segment::madang_segment;
use crate::shared::sync::madang_sync_options;

/// How many bytes a event takes in a segment, at an offset that is a multiple of 64.
pub const MADANG_EVENT_SIZE: usize = 64;

const _: () = assert!(MADANG_EVENT_SIZE == Event::SIZE);

/// An open event: it is set or not, and one waits until it is.
pub struct madang_event {
    handle: Handle<Event>,
}

shell!(madang_event, Event, b"evnt", "event");

/// Opens the event called name, or creates it; a new one is not set.
///
/// name is 1 to 242 bytes of UTF-8 without '/'. It is the file madang.event.<name> in /dev/shm, or
/// in the directory whose absolute path the environment variable MADANG_DIR has; in set-user-id
/// programs that is ignored. options may be NULL: all defaults. *event is written only on success;
/// give it to madang_event_close() in the end. Until then it keeps one descriptor.
///
/// Returns 0, or what madang_queue_open() returns. Doesn't wait. Any thread may call it at any
/// time. A process may open it several times: each handle takes part by itself.
#[unsafe(no_mangle)]
pub extern "C" fn madang_event_open(
    name: *const c_char,
    options: *const madang_sync_options,
    event: *mut *mut madang_event,
) -> c_int {
    call("madang_event_open", || {
        let place = Place::new(event)?;
        let name = pointer::text(name)?;
        let event = Event::open_with(name, pointer::options(options)?.to_core()?)?;
        place.put(event, name);
        Ok(0)
    })
}

/// The event that lies in segment at offset, a multiple of 64: MADANG_EVENT_SIZE bytes there are
/// its own, and nobody else writes there. All 0, as in a new segment, is its initial state: not
/// set; there is nothing to initialise.
///
/// *event is written only on success; give it to madang_event_close() in the end. It keeps the
/// segment mapped, also when the segment's handle is closed. All that is made with one handle of a
/// segment shares one descriptor.
///
/// Returns 0, or
///   -EINVAL   it would not lie within the segment, offset is no multiple of 64, or the segment was
///             opened with MADANG_READ_ONLY
///   -ENOENT   the segment was unlinked before the first of its locks was made with this handle
///   -EACCES   this process may not open the segment's file any more
///   -EBADF    segment was closed
///   -EFAULT   a pointer is NULL
///   -ENOMEM, -EMFILE, -ENFILE
///             as with open(2) and mmap(2)
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_event_within(
    segment: *mut madang_segment,
    offset: usize,
    event: *mut *mut madang_event,
) -> c_int {
    call("madang_event_within", || {
        let place = Place::new(event)?;
        let segment = pointer::opened(segment)?;
        let event = Event::within(segment, offset)?;
        let name = segment.name();
        place.put(event, name);
        Ok(0)
    })
}

/// Sets the event: all who wait go on, even if it is cleared at once; and who comes doesn't wait.
///
/// Returns 0, or
///   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
///                and open it anew; or somebody else wrote over it
///   -EBADF       event was closed
///   -EFAULT      event is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_event_set(event: *mut madang_event) -> c_int {
    call("madang_event_set", || {
        pointer::opened(event)?.set()?;
        Ok(0)
    })
}

/// Takes it back: who comes waits again.
///
/// Returns 0, -EBADF if event was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call
/// it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_event_clear(event: *mut madang_event) -> c_int {
    call("madang_event_clear", || {
        pointer::opened(event)?.clear();
        Ok(0)
    })
}

/// Whether the event is set.
///
/// Returns 1 or 0; -EBADF if event was closed, -EFAULT if it is NULL. So compare it with 1: the
/// errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_event_is_set(event: *const madang_event) -> c_int {
    call("madang_event_is_set", || Ok(pointer::opened(event)?.is_set().into()))
}

/// Waits until the event is set.
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits for timeout_ns nanoseconds at most; 0
/// doesn't wait, negative waits for ever.
///
/// Returns 0, or
///   -EAGAIN      it isn't set, and timeout_ns is 0
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EINVAL      an unknown flag
///   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
///                and open it anew; or somebody else wrote over it
///   -EBADF       event was closed
///   -EFAULT      event is NULL
///
/// Any thread may call it at any time, while others use the same handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_event_wait(event: *mut madang_event, flags: u32, timeout_ns: i64) -> c_int {
    call("madang_event_wait", || {
        let event = pointer::opened(event)?;
        event.wait_until(limit(flags, timeout_ns)?.deadline())?;
        Ok(0)
    })
}

/// The name by which the event was opened, or that of the segment that it lies in.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_event_name(event: *const madang_event) -> *const c_char {
    call("madang_event_name", || pointer::name_of(event))
}

/// Whether this handle's open created the event. Of one in a segment nobody can say: it is 0.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_event_is_new(event: *const madang_event) -> c_int {
    call("madang_event_is_new", || Ok(pointer::opened(event)?.is_new().into()))
}

/// Closes the handle. The event lives on.
///
/// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until
/// 1,024 more events were closed by the process; then it is undefined.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_event_close(event: *mut madang_event) -> c_int {
    call("madang_event_close", || pointer::close(event).map(|()| 0))
}

/// Takes the name away. Who has the event open goes on with it. The next open of the name creates a
/// new one. (One in a segment has no name.)
///
/// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_event_unlink(name: *const c_char) -> c_int {
    call("madang_event_unlink", || {
        Event::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}
